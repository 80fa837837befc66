import csv
import io
import json
import os
import subprocess
import sys

import pytest
from conftest import REPORT

from conflict_nlp.document import Document


def run(*arguments, stdin=None, **environment):
    command = [sys.executable, "-c", "from conflict_nlp.cli import main; main()", *map(str, arguments)]
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "COLUMNS": "120", **environment}
    return subprocess.run(command, input=stdin, capture_output=True, env=env, check=False)


@pytest.fixture(scope="module")
def labelled(model_folder, tmp_path_factory):
    """One call with every kind of input, for each format."""
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "a.txt").write_bytes(b"\xef\xbb\xbf" + REPORT.encode().replace(b" The", b"\r\nThe"))
    lines = [json.dumps({"id": "b1", "text": REPORT, "source": "wire"}), "", json.dumps({"text": "raid \ud800 \x1b[31m in Gao", "id": 7})]
    (folder / "b.jsonl").write_text("\n".join(lines) + "\n")
    inputs = [folder / "a.txt", folder / "b.jsonl"]
    return {name: run("extract", *inputs, "--model", model_folder, "--format", name) for name in ("pretty", "json", "jsonl", "csv")}


def test_jsonl_is_a_document_a_line_with_offsets_into_the_file(labelled):
    result = labelled["jsonl"]
    assert result.returncode == 0, result.stderr.decode()
    documents = [json.loads(line) for line in result.stdout.decode().splitlines()]
    assert [d["id"] for d in documents] == ["a", "b1", "7"]
    assert documents[0]["text"] == REPORT.replace(" The", "\r\nThe")
    assert documents[1]["source"] == "wire"
    assert documents[2]["text"] == "raid \ud800 \x1b[31m in Gao"
    assert any(d["spans"] for d in documents)
    for document in documents:
        Document.from_dict(document)
        for span in document["spans"]:
            assert span["text"] == document["text"][span["start"] : span["end"]]


def test_json_is_one_list(labelled):
    assert json.loads(labelled["json"].stdout) == [json.loads(line) for line in labelled["jsonl"].stdout.decode().splitlines()]


def test_csv_has_a_row_for_each_anchor(labelled):
    rows = list(csv.DictReader(io.StringIO(labelled["csv"].stdout.decode(), newline="")))
    documents = [json.loads(line) for line in labelled["jsonl"].stdout.decode().splitlines()]
    anchors = [(d["id"], s["id"]) for d in documents for label in ("ATTACK", "CLAIM") for s in d["spans"] if s["label"] == label]
    assert [(r["document"], r["id"]) for r in rows] == anchors
    assert {"text", "score", "status", "incident", "kind", "ATTACKER", "CASUALTY", "CASUALTY.count", "CLAIMANT"} <= set(rows[0])


def test_rows_of_reports_of_one_name_can_be_told_apart(model_folder, tmp_path):
    for year in ("2023", "2024"):
        (tmp_path / year).mkdir()
        (tmp_path / year / "report.txt").write_text(REPORT)
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": REPORT}))
    inputs = [tmp_path / "2023" / "report.txt", tmp_path / "2024" / "report.txt", tmp_path / "a.jsonl"]
    result = run("extract", *inputs, "--model", model_folder, "--format", "csv")
    rows = csv.DictReader(io.StringIO(result.stdout.decode(), newline=""))
    assert list(dict.fromkeys(row["document"] for row in rows)) == [str(inputs[0]), str(inputs[1]), "3"]


def test_pretty_shows_labels_and_lets_no_control_character_through(labelled):
    out = labelled["pretty"].stdout.decode()
    assert labelled["pretty"].returncode == 0
    assert "\x1b" not in out
    documents = [json.loads(line) for line in labelled["jsonl"].stdout.decode().splitlines()]
    assert all(f"[{s['label']}]" in out for d in documents for s in d["spans"])


def test_standard_input_is_one_report(model_folder, labelled):
    result = run("extract", "-", "--model", model_folder, "--format", "json", stdin=REPORT.encode())
    document = json.loads(result.stdout)
    second = json.loads(labelled["jsonl"].stdout.decode().splitlines()[1])
    assert document["spans"] == second["spans"]
    assert "id" not in document


def test_standard_input_may_be_json_lines(model_folder):
    lines = [json.dumps({"id": n, "text": REPORT, "source": "s"}) for n in "ab"]
    result = run("extract", "-", "--model", model_folder, "--format", "jsonl", stdin="\n\n".join(lines).encode())
    first, second = map(json.loads, result.stdout.decode().splitlines())
    assert (first["id"], second["id"], first["source"]) == ("a", "b", "s")
    assert first["spans"] == second["spans"] != []
    result = run("extract", "-", "--model", model_folder, stdin=f"{lines[0]}\n{{".encode())
    assert result.returncode == 2
    assert "standard input:2" in result.stderr.decode()


def test_an_empty_file_is_an_empty_document(model_folder, tmp_path):
    (tmp_path / "empty.txt").write_text("")
    result = run("extract", tmp_path / "empty.txt", "--model", model_folder, "--format", "json")
    assert json.loads(result.stdout) == {"id": "empty", "text": "", "spans": [], "links": []}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("none.txt", None, "no such file"),
        ("folder", "", "is a folder"),
        ("latin.txt", b"Attaque \xe0 Gao", "not UTF-8 at byte 9"),
        ("a.jsonl", b'{"text": "raid"}\n[1]\n', "a.jsonl:2"),
        ("b.jsonl", b'{"text": "raid"}\n{"id": "x"}\n', "b.jsonl:2: text is missing"),
        ("c.jsonl", b'{"text": 3}', "c.jsonl:1: text is not a string"),
        ("d.jsonl", b'{"text": "raid"}\n{"text": "ra', "d.jsonl:2: not JSON"),
        ("a.csv", b"id,text", "is no plain text"),
        ("e.jsonl", b'{"text": "\xff"}', "e.jsonl:1: not UTF-8"),
    ],
)
def test_a_bad_input_is_one_line_and_nothing_is_labelled(model_folder, tmp_path, name, content, words):
    path = tmp_path / name
    if name == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    (tmp_path / "good.txt").write_text(REPORT)
    result = run("extract", tmp_path / "good.txt", path, "--model", model_folder, "--format", "jsonl")
    assert result.returncode == 2
    assert result.stdout == b""
    (line,) = result.stderr.decode().splitlines()
    assert words in line
    assert str(path) in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["extract"], "give files"),
        (["extract", "--example", "x.txt"], "--example takes no files"),
        (["extract", "--example", "--model", "/none/such"], "there is no folder /none/such"),
        (["extract", "--example", "--device", "tpu"], "device 'tpu'"),
    ],
)
def test_a_bad_option_is_one_line(arguments, words):
    result = run(*arguments)
    assert result.returncode == 2
    (line,) = result.stderr.decode().splitlines()
    assert words in line


@pytest.mark.parametrize("arguments", [["extract", "--example", "--format", "xml"], ["extract", "--exampl"], ["extract", "--model"], ["nosuch"]])
def test_a_mistake_in_the_command_is_one_line(arguments):
    result = run(*arguments)
    assert result.returncode == 2
    (line,) = result.stderr.decode().splitlines()
    assert line.startswith("conflict-nlp: ")


def test_a_pipe_given_as_a_file_is_read_once(model_folder, labelled):
    code = f"{sys.executable} -c 'from conflict_nlp.cli import main; main()' extract <(cat) --model {model_folder} --format json"
    result = subprocess.run(["bash", "-c", code], input=REPORT.encode(), capture_output=True, check=False)
    assert json.loads(result.stdout)["text"] == REPORT
    assert run("extract", "-", "-", "--model", model_folder, stdin=b"raid").returncode == 2


def test_five_megabytes_on_one_line_are_one_document(model_folder, tmp_path):
    # words that the tokenizer gives nothing for keep this fast: reading, cutting and writing are what is tested
    text = "\ufffd " * 1_300_000 + "raid in Gao"
    (tmp_path / "long.jsonl").write_text(json.dumps({"text": text}, ensure_ascii=False) + "\n", encoding="utf-8")
    assert (tmp_path / "long.jsonl").stat().st_size > 5_000_000
    result = run("extract", tmp_path / "long.jsonl", "--model", model_folder, "--format", "jsonl")
    assert result.returncode == 0, result.stderr.decode()
    assert json.loads(result.stdout)["text"] == text


def test_a_reader_that_stops_early_is_no_error(model_folder, tmp_path):
    (tmp_path / "many.jsonl").write_text(f"{json.dumps({'text': REPORT})}\n" * 200)
    code = "from conflict_nlp.cli import main; main()"
    command = f"{sys.executable} -c '{code}' extract {tmp_path / 'many.jsonl'} --model {model_folder} --format jsonl | head -n 1"
    result = subprocess.run(["bash", "-c", command], capture_output=True, check=False)
    assert result.stdout.count(b"\n") == 1
    assert result.stderr == b""


def test_version_and_help():
    assert run("--version").stdout.startswith(b"conflict-nlp ")
    help = run("extract", "--help").stdout.decode()
    assert "--example" in help


def test_the_other_commands_are_there(tmp_path):
    out = run("--help").stdout.decode()
    assert all(name in out for name in ("extract", "evaluate", "convert", "check"))
    result = run("evaluate", tmp_path / "none.jsonl", tmp_path / "none.jsonl")
    assert result.returncode == 2
    assert b"Traceback" not in result.stderr
