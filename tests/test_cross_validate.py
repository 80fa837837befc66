"""Cross-validation: no group on two sides, figures that are those of the library, and runs that go on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import cross_validate
import model_card
import pytest
import typer
import yaml
from conftest import REPORT
from cross_validate import Plan, deal
from huggingface_hub import ModelCard
from split import SplitError
from typer.testing import CliRunner, Result

from conflict_nlp.document import Document, Span
from conflict_nlp.evaluation.summary import scores
from conflict_nlp.formats.jsonl import read_all, write_documents
from conflict_nlp.schema import CONFLICT, Schema

CARDS = Path(__file__).parents[1] / "model_cards"
WORDS = ["Gunmen", "Soldiers", "The brigades", "A convoy", "Three soldiers", "Al-Noor Brigades"]
SMALL = {
    "encoder": "some/encoder",
    "model": {"span_size": 32, "pair_size": 16},
    "training": {"epochs": 1, "batch_size": 4, "head_lr": 5e-3, "ema": 0.5, "precision": "no"},
}


def document(group: int, passage: int, label: str = "ATTACKER") -> Document:
    words = WORDS[(group + passage) % len(WORDS)]
    text = REPORT.replace("Gunmen", words)
    spans = (Span("T1", label, 0, len(words), words),)
    return Document(text, spans, (), f"d-{group}-{passage}", {"source": "wire"})


DOCUMENTS = [document(group, passage) for group in range(7) for passage in range(2)]


def run(folder: Path, encoder: Path, config: str = "tiny.yaml", *options: str) -> Result:
    app = typer.Typer()
    app.command()(cross_validate.main)
    fixed = ["--folds=2", f"--output={folder / 'runs'}", f"--encoder={encoder}", f"--results={folder / 'results' / 'tiny_cv.json'}", "--resamples=20"]
    return CliRunner().invoke(app, [str(folder / config), str(folder / "data.jsonl"), *fixed, *options])


@pytest.fixture(scope="module")
def folder(encoder_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crossed")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(SMALL))
    write_documents(folder / "data.jsonl", DOCUMENTS)
    result = run(folder, encoder_folder)
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="module")
def results(folder: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((folder / "results" / "tiny_cv.json").read_text(encoding="utf-8"))
    return data


def test_no_group_is_on_two_sides_and_every_document_is_scored_once() -> None:
    folds = deal(DOCUMENTS, Plan(folds=3, tuning=0.3))
    assert sorted(d.id or "" for fold in folds for d in fold.scored) == sorted(d.id or "" for d in DOCUMENTS)
    for fold in folds:
        sides = [{(d.id or "")[:3] for d in side} for side in (fold.training, fold.tuning, fold.scored)]
        assert all(sides)
        assert not sides[0] & sides[1]
        assert not (sides[0] | sides[1]) & sides[2]
        assert sum(map(len, (fold.training, fold.tuning, fold.scored))) == len(DOCUMENTS)


def test_documents_without_an_id_are_dealt_by_a_field() -> None:
    documents = [replace(d, id=None, meta={"report": str(n // 2)}) for n, d in enumerate(DOCUMENTS)]
    for fold in deal(documents, Plan(folds=3, tuning=0.3, group_field="report")):
        assert sum(map(len, (fold.training, fold.tuning, fold.scored))) == len(DOCUMENTS)
        assert not {d.meta["report"] for d in (*fold.training, *fold.tuning)} & {d.meta["report"] for d in fold.scored}


def test_documents_of_one_id_are_refused() -> None:
    with pytest.raises(SplitError, match="the id d-0-0 is used twice"):
        deal([*DOCUMENTS, DOCUMENTS[0]], Plan())


def test_figures_are_those_of_the_predictions(folder: Path, results: dict[str, Any]) -> None:
    gold = {d.id: d for d in DOCUMENTS}
    predictions = [read_all([folder / "runs" / f"fold-{n}" / "predicted.jsonl"]) for n in (1, 2)]
    for fold, predicted in zip(results["folds"]["each"], predictions, strict=True):
        expected = scores([gold[d.id] for d in predicted], predicted)
        assert fold["scores"]["span_overlap_f1"] == pytest.approx(expected["span_overlap_f1"], abs=1e-4)
        assert fold["documents"] == len(predicted)
    together = [d for some in predictions for d in some]
    expected = scores([gold[d.id] for d in together], together)
    assert results["gold"][0]["scores"]["span_exact_f1"] == pytest.approx(expected["span_exact_f1"], abs=1e-4)
    values = [fold["scores"]["span_overlap_f1_ATTACKER"] for fold in results["folds"]["each"]]
    assert results["folds"]["mean"]["span_overlap_f1_ATTACKER"] == pytest.approx(mean(values), abs=1e-3)
    assert results["folds"]["deviation"]["span_overlap_f1_ATTACKER"] == pytest.approx(stdev(values), abs=1e-3)


def test_a_label_that_does_not_occur_has_no_figure(folder: Path, results: dict[str, Any]) -> None:
    predicted = read_all([folder / "runs" / f"fold-{n}" / "predicted.jsonl" for n in (1, 2)])
    occur = {"ATTACKER", *(s.label for d in predicted for s in d.spans)}
    assert {label["label"] for label in results["gold"][0]["labels"]} == occur
    assert {key.rpartition("_")[2] for key in results["folds"]["mean"] if key.startswith("span_exact_f1_")} == occur


def test_a_finished_fold_is_not_trained_again_and_a_missing_one_is(folder: Path, encoder_folder: Path, results: dict[str, Any]) -> None:
    first, second = (folder / "runs" / f"fold-{n}" for n in (1, 2))
    weights = (first / "model.safetensors").stat().st_mtime_ns
    (second / "done.json").unlink()
    result = run(folder, encoder_folder)
    assert result.exit_code == 0, result.output
    assert (first / "model.safetensors").stat().st_mtime_ns == weights
    assert (second / "done.json").is_file()
    assert "fold 1:" not in result.output
    again = json.loads((folder / "results" / "tiny_cv.json").read_text(encoding="utf-8"))
    assert again["folds"] == results["folds"]


def test_folds_of_other_data_are_refused(folder: Path, encoder_folder: Path) -> None:
    result = run(folder, encoder_folder, "tiny.yaml", "--seed=5")
    assert result.exit_code == 2
    assert "fold-1 holds a fold with other settings or data" in result.output


def test_mistakes_are_one_line(folder: Path, encoder_folder: Path, tmp_path: Path) -> None:
    for options, problem in ((["--group-pattern=("], "no regular expression"), (["--group-pattern=-.*"], "1 groups cannot fill 2 parts")):
        result = run(folder, encoder_folder, "tiny.yaml", *options, f"--output={tmp_path}")
        assert result.exit_code == 2
        assert problem in result.output
        assert result.output.strip().count("\n") == 0


def test_the_card_has_the_folds(folder: Path, results: dict[str, Any]) -> None:
    description = yaml.safe_load((CARDS / "cameo.yaml").read_text(encoding="utf-8"))
    description["gold"] = {"tiny": description["gold"]["cameo"]}
    (folder / "tiny.yaml").rename(folder / "tiny.config")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(description), encoding="utf-8")
    text = ModelCard(model_card.card_of(folder, "tiny").content).text
    (folder / "tiny.config").rename(folder / "tiny.yaml")
    assert "sha256 of the weights" not in text
    for fold in results["folds"]["each"]:
        cells = [fold["fold"], fold["training"], fold["tuning"], fold["documents"], fold["spans"], f"{fold['scores']['span_exact_f1']:.1f}"]
        assert f"| {' | '.join(map(str, cells))} |" in text
    assert f"| mean | | | | | {results['folds']['mean']['span_exact_f1']:.1f} |" in text
    assert "### Beside published figures" in text


def test_a_schema_without_links_and_attributes(encoder_folder: Path, tmp_path: Path) -> None:
    schema = Schema("actors", (CONFLICT["ATTACKER"], CONFLICT["TARGET"]))
    (tmp_path / "actors.yaml").write_text(yaml.safe_dump({**SMALL, "schema": json.loads(json.dumps(schema.to_dict()))}))
    write_documents(tmp_path / "data.jsonl", [document(group, 0, schema.names[group % 2]) for group in range(8)])
    result = run(tmp_path, encoder_folder, "actors.yaml")
    assert result.exit_code == 0, result.output
    data = json.loads((tmp_path / "results" / "tiny_cv.json").read_text(encoding="utf-8"))
    keys = [*data["gold"][0]["scores"], *data["gold"][0]["intervals"], *data["folds"]["mean"]]
    assert "span_exact_f1" in keys
    assert not [key for key in keys if key.startswith("link_")]
