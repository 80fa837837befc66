from __future__ import annotations

from itertools import permutations

import pytest
from evaluation_cases import document, span
from hypothesis import given, settings
from hypothesis import strategies as st

from conflict_nlp.document import Document
from conflict_nlp.evaluation.alignment import align
from conflict_nlp.evaluation.errors import errors
from conflict_nlp.evaluation.matching import assign, jaccard, overlapping
from conflict_nlp.evaluation.pairing import MismatchError, pair_documents
from conflict_nlp.evaluation.summary import scores

INTERVALS = st.lists(st.tuples(st.integers(0, 12), st.integers(1, 6)).map(lambda p: (p[0], p[0] + p[1])), max_size=5)


@settings(max_examples=80, deadline=None)
@given(INTERVALS, INTERVALS)
def test_overlapping_finds_every_pair(left: list[tuple[int, int]], right: list[tuple[int, int]]) -> None:
    expected = [(i, j) for i, a in enumerate(left) for j, b in enumerate(right) if a[0] < b[1] and b[0] < a[1]]
    assert sorted(overlapping(left, right)) == expected


@settings(max_examples=80, deadline=None)
@given(INTERVALS, INTERVALS)
def test_assign_is_optimal(left: list[tuple[int, int]], right: list[tuple[int, int]]) -> None:
    weights = {(i, j): jaccard(left[i], right[j]) for i, j in overlapping(left, right)}
    chosen = assign(weights)
    assert len({i for i, _ in chosen}) == len({j for _, j in chosen}) == len(chosen)
    padded = [*range(len(right)), *[-1] * len(left)]
    best = max((sum(e in weights for e in enumerate(p)), sum(weights.get(e, 0) for e in enumerate(p))) for p in permutations(padded, len(left)))
    assert (len(chosen), sum(weights[e] for e in chosen)) == pytest.approx(best)


def test_equal_spans_are_told_apart_by_their_attributes() -> None:
    gold = document(span("a", "CASUALTY", 0, 6, outcome="killed"), span("b", "CASUALTY", 0, 6, outcome="injured"))
    predicted = document(span("x", "CASUALTY", 0, 6, outcome="injured"), span("y", "CASUALTY", 0, 6, outcome="killed"))
    assert align([gold], [predicted])[0].counterpart == {"a": "y", "b": "x"}


def test_equal_spans_are_compared_though_more_pairs_would_overlap() -> None:
    gold = document(span("a", "CASUALTY", 0, 10, outcome="injured"), span("b", "CASUALTY", 5, 15, outcome="killed"))
    predicted = document(span("x", "CASUALTY", 5, 15, outcome="killed"), span("y", "CASUALTY", 12, 20, outcome="missing"))
    alignment = align([gold], [predicted])[0]
    assert alignment.counterpart == {"b": "x"}
    assert [(g.id, p.id) for g, p in alignment.overlaps] == [("a", "x"), ("b", "y")]
    found = scores([gold], [predicted])
    assert (found["outcome_accuracy"], found["span_overlap_f1"]) == (100, 100)
    assert [e.kind for e in errors(alignment)] == ["missed", "invented"]


def test_the_rest_is_matched_after_the_equal_spans() -> None:
    gold = document(span("a", "TARGET", 0, 10), span("b", "TARGET", 5, 15))
    predicted = document(span("x", "TARGET", 5, 15), span("y", "TARGET", 2, 7))
    assert align([gold], [predicted])[0].counterpart == {"a": "y", "b": "x"}


def test_documents_are_paired_by_id() -> None:
    a, b = Document("a", id="1"), Document("b", id="2")
    assert pair_documents([a, b], [b, a]) == [(a, a), (b, b)]


@pytest.mark.parametrize(
    ("gold", "predicted", "message"),
    [
        ([Document("a", id="r1"), Document("b", id="r2")], [Document("a", id="r1")], "predictions lack r2"),
        ([Document("a", id="r1")], [Document("a", id="r1"), Document("b", id="r2")], "gold lacks r2"),
        ([Document("a", id="r1")], [Document("b", id="r1")], "another text under r1"),
        ([Document("a", id="r1")], [Document("a")], "document 1 has no id"),
        ([Document("a", id="r1"), Document("a", id="r1")], [Document("a", id="r1")], "gold: the id r1 is used more than once"),
        ([Document("a")], [Document("a"), Document("b")], "1 gold documents and 2 predictions"),
        ([Document("a"), Document("b")], [Document("a"), Document("c")], "another text at document 2"),
        ([Document(str(n), id=f"r{n}") for n in range(30)], [], "r9 and 20 more"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_ids(gold: list[Document], predicted: list[Document], message: str) -> None:
    with pytest.raises(MismatchError, match=message):
        pair_documents(gold, predicted)


def test_a_label_that_the_schema_lacks_is_refused() -> None:
    with pytest.raises(MismatchError, match="d: the schema conflict has no label PROTEST"):
        align([document()], [document(span("1", "PROTEST", 0, 4))])
