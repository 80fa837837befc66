from __future__ import annotations

import random
from itertools import pairwise

import pytest
from evaluation_cases import FLAT, document, span
from nervaluate import Evaluator
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.scheme import IOB2

from conflict_nlp.document import Document, Span
from conflict_nlp.evaluation.spans import scores

Entity = tuple[str, int, int]
TOKENS = 25


def entities(random: random.Random) -> list[Entity]:
    """Flat entities over numbered tokens."""
    cuts = sorted(random.sample(range(TOKENS + 1), random.randint(0, 5) * 2))
    return [(random.choice(FLAT.names), a, b) for a, b in list(pairwise(cuts))[::2]]


def tags(found: list[Entity]) -> list[str]:
    tags = ["O"] * TOKENS
    for label, start, end in found:
        tags[start:end] = [f"B-{label}", *[f"I-{label}"] * (end - start - 1)]
    return tags


def as_document(found: list[Entity]) -> Document:
    """Every token is one character."""
    return Document("x" * TOKENS, tuple(Span(f"T{n}", label, start, end, "x" * (end - start)) for n, (label, start, end) in enumerate(found)))


@pytest.mark.parametrize("seed", range(20))
def test_exact_agrees_with_seqeval_and_nervaluate(seed: int) -> None:
    source = random.Random(seed)
    gold = [entities(source) for _ in range(12)]
    predicted = [[e if source.random() < 0.6 else (source.choice(FLAT.names), *e[1:]) for e in doc if source.random() < 0.8] for doc in gold]
    found = scores(list(map(as_document, gold)), list(map(as_document, predicted)), FLAT)
    left, right = [tags(d) for d in gold], [tags(d) for d in predicted]
    for function, name in ((precision_score, "precision"), (recall_score, "recall"), (f1_score, "f1")):
        assert found[f"span_exact_{name}"] == pytest.approx(100 * function(left, right, mode="strict", scheme=IOB2))
    assert found["span_exact_macro_f1"] == pytest.approx(100 * f1_score(left, right, average="macro", mode="strict", scheme=IOB2))
    strict = Evaluator(left, right, tags=list(FLAT.names), loader="list").evaluate()["overall"]["strict"]
    assert (found["span_exact_precision"], found["span_exact_recall"]) == pytest.approx((100 * strict.precision, 100 * strict.recall))


def test_overlap_agrees_with_nervaluate() -> None:
    gold = [[("PER", 0, 3), ("ORG", 5, 8), ("LOC", 10, 12), ("PER", 20, 22)], [("LOC", 1, 2)]]
    predicted = [[("PER", 1, 3), ("LOC", 5, 9), ("LOC", 10, 12)], [("LOC", 0, 4), ("PER", 8, 9)]]
    found = scores(list(map(as_document, gold)), list(map(as_document, predicted)), FLAT)
    theirs = Evaluator([tags(d) for d in gold], [tags(d) for d in predicted], tags=list(FLAT.names), loader="list").evaluate()["overall"]["ent_type"]
    assert (found["span_overlap_precision"], found["span_overlap_recall"]) == pytest.approx((100 * theirs.precision, 100 * theirs.recall)) == (60, 60)


def test_a_span_is_used_once() -> None:
    gold = [document(span("1", "TARGET", 0, 10))]
    predicted = [document(span("1", "TARGET", 0, 4), span("2", "TARGET", 5, 10))]
    found = scores(gold, predicted)
    assert (found["span_overlap_precision"], found["span_overlap_recall"]) == (50, 100)


def test_as_many_pairs_as_possible() -> None:
    # by the largest overlap alone, 0-20 would go with 0-20 and leave the two others without a partner
    gold = [document(span("1", "TARGET", 0, 20), span("2", "TARGET", 22, 30))]
    predicted = [document(span("1", "TARGET", 0, 24), span("2", "TARGET", 0, 2))]
    assert scores(gold, predicted)["span_overlap_f1"] == 100


def test_spans_are_a_multiset() -> None:
    once, twice = document(span("1", "TIME", 0, 4)), document(span("1", "TIME", 0, 4), span("2", "TIME", 0, 4))
    assert scores([once], [twice])["span_exact_precision"] == 50
    assert scores([twice], [once])["span_exact_recall"] == 50
    assert scores([twice], [twice])["span_exact_f1"] == 100


def test_touching_spans_do_not_overlap() -> None:
    found = scores([document(span("1", "TIME", 0, 4))], [document(span("1", "TIME", 4, 8))])
    assert found["span_overlap_f1"] == 0


def test_macro_is_over_the_labels_that_occur() -> None:
    gold = [document(span("1", "TIME", 0, 4), span("2", "TARGET", 5, 8))]
    predicted = [document(span("1", "TIME", 0, 4), span("2", "WEAPON", 5, 8))]
    found = scores(gold, predicted)
    assert found["span_exact_macro_f1"] == pytest.approx(100 / 3)
    assert (found["span_exact_f1_TIME"], found["span_exact_f1_WEAPON"], found["span_exact_f1_CLAIM"]) == (100, 0, 100)
