"""The plain token classifier: its labels, its training, and its place in a card."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import baseline
import model_card
import pytest
import typer
import yaml
from card_description import CardError
from conftest import REPORT
from token_classifier import UNTAGGED, Windows, flat, predict, rows, tags_of
from transformers import PreTrainedTokenizerFast
from typer.testing import CliRunner, Result

from conflict_nlp.document import Document, Span
from conflict_nlp.evaluation.summary import scores
from conflict_nlp.formats.jsonl import write_documents
from conflict_nlp.schema import CONFLICT

CARDS = Path(__file__).parents[1] / "model_cards"
WINDOWS = Windows(64, 16)
TAGS = tags_of(CONFLICT)
CONFIG = {"encoder": "some/encoder", "model": {"window": 64, "overlap": 16}, "training": {"epochs": 30, "batch_size": 4, "encoder_lr": 5e-3, "precision": "no"}}


def spans(*marked: tuple[str, str]) -> tuple[Span, ...]:
    return tuple(Span(f"T{n}", label, start := REPORT.index(words), start + len(words), words) for n, (label, words) in enumerate(marked, 1))


MARKED = spans(("ATTACKER", "Gunmen"), ("ATTACK", "ambushed"), ("TARGET", "a convoy"), ("LOCATION", "Baidoa"), ("TIME", "Saturday"))


def run(folder: Path, encoder: Path, *options: str) -> Result:
    app = typer.Typer()
    app.command()(baseline.main)
    data = folder / "train.jsonl"
    places = [f"--train={data}", f"--gold=seen={data}", f"--output={folder / 'run'}", f"--results={folder / 'baseline.json'}"]
    return CliRunner().invoke(app, [str(folder / "config.yaml"), *places, f"--encoder={encoder}", "--resamples=20", *options])


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    return [Document(REPORT, MARKED, (), f"d{n}") for n in range(8)] + [Document("", id="empty")]


@pytest.fixture(scope="module")
def folder(documents: list[Document], encoder_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("baseline")
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    write_documents(folder / "train.jsonl", documents)
    result = run(folder, encoder_folder)
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="module")
def results(folder: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((folder / "baseline.json").read_text(encoding="utf-8"))
    return data


def test_of_overlapping_spans_the_first_and_longest_wins() -> None:
    nested = spans(("TARGET", "convoy"), ("TARGET", "a convoy near Baidoa"), ("LOCATION", "Baidoa"), ("CASUALTY", "a convoy"), ("TIME", "Saturday"))
    assert [(s.label, s.text) for s in flat(nested)] == [("TARGET", "a convoy near Baidoa"), ("TIME", "Saturday")]


def test_the_first_token_of_a_word_has_its_tag_in_every_window(tokenizer: PreTrainedTokenizerFast) -> None:
    text = "xyzzy " * 40 + REPORT
    shifted = tuple(replace(s, start=s.start + 240, end=s.end + 240) for s in MARKED)
    found = list(rows(Document(text, shifted), tokenizer, TAGS, WINDOWS))
    assert len(found) > 2
    assert all(len(row["input_ids"]) <= 64 for row in found)
    tokens = [list(zip(tokenizer.convert_ids_to_tokens(row["input_ids"]), row["labels"], strict=True)) for row in found]
    named = {(token, TAGS[tag]) for row in tokens for token, tag in row if tag > 0}
    assert {("gunmen", "B-ATTACKER"), ("a", "B-TARGET"), ("convoy", "I-TARGET"), ("baidoa", "B-LOCATION")} <= named
    inner = {tag for row in tokens for token, tag in row[2:] if token.startswith("##") or token == "[SEP]"}  # a window may begin inside a word
    assert inner == {UNTAGGED}


def test_it_learns_and_its_figures_are_those_of_the_library(folder: Path, documents: list[Document], results: dict[str, Any]) -> None:
    predicted = predict(folder / "run", documents, WINDOWS)
    assert [d.id for d in predicted] == [d.id for d in documents]
    assert all(d.text[s.start : s.end] == s.text for d in predicted for s in d.spans)
    expected = scores(documents, predicted)
    assert expected["span_exact_f1"] > 60
    assert results["gold"][0]["scores"] == pytest.approx(expected, abs=1e-4)
    assert results["training"]["documents"] == 9
    assert not any(str(place) in json.dumps(results) for place in (folder, folder.parent))


def test_a_run_is_not_gone_on_with_other_settings(folder: Path, encoder_folder: Path) -> None:
    result = run(folder, encoder_folder, "--epochs=2")
    assert result.exit_code == 2
    assert "holds a run with other settings or data" in result.output


def test_a_run_that_is_done_goes_on_without_training(folder: Path, encoder_folder: Path, results: dict[str, Any]) -> None:
    result = run(folder, encoder_folder)
    assert result.exit_code == 0, result.output
    again = json.loads((folder / "baseline.json").read_text(encoding="utf-8"))
    assert again["gold"] == results["gold"]
    assert again["training"]["seconds"] is None


def test_an_encoder_that_is_not_there_is_one_line(folder: Path, tmp_path: Path) -> None:
    result = run(folder, tmp_path / "none", f"--output={tmp_path / 'run'}")
    assert result.exit_code == 2
    assert result.output.startswith("error: ")
    assert result.output.strip().count("\n") == 0


def test_the_card_shows_both_where_the_gold_is_the_same(results: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    for name in ("small.yaml", "results/small.json"):
        shutil.copy(CARDS / name, tmp_path / name)
    small = json.loads((tmp_path / "results" / "small.json").read_text(encoding="utf-8"))
    without = model_card.card_of(tmp_path, "small").text
    gold = {**results["gold"][0], "name": "gold-unseen", "sha256": small["gold"][0]["sha256"]}
    (tmp_path / "results" / "baseline.json").write_text(json.dumps({**results, "gold": [gold]}), encoding="utf-8")
    text = model_card.card_of(tmp_path, "small").text
    assert "plain token classifier" not in without
    row = next(line for line in text.splitlines() if line.startswith("| span exact F1 |") and line not in without)
    assert [cell.split(" ")[1] for cell in row.split("|")[2:4]] == [f"{g['scores']['span_exact_f1']:.1f}" for g in (small["gold"][0], gold)]
    assert "gold-unseen: token classifier" in text
    assert "corpus-test: token classifier" not in text
    (tmp_path / "results" / "baseline.json").write_text(json.dumps({**results, "gold": [{**gold, "sha256": "other"}]}), encoding="utf-8")
    with pytest.raises(CardError, match=r"another file as gold-unseen: run training/baseline\.py"):
        model_card.card_of(tmp_path, "small")
