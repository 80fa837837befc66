"""The command that converts, and how formats are found."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from conflict_nlp.document import Document, Link, Span
from conflict_nlp.formats import FormatError
from conflict_nlp.formats.convert import convert, convert_file
from conflict_nlp.formats.jsonl import read_all, write_documents
from conflict_nlp.formats.labelstudio import task
from conflict_nlp.formats.registry import get, guess_input, guess_output
from conflict_nlp.formats.schema_file import read_schema
from conflict_nlp.schema import CONFLICT, Label, Schema

TEXT = "Gunmen fired 💥 at Baidoa. Two died."
DOCUMENT = Document(
    TEXT,
    (Span("T1", "ATTACK", 7, 12, "fired", {"status": "actual", "incident": "i1"}), Span("T2", "ATTACKER", 0, 6, "Gunmen")),
    (Link("T1", "T2"),),
    "r1",
    {"source": "wire"},
)


def run(*arguments: str | Path) -> Result:
    app = typer.Typer()
    app.command()(convert)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def native(tmp_path: Path) -> Path:
    write_documents(tmp_path / "in.jsonl", [DOCUMENT])
    return tmp_path / "in.jsonl"


@pytest.mark.parametrize("name", ["x.json", "x.doccano.jsonl", "x.prodigy.jsonl", "x.jsonl.gz"])
def test_there_and_back_by_names_alone(name: str, native: Path, tmp_path: Path) -> None:
    assert run(native, tmp_path / name).exit_code == 0
    result = run(tmp_path / name, tmp_path / "back.jsonl")
    assert result.exit_code == 0, result.output
    assert read_all([tmp_path / "back.jsonl"]) == [DOCUMENT]


def test_losses_are_told_one_line_a_kind(native: Path, tmp_path: Path) -> None:
    result = run(native, tmp_path / "x.conll")
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        "conll cannot carry the order of spans (they are put in the order of the text) (in 1 of 1 documents)",
        "conll cannot carry links (in 1 of 1 documents)",
        "conll cannot carry attributes (in 1 of 1 documents)",
        "conll cannot carry the field 'source' of documents (in 1 of 1 documents)",
    ]


def test_strict_refuses_losses_and_writes_nothing(native: Path, tmp_path: Path) -> None:
    result = run(native, tmp_path / "x.conll", "--strict")
    assert result.exit_code == 2
    assert "conll cannot carry links" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl"]
    assert run(native, tmp_path / "x.json", "--strict").exit_code == 0


def test_what_is_left_out_of_the_source_is_told(tmp_path: Path) -> None:
    both = {**task(DOCUMENT, CONFLICT), "annotations": [{"result": [], "was_cancelled": True}, *task(DOCUMENT, CONFLICT)["annotations"]]}
    (tmp_path / "x.json").write_text(json.dumps([both, both]))
    result = run(tmp_path / "x.json", tmp_path / "x.jsonl")
    assert result.stderr.splitlines() == ["left out of label-studio: skipped annotations (2 times)"]
    assert run(tmp_path / "x.json", tmp_path / "y.jsonl", "--strict").exit_code == 2


def test_every_problem_of_the_source_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"text": 1, "spans": [], "links": []}\n{"text": "a", "spans": [], "links": []}\n[]\n')
    (tmp_path / "out.json").write_text("old")
    result = run(tmp_path / "x.jsonl", tmp_path / "out.json")
    assert result.exit_code == 2
    assert [line.partition("x.jsonl:")[2][:2] for line in result.stderr.splitlines()] == ["1:", "3:"]
    assert (tmp_path / "out.json").read_text() == "old"


def test_formats_are_named_where_names_do_not_tell(native: Path, tmp_path: Path) -> None:
    assert "say --to and one of brat" in run(native, tmp_path / "x.txt").stderr
    assert "there is no format 'x'" in run(native, tmp_path / "x.txt", "--to", "x").stderr
    assert run(native, tmp_path / "x.txt", "--to", "lines").exit_code == 0
    assert "say --from" in run(tmp_path / "x.txt", tmp_path / "y.jsonl").stderr
    assert run(tmp_path / "x.txt", tmp_path / "y.jsonl", "--from", "lines").exit_code == 0
    assert [d.text for d in read_all([tmp_path / "y.jsonl"])] == [TEXT]


def test_names(tmp_path: Path) -> None:
    names = {"a.JSON": "label-studio", "a.jsonl": "jsonl", "a.doccano.jsonl": "doccano", "a.xmi": "uima", "a.brat": "brat", "a.lines.txt": "lines"}
    assert {name: guess_output(tmp_path / name).name for name in names} == names
    (tmp_path / "folder").mkdir()
    with pytest.raises(FormatError, match=r"a folder without \.ann"):
        guess_input(tmp_path / "folder")


def test_an_own_schema_and_its_labelling_configuration(tmp_path: Path) -> None:
    schema = Schema("protest", (Label("PROTEST", ("PLACE",)), Label("PLACE")))
    (tmp_path / "schema.json").write_text(json.dumps(schema.to_dict()))
    (tmp_path / "schema.yaml").write_text("name: protest\nlabels:\n- name: PROTEST\n  arguments: [PLACE]\n- name: PLACE\n")
    assert read_schema(tmp_path / "schema.json") == read_schema(tmp_path / "schema.yaml") == schema
    write_documents(tmp_path / "x.jsonl", [Document("They marched", (Span("T1", "PROTEST", 5, 12, "marched"),))])
    result = run(tmp_path / "x.jsonl", tmp_path / "x.json", "--schema", tmp_path / "schema.yaml", "--labelling-config", tmp_path / "c.xml")
    assert result.exit_code == 0, result.output
    assert '<Label value="PROTEST"' in (tmp_path / "c.xml").read_text()
    assert "no label 'PROTEST'" in run(tmp_path / "x.jsonl", tmp_path / "x.json").stderr


def test_a_configuration_without_a_schema_means_the_librarys(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text("encoder: some/encoder\ntraining: {epochs: 3}\n")
    assert read_schema(tmp_path / "small.yaml") == CONFLICT
    (tmp_path / "other.yaml").write_text("labels: []\n")
    with pytest.raises(FormatError, match="not a schema"):
        read_schema(tmp_path / "other.yaml")


@pytest.mark.parametrize("content", ["[1]", "a: [", "name: x", "name: x\nlabels: []", "name: x\nversion: 99\nlabels: [{name: A}]", "\x00"])
def test_schemas_that_are_none(content: str, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(content)
    with pytest.raises(FormatError, match=r"s\.yaml: "):
        read_schema(tmp_path / "s.yaml")


def test_a_large_export_is_converted_in_little_memory(tmp_path: Path) -> None:
    one = json.dumps(task(DOCUMENT, CONFLICT) | {"padding": "x" * 4_000})
    with (tmp_path / "big.json").open("w") as file:
        file.write("[" + ",".join([one] * 5_000) + "]")
    tracemalloc.start()
    try:
        conversion = convert_file(tmp_path / "big.json", tmp_path / "big.jsonl", get("label-studio"), get("jsonl"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert conversion.documents == 5_000
    assert (tmp_path / "big.json").stat().st_size > 20e6
    assert peak < 5e6
