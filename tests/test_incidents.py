import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from conflict_nlp.incidents import BATCH, MEMORY, Mention, cluster_mentions


def mentions(events):
    return [Mention(i * 10, np.array([e], dtype=np.float32)) for i, e in enumerate(events)]


def same(left, right, distance):
    return (left[:, 0] == right[:, 0]).astype(np.float32)


@given(st.lists(st.integers(0, 5), max_size=60))
def test_a_perfect_score_gives_the_events(events):
    numbers = cluster_mentions(mentions(events), same, 0.5)
    assert len(set(zip(events, numbers, strict=True))) == len(set(events)) == len(set(numbers))
    assert all(n == i for i, n in enumerate(dict.fromkeys(numbers), 1))  # numbered by first mention


def test_a_mention_joins_the_event_it_agrees_with_most():
    scores = {(0, 1): 0.1, (0, 2): 0.6, (1, 2): 0.8}

    def score(left, right, distance):
        return np.array([scores[int(a), int(b)] for a, b in zip(left[:, 0], right[:, 0], strict=True)], dtype=np.float32)

    assert cluster_mentions(mentions([0, 1, 2]), score, 0.5) == [1, 2, 2]
    assert cluster_mentions(mentions([0, 1, 2]), score, 0.9) == [1, 2, 3]


def test_many_mentions_take_bounded_work():
    asked = []

    def score(left, right, distance):
        asked.append(len(left))
        assert distance.max() <= 10 * MEMORY
        return same(left, right, distance)

    events = [i % 7 for i in range(3 * BATCH)]
    assert cluster_mentions(mentions(events), score, 0.5) == [e + 1 for e in events]
    assert max(asked) <= BATCH * MEMORY
    assert sum(asked) <= len(events) * MEMORY


def test_no_mentions_no_events():
    assert cluster_mentions([], same, 0.5) == []
