"""A schema of one's own, end to end: configs/protest.yaml with the passages of tests/data/protest."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import conftest
import pytest
import torch
import yaml
from examples import LengthBatches, examples, loader
from settings import read_settings
from thresholds import tune
from typer.testing import CliRunner, Result

from conflict_nlp import load
from conflict_nlp.checks import document_warnings
from conflict_nlp.cli import app
from conflict_nlp.document import Document, Span
from conflict_nlp.encoding import Windower
from conflict_nlp.evaluation.agreement import agreement
from conflict_nlp.evaluation.summary import scores
from conflict_nlp.extractor import Extractor
from conflict_nlp.flat import FlatTable
from conflict_nlp.formats.base import read_only
from conflict_nlp.formats.convert import convert_file
from conflict_nlp.formats.files import FormatError
from conflict_nlp.formats.jsonl import read_all, write_documents
from conflict_nlp.formats.registry import all_formats, get
from conflict_nlp.formats.schema_file import read_schema
from conflict_nlp.modeling import ConflictModel
from conflict_nlp.pretty import render
from conflict_nlp.schema import CONFLICT, Attribute, Label, Schema

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "configs" / "protest.yaml"
DATA = ROOT / "tests" / "data" / "protest"
SCHEMA = read_schema(CONFIG)
TRAIN, DEV = read_all([DATA / "train.jsonl"], SCHEMA), read_all([DATA / "dev.jsonl"], SCHEMA)
SIZES = {"span_size": 32, "pair_size": 16, "head_dropout": 0.0}
NAMES = {"conll": "x.conll", "datasets": "x.parquet", "spacy": "x.spacy", "uima": "x.zip", "label-studio": "x.json", "lines": "x.lines"}


def run(*arguments: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained encoder that knows the words of the passages."""
    from transformers import BertConfig, BertModel

    words = {word.strip(".,:;()\"'").lower() for document in TRAIN for word in document.text.split()}
    with patch.object(conftest, "WORDS", sorted({*conftest.WORDS, *words} - {""})):
        tokenizer = conftest.make_tokenizer()
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "max_position_embeddings": 160}
    folder = tmp_path_factory.mktemp("protest-encoder")
    BertModel(BertConfig(vocab_size=len(tokenizer), **sizes)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def labelled(extractor: Extractor, documents: Sequence[Document]) -> list[Document]:
    return [replace(found, id=d.id) for found, d in zip(extractor.pipe(d.text for d in documents), documents, strict=True)]


@pytest.fixture(scope="module")
def untrained(encoder: Path) -> Extractor:
    from transformers import PreTrainedTokenizerFast

    torch.manual_seed(0)
    model = ConflictModel.from_encoder(str(encoder), SCHEMA, **SIZES)
    return Extractor(model.eval(), PreTrainedTokenizerFast.from_pretrained(encoder))


@pytest.fixture(scope="module")
def model_folder(untrained: Extractor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that has learnt the passages by heart."""
    model, tokenizer = ConflictModel(untrained.model.config), untrained.tokenizer
    model.load_state_dict(untrained.model.state_dict())
    data = examples(TRAIN, Windower(tokenizer, model.config.window, model.config.overlap), SCHEMA)
    batches = LengthBatches([len(e.window.input_ids) for e in data], 8, seed=1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    model.train()
    for batches.epoch in range(45):
        for batch in loader(data, batches, tokenizer.pad_token_id):
            model(**batch).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
    folder = tmp_path_factory.mktemp("protest-model")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def nlp(model_folder: Path) -> Extractor:
    return load(model_folder, device="cpu")


def test_the_passages_are_sound_and_show_every_label_and_value() -> None:
    result = run("check", "--strict", "--schema", CONFIG, DATA / "train.jsonl", DATA / "dev.jsonl")
    assert result.exit_code == 0, result.output
    documents = [*TRAIN, *DEV]
    assert (len(TRAIN), len(DEV)) == (32, 8)
    assert len({d.text for d in documents}) == 40
    assert all(40 <= len(d.text.split()) <= 120 for d in documents)
    assert sum(not d.spans for d in documents) == 2
    counts = Counter(span.label for d in documents for span in d.spans)
    assert min(counts[name] for name in SCHEMA.names) >= 15
    values = {(s.label, a.name, s.attributes[a.name]) for d in TRAIN for s in d.spans for a in SCHEMA[s.label].attributes if a.kind == "choice"}
    assert values == {(label.name, a.name, v) for label in SCHEMA.labels for a in label.attributes for v in a.values}
    table = (DATA / "README.md").read_text(encoding="utf-8")
    assert all(f"| {name} | {sum(s.label == name for d in TRAIN for s in d.spans)} |" in table for name in SCHEMA.names)


def test_the_training_command_follows_the_schema(encoder: Path, tmp_path: Path) -> None:
    settings = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    settings["model"] = SIZES
    settings["training"] |= {"epochs": 2, "batch_size": 8, "precision": "no"}
    (tmp_path / "protest.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    files = ["--train", DATA / "train.jsonl", "--dev", DATA / "dev.jsonl", "--output", tmp_path / "run", "--encoder", encoder]
    command = [sys.executable, ROOT / "training" / "train.py", tmp_path / "protest.yaml", *files]
    result = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False, env={**os.environ, "ACCELERATE_USE_CPU": "true"})
    assert result.returncode == 0, result.stderr
    assert load(tmp_path / "run", device="cpu").schema == SCHEMA == read_settings(CONFIG).schema
    assert read_schema(tmp_path / "run" / "config.json") == SCHEMA
    found = json.loads((tmp_path / "run" / "scores.json").read_text())
    assert {"span_exact_f1_DEMAND", "link_overlap_f1_PROTEST-ORGANISER", "PROTEST_kind_accuracy", "POLICE_RESPONSE_kind_accuracy"} <= set(found)
    assert not {name for name in found if "ATTACK" in name or "CASUALTY" in name or "killed" in name}


def test_a_model_learns_the_passages(untrained: Extractor, nlp: Extractor) -> None:
    before, after = (scores(TRAIN, labelled(e, TRAIN), SCHEMA) for e in (untrained, nlp))
    for key in ("span_exact_f1", "link_overlap_f1", "incident_bcubed_f1", "PROTEST_kind_accuracy", "count_accuracy"):
        assert after[key] > before[key] + 40, key


def test_what_is_extracted_is_of_the_schema(model_folder: Path, tmp_path: Path) -> None:
    write_documents(tmp_path / "x.jsonl", TRAIN[:8])
    result = run("extract", tmp_path / "x.jsonl", "--model", model_folder, "--device", "cpu", "--format", "jsonl")
    found = [Document.from_dict(json.loads(line), SCHEMA) for line in result.stdout.splitlines()]
    assert [d.id for d in found] == [d.id for d in TRAIN[:8]]
    assert found[0].meta == {"register": "wire", "country": "Chile"}
    protests = [anchor for d in found for anchor in d.anchors("PROTEST")]
    assert {s.label for anchor in protests for s in anchor.linked} > {"PARTICIPANTS", "DEMAND", "LOCATION"}
    assert all(set(a.span.attributes) == {"status", "kind", "incident"} for a in protests)
    assert {str(s.count) for d in found for s in d.labelled("PARTICIPANTS")} > {"~4000"}


def test_the_output_for_a_person_and_for_a_spreadsheet(model_folder: Path, tmp_path: Path) -> None:
    write_documents(tmp_path / "x.jsonl", TRAIN[:3])
    pretty = run("extract", tmp_path / "x.jsonl", "--model", model_folder, "--device", "cpu").stdout
    assert "marched[PROTEST]" in pretty
    assert "police_response" in pretty
    assert "killed" not in pretty
    rows = list(csv.DictReader(io.StringIO(run("extract", tmp_path / "x.jsonl", "--model", model_folder, "--device", "cpu", "--format", "csv").stdout)))
    assert {row["label"] for row in rows} == {"PROTEST"}
    marched = next(row for row in rows if row["text"] == "marched")
    assert marched["PARTICIPANTS"] == "About 4,000 teachers"
    assert marched["PARTICIPANTS.count"] == "~4000"
    assert (marched["status"], marched["kind"]) == ("held", "march")
    assert "POLICE_RESPONSE.kind" in marched


@pytest.mark.parametrize("name", [f.name for f in all_formats().values() if f.write is not read_only])
def test_every_format_carries_the_passages(name: str, tmp_path: Path) -> None:
    target = tmp_path / NAMES.get(name, "x")
    form = get(name)
    try:
        conversion = convert_file(DATA / "train.jsonl", target, get("jsonl"), form, SCHEMA)
    except FormatError as error:
        if "this needs spaCy" in str(error):
            pytest.skip("spaCy is not installed")
        raise
    back = [record.document(SCHEMA) for record in form.read(target, SCHEMA)]
    if name == "conll":
        assert set(conversion.lost) == {"links", "attributes", "the field 'register' of documents", "the field 'country' of documents"}
        assert [[(s.label, s.text) for s in d.spans] for d in back] == [[(s.label, s.text) for s in d.spans] for d in TRAIN]
        return
    assert all(kind.startswith("the field ") for kind in conversion.lost)
    expected = [replace(d, meta={}) for d in TRAIN] if conversion.lost else TRAIN
    assert sorted(back, key=lambda d: str(d.id)) == expected


def test_the_report_and_the_error_page_have_the_labels(model_folder: Path, tmp_path: Path) -> None:
    files = ["--json", tmp_path / "report.json", "--errors", tmp_path / "errors.html", "--slice", "register", "--resamples", "20"]
    result = run("evaluate", DATA / "dev.jsonl", "--model", model_folder, *files)
    assert result.exit_code == 0, result.output
    assert all(name in result.stdout for name in (*SCHEMA.names, "PROTEST kind", "schema protest", "register: union", "incident B-cubed"))
    assert "ATTACK" not in result.stdout
    assert json.loads((tmp_path / "report.json").read_text())["schema"] == "protest"
    page = (tmp_path / "errors.html").read_text(encoding="utf-8")
    assert all(f"<option>{name}</option>" in page for name in SCHEMA.names)
    assert "<sub>PROTEST</sub>" in page


def test_a_model_of_another_schema_is_refused_in_one_line(model_folder: Path) -> None:
    result = run("evaluate", ROOT / "training" / "corpus" / "dev.jsonl", "--model", model_folder)
    assert result.exit_code == 2
    assert "the schema has no label" in result.stderr


EVENTS = Schema("events", (Label("MEETING", ("PLACE",), (Attribute("event", "cluster"),)), Label("PLACE"), Label("MOOD", (), (Attribute("count", "count"),))))
SPANS = (Span("T1", "MEETING", 5, 8, "met", {"event": "e1"}), Span("T2", "MOOD", 24, 28, "glad", {"count": "?"}))
MET = Document("They met in Bern twice, glad", SPANS, (), "m")


def test_labels_that_no_anchor_takes_are_records_of_their_own() -> None:
    from rich.console import Console

    assert (EVENTS.heads, CONFLICT.heads, SCHEMA.heads) == (("MEETING", "MOOD"), ("ATTACK", "CLAIM"), ("PROTEST",))
    assert list(document_warnings(MET, EVENTS)) == []
    assert [row[2:4] for row in FlatTable.of(EVENTS, EVENTS.heads).rows(MET)] == [["MEETING", "met"], ["MOOD", "glad"]]
    console = Console(file=io.StringIO(), width=100)
    only = Schema("spans", (Label("MOOD"),))
    console.print(render(replace(MET, spans=(Span("T2", "MOOD", 24, 28, "glad"),)), only))
    assert "nothing found" not in console.file.getvalue()  # type: ignore[attr-defined]


def test_clusters_have_the_name_that_the_schema_gives(untrained: Extractor, tmp_path: Path) -> None:
    write_documents(tmp_path / "x.jsonl", [MET])
    convert_file(tmp_path / "x.jsonl", tmp_path / "x.lines", get("jsonl"), get("lines"), EVENTS)
    assert [r.document(EVENTS).spans for r in get("lines").read(tmp_path / "x.lines", EVENTS)] == [MET.spans]
    for schema in (EVENTS, Schema("spans", (Label("MEETING"), Label("MOOD", (), (Attribute("count", "count"),))))):
        config = untrained.model.config.to_dict() | {"schema": schema.to_dict()}
        extractor = Extractor(ConflictModel(type(untrained.model.config).from_dict(config)).eval(), untrained.tokenizer)
        gold = [replace(MET, spans=tuple(replace(s, attributes={}) for s in MET.spans))]
        assert set(tune(extractor, gold, list(extractor.read([MET.text]))).spans) == set(schema.names)


def test_attributes_of_one_name_are_scored_apart() -> None:
    changed = [
        replace(d, spans=tuple(replace(s, attributes={**s.attributes, "kind": "arrest"}) if s.label == "POLICE_RESPONSE" else s for s in d.spans)) for d in DEV
    ]
    result = scores(DEV, changed, SCHEMA)
    assert result["PROTEST_kind_accuracy"] == 100
    assert result["POLICE_RESPONSE_kind_accuracy"] == 0
    kappas = agreement(DEV, changed, SCHEMA)
    assert (kappas["PROTEST_kind_kappa"], kappas["POLICE_RESPONSE_kind_kappa"]) == (100, 0)
