from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest
from evaluation_cases import FLAT, document, mentions, span

from conflict_nlp.evaluation import modules
from conflict_nlp.evaluation.summary import scores

GOLD = [document(span("a", "ATTACK", 7, 18, status="actual"), span("t", "TARGET", 22, 30), links=(("a", "t"),), id="1"), document(id="2")]
PREDICTED = [document(span("a", "ATTACK", 7, 13, 0.8, status="other"), id="1"), document(id="2")]
NAMES = ("Summary", "Spans", "Links", "Incidents", "Attributes", "Records", "Casualties", "Calibration", "Agreement")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*arguments: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    return None


@pytest.mark.parametrize("name", NAMES)
def test_module_gives_what_the_function_gives(name: str) -> None:
    metric = getattr(modules, name)(keep_in_memory=True)
    expected = metric._scorer(GOLD, PREDICTED, modules.CONFLICT)
    assert metric.compute(predictions=PREDICTED, references=GOLD) == pytest.approx(expected)
    assert expected
    assert metric.description


def test_documents_dictionaries_and_json_in_batches() -> None:
    metric = modules.Summary(keep_in_memory=True)
    metric.add(prediction=PREDICTED[0].to_dict(), reference=GOLD[0])
    metric.add_batch(predictions=[json.dumps(PREDICTED[1].to_dict())], references=[GOLD[1].to_dict()])
    assert metric.compute() == pytest.approx(scores(GOLD, PREDICTED))


def test_another_schema() -> None:
    documents = [document(span("1", "PER", 0, 6))]
    found = modules.Spans(keep_in_memory=True).compute(predictions=documents, references=documents, schema=FLAT.to_dict())
    assert found["span_exact_f1_PER"] == 100
    with pytest.raises(ValueError, match="EVENT"):
        modules.Spans(keep_in_memory=True).compute(predictions=[mentions("1")], references=[mentions("1")])


def test_ceaf_ree() -> None:
    gold, predicted = [{"Weapon": [["bomb", "bombs"]]}, {"Weapon": []}], [{"Weapon": [["a bomb"]]}, {"Weapon": [["gun"]]}]
    found = modules.CeafRee(keep_in_memory=True).compute(predictions=predicted, references=gold)
    assert (found["ceaf_ree_precision"], found["ceaf_ree_recall"]) == (50, 100)


def test_evaluate_loads_the_file(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    import evaluate

    monkeypatch.setattr(evaluate.config, "HF_MODULES_CACHE", str(tmp_path))
    metric = evaluate.load(modules.__file__, keep_in_memory=True)
    assert metric.compute(predictions=PREDICTED, references=GOLD) == pytest.approx(scores(GOLD, PREDICTED))
