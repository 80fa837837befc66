import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from conflict_nlp.incidents import BLOCK, MEMORY, Mention, cluster_mentions


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


def test_the_mean_over_all_pairs_decides():
    scores = {(0, 1): 0.9, (0, 2): 0.1, (1, 2): 0.7, (0, 3): 0.0, (1, 3): 0.0, (2, 3): 0.35}

    def score(left, right, distance):
        return np.array([scores[int(a), int(b)] for a, b in zip(left[:, 0], right[:, 0], strict=True)], dtype=np.float32)

    assert cluster_mentions(mentions([0, 1, 2, 3]), score, 0.3) == [1, 1, 1, 2]  # 2 agrees with 0 and 1 by 0.4; 3 with all three by 0.12
    assert cluster_mentions(mentions([0, 1, 2, 3]), score, 0.42) == [1, 1, 2, 3]
    assert cluster_mentions(mentions([0, 1, 2, 3]), score, 0.0) == [1, 1, 1, 1]


@given(st.lists(st.integers(0, 9), max_size=40), st.integers(0, 1000), st.sampled_from([0.2, 0.5, 0.8]))
def test_groups_agree_less_than_the_threshold(events, seed, threshold):
    noise = np.random.default_rng(seed).random((40, 40), dtype=np.float32)
    items = [Mention(i, np.array([i], dtype=np.float32)) for i in range(len(events))]

    def score(left, right, distance):
        return noise[left[:, 0].astype(int), right[:, 0].astype(int)]

    numbers = np.array(cluster_mentions(items, score, threshold))
    for a in set(numbers.tolist()):
        for b in set(numbers.tolist()) - set(range(a + 1)):
            pairs = [noise[min(i, j), max(i, j)] for i in np.flatnonzero(numbers == a) for j in np.flatnonzero(numbers == b)]
            assert np.mean(pairs) < threshold


def test_many_mentions_take_bounded_work():
    asked = []

    def score(left, right, distance):
        asked.append(len(left))
        assert distance.max() < 10 * (MEMORY + BLOCK)
        return same(left, right, distance)

    events = [i % 7 for i in range(5 * BLOCK + 3)]
    assert cluster_mentions(mentions(events), score, 0.5) == [e + 1 for e in events]
    assert max(asked) <= BLOCK * (MEMORY + BLOCK / 2)
    assert sum(asked) <= len(events) * (MEMORY + BLOCK / 2)


def test_no_mentions_no_events():
    assert cluster_mentions([], same, 0.5) == []
