"""CEAF-REE by hand: hits are the most predicted entities that can each be given a gold entity of their own that has all their mentions."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conflict_nlp.evaluation.ceaf import ROLES, EntityScore, ceaf_ree, score_entities
from conflict_nlp.evaluation.ceaf_files import document_key, read_gold, read_predictions, write_predictions
from conflict_nlp.evaluation.normalisation import normalise
from conflict_nlp.evaluation.pairing import MismatchError
from conflict_nlp.formats.files import FormatError

Entities = list[list[str]]
# the gold of the example in Du, Rush and Cardie (2021)
PAPER = [["Pilmai telephone company building", "telephone company building", "telephone company offices"], ["water pipes"], ["public telephone booth"]]
FOUR = [["a1", "a2", "a3"], ["b"], ["c"], ["d"]]

CASES: dict[str, tuple[Entities, Entities, EntityScore]] = {
    "the paper's first: a second mention of one entity is a false entity": (
        PAPER,
        [["water pipes"], ["Pilmai telephone company building"], ["public telephone booth"], ["telephone company offices"]],
        EntityScore(3, 4, 3),
    ),
    "the paper's second: one mention an entity is enough": (PAPER, [[e[0]] for e in PAPER], EntityScore(3, 3, 3)),
    "the paper's third: an entity is missed": (PAPER, [["Pilmai telephone company building"], ["public telephone booth"]], EntityScore(2, 2, 3)),
    "empty gold": ([], [["x"]], EntityScore(0, 1, 0)),
    "empty prediction": ([["x"]], [], EntityScore(0, 0, 1)),
    "both empty": ([], [], EntityScore(0, 0, 0)),
    "several mentions, all of one entity": (FOUR, [["a1", "a3"], ["b"], ["c"], ["d"]], EntityScore(4, 4, 4)),
    "several mentions of two entities fit neither": (FOUR, [["a1", "a2", "a3", "b"], ["c"], ["d"]], EntityScore(2, 3, 4)),
    "a mention too many spoils the entity": ([["x", "y"]], [["x", "y", "z"]], EntityScore(0, 1, 1)),
    "duplicate predictions count once": ([["x"]], [["x"], ["x"], ["x"]], EntityScore(1, 3, 1)),
    "duplicate gold entities take one prediction each": ([["x"], ["x"]], [["x"]], EntityScore(1, 1, 2)),
    "duplicates on both sides": ([["x"], ["x"]], [["x"], ["x"]], EntityScore(2, 2, 2)),
    "a mention repeated within a prediction": ([["x", "y"]], [["x", "x"]], EntityScore(1, 1, 1)),
    "a tie that a greedy choice gets wrong": ([["x", "y"], ["x"]], [["x"], ["y"]], EntityScore(2, 2, 2)),
    "a tie in a chain": ([["x", "y"], ["y", "z"], ["z"]], [["z"], ["y"], ["x"]], EntityScore(3, 3, 3)),
    "a tie that cannot be solved": ([["x", "y"], ["z"]], [["x"], ["y"]], EntityScore(1, 2, 2)),
    "case, articles and punctuation": ([["The U.S. Embassy"]], [["us  embassy,"]], EntityScore(1, 1, 1)),
    "a part of a mention is another string": ([["armed men"]], [["men"]], EntityScore(0, 1, 1)),
    "a prediction without mentions fits anything; files may not hold one": ([["x"]], [[]], EntityScore(1, 1, 1)),
}


@pytest.mark.parametrize(("gold", "predicted", "expected"), CASES.values(), ids=CASES)
def test_by_hand(gold: Entities, predicted: Entities, expected: EntityScore) -> None:
    assert score_entities(gold, predicted) == expected


def test_scores_are_summed_over_documents_and_roles() -> None:
    gold = {"1": {"PerpInd": FOUR, "Target": PAPER}, "2": {"PerpInd": [["x"]], "Target": []}}
    predicted = {"1": {"PerpInd": [["b"], ["a1"], ["c"], ["d"], ["a3"]], "Target": []}, "2": {"PerpInd": [["y"]]}}
    result = ceaf_ree(gold, predicted)
    assert (result.roles["PerpInd"], result.roles["Target"], result.micro) == (EntityScore(4, 6, 5), EntityScore(0, 0, 3), EntityScore(4, 6, 8))
    found = result.scores()
    assert [round(found[f"ceaf_ree_{name}"], 2) for name in ("precision", "recall", "f1")] == [66.67, 50.0, 57.14]
    assert (round(found["ceaf_ree_f1_PerpInd"], 2), found["ceaf_ree_f1_Target"], found["ceaf_ree_f1_Weapon"]) == (72.73, 0, 0)


def test_documents_and_roles_have_to_fit() -> None:
    with pytest.raises(MismatchError, match="predictions lack 2; the gold lacks 3"):
        ceaf_ree({"1": {}, "2": {}}, {"1": {}, "3": {}})
    with pytest.raises(MismatchError, match="1: Place is no role"):
        ceaf_ree({"1": {}}, {"1": {"Place": []}})


ENTITIES = st.lists(st.lists(st.sampled_from("pqrst"), min_size=1, max_size=3), max_size=4)


@settings(max_examples=80, deadline=None)
@given(ENTITIES, ENTITIES)
def test_the_assignment_is_optimal(gold: Entities, predicted: Entities) -> None:
    padded = [*gold, *[[]] * len(predicted)]
    best = max(sum(bool(g) and set(p) <= set(g) for g, p in zip(choice, predicted, strict=True)) for choice in permutations(padded, len(predicted)))
    score = score_entities(gold, predicted)
    assert score == EntityScore(best, len(predicted), len(gold))
    assert 0 <= score.f1 <= 100


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from("123"), st.dictionaries(st.sampled_from(ROLES), ENTITIES)), st.randoms())
def test_identity_is_100_and_order_does_not_matter(gold: dict[str, dict[str, Entities]], random: object) -> None:
    mirrored = {id: {role: entities[::-1] for role, entities in roles.items()} for id, roles in reversed(gold.items())}
    result = ceaf_ree(gold, mirrored)
    assert result.micro.f1 == (100 if result.micro.gold else 0)


@pytest.mark.parametrize(
    ("docid", "key"),
    [("TST1-MUC3-0001", "10001"), ("TST2-MUC4-0100", "20100"), ("DEV-MUC3-0001", "DEV-MUC3-0001"), ("10001", "10001"), ("2014-03-12", "2014-03-12")],
)
def test_document_keys_are_the_scorers(docid: str, key: str) -> None:
    assert document_key(docid) == key


def test_normalise() -> None:
    assert normalise(" An  attack, on the  \"Santo-Tomas\" farm's theatre. ") == "attack on santotomas farms theatre"


def test_files(tmp_path: Path) -> None:
    gold, predicted = tmp_path / "gold.json", tmp_path / "predicted.json"
    gold.write_text(json.dumps({"docid": "TST1-MUC3-0002", "extracts": {"PerpInd": [[["the guerrillas", 3], ["rebels", 40]], []], "Weapon": []}}) + "\n")
    write_predictions(predicted, {"TST1-MUC3-0002": {"PerpInd": [["Guerrillas"], []], "Weapon": [["bomb"]]}})
    assert json.loads(predicted.read_text()) == {"10002": {"pred_extracts": {"PerpInd": [["Guerrillas"]], "Weapon": [["bomb"]]}}}
    assert ceaf_ree(read_gold(gold), read_predictions(predicted)).micro == EntityScore(1, 2, 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1]", "one JSON object"),
        ("{", "not JSON"),
        ('{"1": {}}', "1: the document has no pred_extracts"),
        ('{"1": {"pred_extracts": {"Weapon": ["bomb"]}}}', "1: Weapon: a role is a list of entities"),
        ('{"1": {"pred_extracts": {"Weapon": [[3]]}}}', "1: Weapon: a mention is a string"),
        ('{"1": {"pred_extracts": {"Weapon": [["bomb"], []]}}}', "1: Weapon: an entity has no mentions: leave it out"),
        ('{"10001": {"pred_extracts": {}}, "TST1-MUC3-0001": {"pred_extracts": {}}}', "is there twice"),
    ],
)
def test_files_that_are_none_are_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "predicted.json"
    path.write_text(content)
    with pytest.raises(FormatError, match=message) as caught:
        read_predictions(path)
    assert str(caught.value).startswith(str(path))
