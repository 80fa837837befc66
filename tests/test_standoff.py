"""Annotation apart from its texts, and together with them again."""

import json

import pytest
import standoff
from typer.testing import CliRunner

from conflict_nlp.formats.jsonl import read_all, write_documents

CORPUS = "training/corpus/dev.jsonl"


@pytest.fixture
def annotated(tmp_path, request):
    documents = read_all([request.config.rootpath / CORPUS])[:20]
    write_documents(tmp_path / "annotated.jsonl", documents)
    assert run("strip", tmp_path / "annotated.jsonl", tmp_path / "standoff.jsonl").exit_code == 0
    return documents


def run(*arguments):
    return CliRunner().invoke(standoff.app, [str(argument) for argument in arguments])


def test_what_is_stripped_holds_no_text_and_comes_back_whole(annotated, tmp_path):
    kept = (tmp_path / "standoff.jsonl").read_text()
    assert not any(span.text in kept for document in annotated for span in document.spans if len(span.text) > 12)
    texts = [{"id": document.id, "text": document.text} for document in reversed(annotated)] + [{"id": "another", "text": "Nothing."}]
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps(text) + "\n" for text in texts))
    result = run("join", tmp_path / "standoff.jsonl", tmp_path / "texts.jsonl", tmp_path / "out.jsonl")
    assert result.exit_code == 0, result.output
    back = read_all([tmp_path / "out.jsonl"])
    assert [(d.id, d.text, d.spans, d.links) for d in back] == [(d.id, d.text, d.spans, d.links) for d in annotated]


def test_missing_and_changed_texts_are_named_and_nothing_is_written(annotated, tmp_path):
    texts = [{"id": document.id, "text": document.text} for document in annotated[1:]]
    texts[3]["text"] += " More."
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps(text) + "\n" for text in texts))
    result = run("join", tmp_path / "standoff.jsonl", tmp_path / "texts.jsonl", tmp_path / "out.jsonl")
    assert result.exit_code == 2
    assert annotated[0].id in result.output
    assert texts[3]["id"] in result.output
    assert texts[4]["id"] not in result.output
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize("line", ["{", '{"id": "d1", "text": "An annotated document with its text."}'])
def test_a_line_that_is_no_annotation_is_named(annotated, tmp_path, line):
    (tmp_path / "standoff.jsonl").write_text((tmp_path / "standoff.jsonl").read_text() + line + "\n")
    result = run("join", tmp_path / "standoff.jsonl", tmp_path / "annotated.jsonl", tmp_path / "out.jsonl")
    assert result.exit_code == 2
    assert "standoff.jsonl" in result.output
    assert "21" in result.output
    assert not (tmp_path / "out.jsonl").exists()
