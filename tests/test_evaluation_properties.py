"""What holds for every metric: identity is 100, bounds, symmetry, and that the order of documents and spans does not matter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from evaluation_cases import Pair, pairs
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import documents

from conflict_nlp.document import Document
from conflict_nlp.evaluation import attributes, calibration, casualties, incidents, links, records, spans, summary
from conflict_nlp.evaluation.agreement import agreement

Metric = Callable[[Sequence[Document], Sequence[Document]], dict[str, float]]
METRICS: dict[str, Metric] = {m.__name__.rpartition(".")[2]: m.scores for m in (spans, links, incidents, attributes, records, casualties, summary)}
EVERY = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
FAST = settings(max_examples=30, deadline=None)


@EVERY
@FAST
@given(pair=pairs())
def test_identity_scores_100(metric: Metric, pair: Pair) -> None:
    for name, value in metric(pair[0], pair[0]).items():
        assert value == pytest.approx(0 if name.endswith("_error") else 100), name


@EVERY
@FAST
@given(pair=pairs())
def test_bounds(metric: Metric, pair: Pair) -> None:
    for name, value in metric(*pair).items():
        assert value >= 0, name
        assert name.endswith("_error") or value <= 100 + 1e-9, name


@EVERY
@FAST
@given(pair=pairs(), data=st.data())
def test_order_of_documents_and_spans_does_not_matter(metric: Metric, pair: Pair, data: st.DataObject) -> None:
    gold, predicted = pair
    mixed = [replace(d, spans=tuple(data.draw(st.permutations(d.spans))), links=tuple(data.draw(st.permutations(d.links)))) for d in predicted]
    shuffled = metric(data.draw(st.permutations(gold)), data.draw(st.permutations(mixed)))
    assert shuffled == pytest.approx(metric(gold, predicted))


@pytest.mark.parametrize("metric", [METRICS[name] for name in ("spans", "links", "records", "casualties")], ids=["spans", "links", "records", "casualties"])
@FAST
@given(pair=pairs())
def test_exchanging_the_sides_exchanges_precision_and_recall(metric: Metric, pair: Pair) -> None:
    forward, backward = metric(*pair), metric(pair[1], pair[0])
    swap = {"precision": "recall", "recall": "precision"}
    assert {f"{head}_{swap.get(last, last)}": v for k, v in forward.items() for head, _, last in [k.rpartition("_")]} == pytest.approx(backward)


@FAST
@given(gold=st.lists(documents(whole_attributes=True), max_size=3))
def test_empty_predictions_find_nothing(gold: list[Document]) -> None:
    gold = [replace(d, id=None) for d in gold]
    found = summary.scores(gold, [replace(d, spans=(), links=()) for d in gold])
    assert found["span_exact_f1"] == found["span_overlap_f1"] == (0 if any(d.spans for d in gold) else 100)
    assert found["link_overlap_f1"] == (0 if any(d.links for d in gold) else 100)
    has_attacks = any(d.labelled("ATTACK") for d in gold)
    assert found["status_accuracy"] == found["incident_bcubed_f1"] == (0 if has_attacks else 100)


@FAST
@given(pair=pairs())
def test_exact_is_never_above_overlap(pair: Pair) -> None:
    found = summary.scores(*pair)
    for kind in ("span", "link"):
        for part in ("precision", "recall", "f1"):
            assert found[f"{kind}_exact_{part}"] <= found[f"{kind}_overlap_{part}"] + 1e-9


@FAST
@given(pair=pairs())
def test_calibration_error_is_bounded(pair: Pair) -> None:
    for value in calibration.scores(*pair).values():
        assert 0 <= value <= 100


@FAST
@given(pair=pairs(whole_attributes=True))
def test_agreement_with_oneself_is_100(pair: Pair) -> None:
    assert all(value == pytest.approx(100) for value in agreement(pair[0], pair[0]).values())
