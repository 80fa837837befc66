from __future__ import annotations

from evaluation_cases import document, span

from conflict_nlp.evaluation.attributes import scores as attribute_scores
from conflict_nlp.evaluation.casualties import scores as casualty_scores
from conflict_nlp.evaluation.links import scores
from conflict_nlp.evaluation.records import scores as record_scores
from conflict_nlp.schema import Attribute, Label, Schema

ATTACK = span("a", "ATTACK", 7, 18, status="actual", incident="i1")
RAID = span("r", "ATTACK", 103, 107, status="actual", incident="i2")
CONVOY, SOLDIERS = span("t", "TARGET", 22, 30), span("c", "CASUALTY", 61, 72, outcome="killed", count="12", subset=False)


def test_exact_needs_both_boundaries_and_overlap_a_character() -> None:
    gold = [document(ATTACK, CONVOY, links=(("a", "t"),))]
    predicted = [document(span("a", "ATTACK", 7, 18), span("t", "TARGET", 24, 30), links=(("a", "t"),))]
    found = scores(gold, predicted)
    assert (found["link_exact_f1"], found["link_overlap_f1"], found["link_overlap_f1_ATTACK-TARGET"]) == (0, 100, 100)


def test_a_schema_without_links_has_no_scores_of_them() -> None:
    assert not scores([document(CONVOY)], [document()], Schema("places", (Label("TARGET"),)))
    assert scores([document(CONVOY)], [document()])["link_exact_f1"] == 100


def test_a_link_to_the_wrong_anchor_is_wrong() -> None:
    gold = [document(ATTACK, RAID, CONVOY, links=(("a", "t"),))]
    predicted = [document(ATTACK, RAID, CONVOY, links=(("r", "t"), ("a", "t")))]
    found = scores(gold, predicted)
    assert (found["link_exact_precision"], found["link_exact_recall"]) == (50, 100)


def test_links_are_used_once() -> None:
    gold = [document(ATTACK, CONVOY, links=(("a", "t"),))]
    predicted = [document(ATTACK, span("t", "TARGET", 22, 24), span("u", "TARGET", 24, 30), links=(("a", "t"), ("a", "u")))]
    found = scores(gold, predicted)
    assert (found["link_overlap_precision"], found["link_overlap_recall"]) == (50, 100)


def test_counts_compare_as_bounds_and_what_the_gold_does_not_give_is_left_out() -> None:
    gold = [document(span("1", "CASUALTY", 0, 6, outcome="killed", count="100"), span("2", "CASUALTY", 61, 72, count=">=12"))]
    soldiers = span("2", "CASUALTY", 61, 72, outcome="killed", count="12", subset=True)
    predicted = [document(span("1", "CASUALTY", 0, 6, outcome="injured", count="~100"), soldiers)]
    found = attribute_scores(gold, predicted)
    assert (found["count_accuracy"], found["outcome_accuracy"], found["subset_accuracy"], found["kind_accuracy"]) == (50, 0, 50, 100)


def test_records_align_incidents_whatever_their_names() -> None:
    gold = [document(ATTACK, RAID, CONVOY, SOLDIERS, links=(("a", "t"), ("a", "c"), ("r", "t")))]
    renamed = (span("a", "ATTACK", 7, 18, incident="x"), span("r", "ATTACK", 103, 107, incident="y"))
    predicted = [document(*renamed, span("t", "TARGET", 24, 30), SOLDIERS, links=(("a", "t"), ("a", "c")))]
    found = record_scores(gold, predicted)
    # "a convoy" and "convoy" are one filler; the raid's row is missed
    assert (found["record_precision"], round(found["record_recall"], 1), found["record_f1_ATTACK"]) == (100, 66.7, 80)


def test_a_row_under_the_wrong_incident_is_wrong() -> None:
    gold = [document(ATTACK, RAID, CONVOY, SOLDIERS, links=(("a", "t"), ("r", "c")))]
    predicted = [document(ATTACK, RAID, CONVOY, SOLDIERS, links=(("a", "t"), ("a", "c")))]
    assert record_scores(gold, predicted)["record_f1"] == 50


def test_a_row_that_an_incident_has_twice_is_one() -> None:
    again = span("u", "TARGET", 22, 30)
    gold = [document(ATTACK, CONVOY, again, links=(("a", "t"), ("a", "u")))]
    assert record_scores(gold, [document(ATTACK, CONVOY, links=(("a", "t"),))])["record_f1"] == 100


def test_casualties_are_added_up_over_incidents() -> None:
    driver = span("d", "CASUALTY", 77, 85, outcome="killed", count="1", subset=False)
    gold = [document(ATTACK, SOLDIERS, driver, links=(("a", "c"), ("a", "d"))), document(id="e")]
    predicted = [document(ATTACK, SOLDIERS, links=(("a", "c"),)), document(id="e")]
    found = casualty_scores(gold, predicted)
    # 13 against 12 in one of two documents
    assert (found["killed_error"], found["injured_error"], found["killed_total_accuracy"], found["injured_total_accuracy"]) == (0.5, 0, 0, 100)


def test_a_casualty_of_two_incidents_counts_once() -> None:
    gold = [document(ATTACK, RAID, SOLDIERS, links=(("a", "c"), ("r", "c")))]
    found = casualty_scores(gold, [document(ATTACK, SOLDIERS, links=(("a", "c"),))])
    assert (found["killed_error"], found["killed_total_accuracy"]) == (0, 100)


def test_a_detail_with_an_incident_of_its_own_is_not_added() -> None:
    driver = span("d", "CASUALTY", 77, 85, outcome="killed", count="1", subset=True)
    gold = [document(ATTACK, RAID, SOLDIERS, driver, links=(("a", "c"), ("r", "d")))]
    assert casualty_scores(gold, [document(ATTACK, SOLDIERS, links=(("a", "c"),))])["killed_error"] == 0


def test_a_count_of_another_kind_is_not_added_up() -> None:
    casualty = Label("CASUALTY", attributes=(Attribute("outcome", "choice", ("killed",)), Attribute("count", "choice", ("one", "many"))))
    documents = [document(ATTACK, span("c", "CASUALTY", 61, 72, outcome="killed", count="many"), links=(("a", "c"),))]
    assert casualty_scores(documents, documents, Schema("other", (Label("ATTACK", ("CASUALTY",)), casualty))) == {}
