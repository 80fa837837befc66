"""The cards say what was measured, of the weights that are in the package; and the scripts that measure and write them."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import evaluate_model
import model_card
import pytest
import typer
import yaml
from huggingface_hub import ModelCard
from typer.testing import CliRunner, Result

from conflict_nlp import load
from conflict_nlp.decoding import Thresholds
from conflict_nlp.document import Document
from conflict_nlp.evaluation.ceaf import ROLES, ceaf_ree
from conflict_nlp.evaluation.summary import scores
from conflict_nlp.extractor import Extractor
from conflict_nlp.formats.jsonl import write_documents
from conflict_nlp.loading import EMBEDDED

ROOT = Path(__file__).parents[1]
CARDS, WEIGHTS = ROOT / "model_cards", EMBEDDED.parent

MODELS = sorted(p.stem for p in CARDS.glob("*.yaml"))


def run(script: ModuleType, *arguments: str | Path) -> Result:
    app = typer.Typer()
    app.command()(script.main)
    return CliRunner().invoke(app, [str(a) for a in arguments])


def parts(card: ModelCard) -> tuple[dict[str, Any], str]:
    return card.data.to_dict(), card.text.strip()


def stored_and_rendered(folder: Path, name: str) -> tuple[tuple[dict[str, Any], str], tuple[dict[str, Any], str]]:
    return parts(ModelCard.load(folder / f"{name}.md")), parts(ModelCard(model_card.card_of(folder, name).content))


# what is in the repository


@pytest.mark.parametrize("name", MODELS)
def test_card_has_the_stored_figures(name: str) -> None:
    made = [CARDS / f"{name}.md", model_card.results_file(CARDS, name)]
    if not any(p.exists() for p in (*made, WEIGHTS / name / "model.safetensors")):
        pytest.skip(f"{name} is not trained yet")
    assert all(p.is_file() for p in made), f"{name} has weights, results and a card together: see training/evaluate_model.py and training/model_card.py"
    stored, rendered = stored_and_rendered(CARDS, name)
    assert stored == rendered, f"write the card anew: python training/model_card.py {name}"


@pytest.mark.parametrize("name", MODELS)
def test_results_are_of_the_embedded_weights(name: str) -> None:
    weights = WEIGHTS / name / "model.safetensors"
    if not weights.is_file():
        pytest.skip(f"{weights.relative_to(ROOT)} does not exist")
    results = model_card.read_results(CARDS / "results" / f"{name}.json")
    assert results["model"]["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest(), f"evaluate them anew: training/evaluate_model.py {weights.parent}"
    assert results["model"]["bytes"] == weights.stat().st_size
    assert results["model"]["name"] == name
    tuned = json.loads((weights.parent / "config.json").read_text(encoding="utf-8"))["thresholds"]
    assert results["model"]["thresholds"] == Thresholds(**tuned).to_dict(), f"evaluate them anew: training/evaluate_model.py {weights.parent}"


@pytest.mark.parametrize("card", sorted(CARDS.glob("*.md")), ids=lambda p: p.stem)
def test_card_is_finished(card: Path) -> None:
    assert model_card.UNFINISHED not in card.read_text(encoding="utf-8"), (
        f"fill in what {card.stem}.yaml marks {model_card.UNFINISHED}, and write the card anew"
    )


@pytest.mark.parametrize("name", MODELS)
def test_description_is_complete(name: str) -> None:
    description = model_card.read_description(CARDS / f"{name}.yaml")
    assert description.uses
    assert description.misuses
    assert description.failures
    assert sum(source.passages for source in description.data) > 0


# the scripts, with a tiny model


@pytest.fixture(scope="module")
def gold(tiny: Extractor) -> list[Document]:
    """What the tiny model finds under other thresholds: some of it is what the model finds by itself, some is not."""
    texts = [
        "Gunmen ambushed a convoy near Baidoa on Saturday, killing at least 12 soldiers and wounding three civilians.",
        "The ministry called the raid a violation of its sovereignty.",
        "Al-Noor Brigades fired rockets at Kismayo’s airport; nobody was hurt.",
        "Nobody was hurt.",
    ]
    return [replace(d, id=f"d{n}", meta={"source": ["wire", "a|b"][n % 2]}) for n, d in enumerate(tiny.pipe(texts))]


@pytest.fixture(scope="module")
def folder(gold: list[Document], model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of cards with the results of two gold sets and a description."""
    folder = tmp_path_factory.mktemp("cards")
    write_documents(folder / "first.jsonl", gold)
    write_documents(folder / "second.jsonl", [replace(d, meta={}) for d in gold[:2]])
    (folder / "log.csv").write_text("epoch,seconds,score\n1,100,2\n2,140,3\n", encoding="utf-8")
    files = (f"--gold=gold-unseen={folder / 'first.jsonl'}", f"--gold=gold-test={folder / 'second.jsonl'}", f"--log={folder / 'log.csv'}")
    result = run(evaluate_model, model_folder, *files, f"--output={folder / 'results' / 'small.json'}", "--resamples=50", "--device=cpu")
    assert result.exit_code == 0, result.output
    assert "gold-unseen" in result.output
    shutil.copy(CARDS / "small.yaml", folder)
    return folder


@pytest.fixture(scope="module")
def results(folder: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((folder / "results" / "small.json").read_text(encoding="utf-8"))
    return data


def test_results_are_the_scores_of_the_library(results: dict[str, Any], gold: list[Document], model_folder: Path) -> None:
    nlp = load(model_folder, device="cpu")
    expected = scores(gold, [replace(p, id=g.id) for p, g in zip(nlp.pipe(d.text for d in gold), gold, strict=True)])
    first, second = results["gold"]
    assert first["scores"] == pytest.approx(expected, abs=1e-4)
    assert 0 < expected["span_exact_f1"] < 100
    assert (first["name"], first["documents"], second["name"], second["documents"]) == ("gold-unseen", 4, "gold-test", 2)
    assert first["spans"] == sum(len(d.spans) for d in gold)
    for key, (low, high) in first["intervals"].items():
        assert low <= high, key
    assert {"span_exact_f1", "span_exact_macro_f1", "span_exact_f1_ATTACK", "record_f1", "status_accuracy", "killed_error"} <= set(first["intervals"])
    assert set(first["calibration"]) == {"spans", "links"}


def test_results_have_slices_where_the_gold_has_the_field(results: dict[str, Any]) -> None:
    first, second = ([(s["field"], s["value"], s["documents"]) for s in gold["slices"]] for gold in results["gold"])
    assert first == [("source", "a|b", 2), ("source", "wire", 2), ("length", "0 to 49 words", 4)]
    assert second == [("length", "0 to 49 words", 2)]


def test_label_figures_agree_with_the_scores(results: dict[str, Any]) -> None:
    for gold in results["gold"]:
        assert sum(label["gold"] for label in gold["labels"]) == gold["spans"]
        for label in gold["labels"]:
            precision, recall, f1 = label["exact"]
            assert f1 == gold["scores"][f"span_exact_f1_{label['label']}"]
            assert f1 * (precision + recall) == pytest.approx(2 * precision * recall, abs=0.1)
            assert label["overlap"][1] >= recall


def test_results_name_the_model_and_no_place_of_the_machine(results: dict[str, Any], folder: Path, model_folder: Path, tiny: Extractor) -> None:
    weights = model_folder / "model.safetensors"
    model = results["model"]
    assert (model["name"], model["sha256"], model["bytes"]) == ("small", hashlib.sha256(weights.read_bytes()).hexdigest(), weights.stat().st_size)
    assert model["parameters"] == sum(p.numel() for p in tiny.model.parameters())
    assert results["training"] == {"epochs": 2, "seconds": 240}
    assert {"python", "conflict-nlp", "torch", "transformers"} <= set(results["libraries"])
    text = (folder / "results" / "small.json").read_text(encoding="utf-8")
    assert not any(str(place) in text for place in (folder, folder.parent, model_folder, ROOT))
    assert [gold["file"] for gold in results["gold"]] == ["first.jsonl", "second.jsonl"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--gold=x={folder}/missing.jsonl"], "there is no file"),
        (["--gold=x={folder}/first.jsonl", "--gold=x={folder}/second.jsonl"], "named x"),
        (["--gold=a b={folder}/first.jsonl"], "'a b'"),
        (["--gold={folder}/results/small.json"], "small.json"),
        (["--gold={folder}/first.jsonl", "--slice=region"], "region"),
        (["--gold={folder}/first.jsonl", "--log={folder}/first.jsonl"], "no log"),
    ],
)
def test_evaluation_refuses_in_a_line(options: list[str], message: str, folder: Path, model_folder: Path, tmp_path: Path) -> None:
    given = [option.format(folder=folder) for option in options]
    result = run(evaluate_model, model_folder, *given, f"--output={tmp_path / 'results.json'}", "--device=cpu")
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
    assert not list(tmp_path.iterdir())


def test_evaluation_refuses_a_folder_without_a_model(folder: Path, tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "missing"):
        result = run(evaluate_model, place, f"--gold={folder / 'first.jsonl'}", f"--output={tmp_path / 'results.json'}")
        assert result.exit_code == 2
        assert str(place) in result.output


def test_card_is_written_with_valid_metadata(folder: Path, results: dict[str, Any]) -> None:
    result = run(model_card, "small", f"--folder={folder}")
    assert result.exit_code == 0, result.output
    card = ModelCard.load(folder / "small.md")
    assert card.data.base_model == "sentence-transformers/all-MiniLM-L6-v2"
    found = {(e.dataset_type, e.metric_name): e.metric_value for e in card.data.eval_results or []}
    for gold in results["gold"]:
        assert found[f"conflict-nlp/{gold['name']}", "span exact F1"] == round(gold["scores"]["span_exact_f1"], 2)
        assert f"{gold['scores']['link_overlap_f1']:.1f}" in card.text
    assert results["model"]["sha256"] in card.text
    assert "2 epochs in 4 minutes" in card.text
    assert "None" not in card.text
    for line in card.text.splitlines():  # a value of the data opens no column
        if line.startswith("| source a"):
            assert line.replace("\\|", "").count("|") == 8


def test_card_that_differs_is_found(folder: Path, tmp_path: Path, results: dict[str, Any]) -> None:
    assert run(model_card, "small", f"--folder={folder}").exit_code == 0
    copy = shutil.copytree(folder, tmp_path / "copy")
    stored, rendered = stored_and_rendered(copy, "small")
    assert stored == rendered
    card = (copy / "small.md").read_text(encoding="utf-8")
    figure = f"| span exact F1 | {results['gold'][0]['scores']['span_exact_f1']:.1f}"
    assert figure in card
    (copy / "small.md").write_text(card.replace(figure, "| span exact F1 | 99.9"), encoding="utf-8")
    stored, rendered = stored_and_rendered(copy, "small")
    assert stored != rendered
    (copy / "small.md").write_text(card, encoding="utf-8")
    results_file = copy / "results" / "small.json"
    changed = json.loads(results_file.read_text(encoding="utf-8"))
    changed["gold"][0]["scores"]["span_exact_f1"] += 1
    results_file.write_text(json.dumps(changed), encoding="utf-8")
    stored, rendered = stored_and_rendered(copy, "small")
    assert stored != rendered


def test_card_shows_role_fillers_where_they_were_scored(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    extracts = {role: [["a man", "he"]] if role == "Victim" else [] for role in ROLES}
    scores = ceaf_ree({"10001": extracts}, {"10001": {**extracts, "Weapon": [["bombs"]]}}).scores()
    file = copy / "results" / "small_ceaf.json"
    file.write_text(json.dumps(scores), encoding="utf-8")
    assert run(model_card, "small", f"--folder={copy}").exit_code == 0
    card = (copy / "small.md").read_text(encoding="utf-8")
    assert "| Victim | 100.0 | 100.0 | 100.0 |" in card
    assert "| Weapon | 0.0 | 0.0 | 0.0 |" in card
    assert "| all | 50.00 | 100.00 | 66.67 |" in card
    file.write_text("{}", encoding="utf-8")
    result = run(model_card, "small", f"--folder={copy}")
    assert result.exit_code == 2
    assert "conflict-nlp ceaf --json" in result.output


def test_slices_far_below_the_whole_are_named(results: dict[str, Any]) -> None:
    changed = json.loads(json.dumps(results))
    description = model_card.read_description(CARDS / "small.yaml")
    first = changed["gold"][0]
    for gold in changed["gold"]:
        for part in gold["slices"]:
            part["scores"] = {key: gold["scores"][key] for key in part["scores"]}
    assert "No slice has a score more than 15 points below" in model_card.render(changed, description).text
    first["scores"]["span_exact_f1"], first["scores"]["record_f1"] = 80.0, 70.0
    for part, value in zip(first["slices"], (64.9, 65.0, 80.0), strict=True):
        part["scores"]["span_exact_f1"] = value
        part["scores"]["record_f1"] = 70.0
    first["slices"][0]["intervals"]["span_exact_f1"] = [50.0, 70.0]
    text = model_card.render(changed, description).text
    assert "- gold-unseen, source a\\|b (2 passages): span exact F1 64.9 (50.0 to 70.0) against 80.0\n" in text
    assert text.count("against 80.0") == 1
    assert "against 70.0" not in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"uses": None}, "uses should be a list"),
        ({"colour": "red"}, "colour is no field"),
        ({"title": 3}, "title is 3"),
        ({"data": [{"name": "RAMS", "passages": "many", "terms": "CC0"}]}, 'data 1: passages is "many"'),
        ({"data": [{"name": "RAMS"}]}, "data 1: passages is missing, terms is missing"),
        ({"gold": {}}, "gold set gold-unseen, gold-test"),
    ],
)
def test_card_refuses_a_wrong_description(change: dict[str, Any], message: str, folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy", ignore=shutil.ignore_patterns("*.md"))
    data = yaml.safe_load((copy / "small.yaml").read_text(encoding="utf-8"))
    (copy / "small.yaml").write_text(yaml.safe_dump({**data, **change}), encoding="utf-8")
    result = run(model_card, "small", f"--folder={copy}")
    assert result.exit_code == 2
    assert message in result.output
    assert not (copy / "small.md").exists()


def test_card_without_results_is_refused(tmp_path: Path) -> None:
    shutil.copy(CARDS / "small.yaml", tmp_path)
    result = run(model_card, "small", f"--folder={tmp_path}")
    assert result.exit_code == 2
    assert "training/evaluate_model.py" in result.output


def test_training_time_is_read_from_the_log_beside_the_model(tmp_path: Path) -> None:
    assert evaluate_model.training_record(tmp_path, None) is None
    with (tmp_path / "log.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("epoch", "seconds"), (1, 30), (2, 31)])
    assert evaluate_model.training_record(tmp_path, None) == {"epochs": 2, "seconds": 61}
