from __future__ import annotations

import pytest
from evaluation_cases import FLAT, MENTIONS, document, mentions, span
from hypothesis import given, settings
from hypothesis import strategies as st

from conflict_nlp.evaluation.incidents import Cluster, b_cubed, pairwise, scores


@pytest.mark.parametrize(("response", "precision"), [(("12345", "6789ABC"), 76.19), (("1234589ABC", "67"), 58.33)])
def test_b_cubed_as_in_bagga_and_baldwin(response: tuple[str, ...], precision: float) -> None:
    """The example of the paper: the truth is {1 2 3 4 5}, {6 7}, {8 9 A B C}; recall is 100 in both responses."""
    found = scores([mentions("12345", "67", "89ABC")], [mentions(*response)], MENTIONS)
    assert (round(found["incident_bcubed_precision"], 2), found["incident_bcubed_recall"]) == (precision, 100)


def test_pairs_by_hand() -> None:
    # gold pairs 12 13 23 45, predicted pairs 12 34 35 45: two in common
    found = scores([mentions("123", "45")], [mentions("12", "345")], MENTIONS)
    assert (found["incident_pair_precision"], found["incident_pair_recall"], found["incident_pair_f1"]) == (50, 50, 50)


def test_unmatched_mentions_are_missed_and_invented() -> None:
    spans = [span(str(n), "EVENT", n, n + 1, incident="i1") for n in range(4)]
    gold, predicted = [document(*spans[:3])], [document(*spans[1:])]
    found = scores(gold, predicted, MENTIONS)
    # of three pairs on either side one is common; of a mention's three fellows two are
    assert found["incident_pair_f1"] == pytest.approx(100 / 3)
    assert found["incident_bcubed_precision"] == found["incident_bcubed_recall"] == pytest.approx(100 * 2 * (2 / 3) / 3)


def test_a_mention_without_an_incident_stands_alone() -> None:
    alone = [document(span("1", "EVENT", 0, 1), span("2", "EVENT", 2, 3))]
    named = [document(span("1", "EVENT", 0, 1, incident="x"), span("2", "EVENT", 2, 3, incident="y"))]
    assert set(scores(alone, named, MENTIONS).values()) == {100}


def test_no_clusters_no_keys() -> None:
    assert scores([document()], [document()], FLAT) == {}


CLUSTERING = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.sampled_from(("both", "gold", "predicted"))), max_size=8)


@settings(max_examples=60, deadline=None)
@given(CLUSTERING)
def test_exchanging_the_sides_exchanges_precision_and_recall(items: list[tuple[str, str, str]]) -> None:
    gold: dict[str, Cluster] = {str(n): ("", g) for n, (g, _, side) in enumerate(items) if side != "predicted"}
    predicted: dict[str, Cluster] = {str(n): ("", p) for n, (_, p, side) in enumerate(items) if side != "gold"}
    common = {n: n for n in gold.keys() & predicted.keys()}
    for function in (pairwise, b_cubed):
        one, other = function(gold, predicted, common), function(predicted, gold, common)
        assert (one.hits, one.predicted, one.found, one.gold) == pytest.approx((other.found, other.gold, other.hits, other.predicted))
