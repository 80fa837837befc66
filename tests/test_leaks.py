"""Passages on both sides of a split are found, whatever their ids and case, and only those."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leaks import leaks, warn

from conflict_nlp.document import Document
from conflict_nlp.formats.jsonl import read_documents, write_documents

SCRIPT = Path(__file__).parents[1] / "training" / "leaks.py"
CONVOY = "Gunmen ambushed a convoy near Kidal on Friday, killing three soldiers and wounding nine others before they fled north."
MARKET = "A car bomb exploded at the central market in Baidoa early on Saturday, and the mayor said that twelve traders had died."
PROTEST = '{"id": "p1", "text": "Teachers marched.", "spans": [{"id": "T1", "label": "PROTEST", "start": 9, "end": 16, "text": "marched"}], "links": []}\n'
WORD = st.sampled_from([f"word{n}" for n in range(400)])


def documents(*texts):
    return [Document(text, (), (), id=f"d{number}") for number, text in enumerate(texts)]


def test_the_same_wording_is_found_under_another_id_case_and_frame():
    longer = f"The ministry gave no figures. {CONVOY.upper()} No group said it had done so."
    assert leaks(documents(MARKET, longer), documents("Nothing of note.", CONVOY)) == {1: 1}
    assert leaks(documents(CONVOY), documents(longer)) == {0: 0}


def test_a_common_phrase_is_no_leak():
    other = "Killing three soldiers and wounding two was not what the militia had set out to do, its spokesman told reporters in the capital a week later."
    assert leaks(documents(CONVOY), documents(other)) == {}


def test_texts_too_short_to_tell_are_none():
    assert leaks(documents("Two died.", ""), documents("Two died.", "")) == {}


@given(st.lists(st.lists(WORD, min_size=12, max_size=30, unique=True), min_size=1, max_size=6), st.data())
def test_a_document_that_is_on_the_other_side_is_always_found(texts, data):
    held_out = documents(*(" ".join(words) for words in texts))
    taken = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=4))
    assert set(leaks([held_out[number] for number in taken], held_out)) == set(range(len(taken)))


def test_a_warning_counts_and_names_one(capsys):
    warn(documents(MARKET, CONVOY), documents(CONVOY))
    told = capsys.readouterr().err
    assert "1 of 2 training documents" in told
    assert "d1 that of d0" in told
    warn(documents(MARKET), documents(CONVOY))
    assert capsys.readouterr().err == ""


def run(*arguments):
    return subprocess.run([sys.executable, SCRIPT, *map(str, arguments)], capture_output=True, text=True, check=False)


def test_the_script_writes_what_is_left(tmp_path):
    write_documents(tmp_path / "data.jsonl", documents(MARKET, CONVOY))
    write_documents(tmp_path / "other.jsonl", documents(CONVOY.lower()))
    result = run(tmp_path / "data.jsonl", "--against", tmp_path / "other.jsonl", "--output", tmp_path / "clean.jsonl")
    assert result.returncode == 0, result.stderr
    assert result.stdout == "1 of 2 documents\n"
    assert [document.text for document in read_documents(tmp_path / "clean.jsonl")] == [MARKET]


def test_passages_of_another_schema_are_read_by_it(tmp_path):
    (tmp_path / "data.jsonl").write_text(PROTEST)
    write_documents(tmp_path / "other.jsonl", documents(CONVOY))
    command = [tmp_path / "data.jsonl", "--against", tmp_path / "other.jsonl", "--output", tmp_path / "clean.jsonl"]
    assert run(*command).returncode == 2
    assert run(*command, "--schema", SCRIPT.parents[1] / "configs" / "protest.yaml").stdout == "1 of 1 documents\n"
    assert json.loads((tmp_path / "clean.jsonl").read_text())["spans"][0]["label"] == "PROTEST"


@pytest.mark.parametrize("missing", ["data.jsonl", "other.jsonl"])
def test_a_file_that_is_not_there_is_one_line(tmp_path, missing):
    for name in {"data.jsonl", "other.jsonl"} - {missing}:
        write_documents(tmp_path / name, documents(CONVOY))
    result = run(tmp_path / "data.jsonl", "--against", tmp_path / "other.jsonl", "--output", tmp_path / "clean.jsonl")
    assert result.returncode == 2
    assert missing in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "clean.jsonl").exists()
