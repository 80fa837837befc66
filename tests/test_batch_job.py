"""What comes out, and that a job goes on where it stopped, in one process."""

import errno
import json
from pathlib import Path

import pytest
from batch_cases import TEXTS, batch, documents, errors, reports, write_jsonl

from conflict_nlp.batch import parts
from conflict_nlp.batch.sources import find_sources, fingerprint
from conflict_nlp.batch.tables import document_of
from conflict_nlp.document import Document
from conflict_nlp.schema import CONFLICT


@pytest.fixture(scope="module")
def undisturbed(model_folder, tmp_path_factory):
    """A job with two bad rows, its input and its output."""
    folder = tmp_path_factory.mktemp("undisturbed")
    rows = [*reports(), {"id": "bad", "text": 5}, {"id": "r0", "text": "again"}]
    path = write_jsonl(folder / "in.jsonl", rows)
    assert batch(model_folder, path, "--output", folder / "out", "--part-rows", 10, "--flat", "csv") == 1
    return path, folder / "out"


def same(folder: Path, other: Path) -> bool:
    return documents(folder) == documents(other) and errors(folder) == errors(other)


def manifest(folder: Path):
    return json.loads((folder / "_manifest.json").read_text())


def test_rows_are_documents_with_views_and_carried_columns(undisturbed, model_folder):
    from conflict_nlp import load

    rows = documents(undisturbed[1])
    assert [row["id"] for row in rows] == [f"r{i}" for i in range(60)]
    assert [(row["source"], row["year"]) for row in rows] == [("wire", 2000 + i) for i in range(60)]
    nlp = load(model_folder, device="cpu")
    for row, text in zip(rows, TEXTS, strict=True):
        document, expected = document_of(row, CONFLICT), nlp(text)
        assert document.text == text
        assert [(s.id, s.label, s.start, s.end, s.attributes) for s in document.spans] == [
            (s.id, s.label, s.start, s.end, s.attributes) for s in expected.spans
        ]
        assert Document.from_dict(document.to_dict()).links == document.links
        assert [a["id"] for a in row["attacks"]] == [a.span.id for a in document.attacks]
        assert [[s["text"] for s in c["CLAIMANT"]] for c in row["claims"]] == [[s.text for s in c.claimants] for c in document.claims]
        assert [(i["id"], i["killed"]) for i in row["incidents"]] == [(i.id, str(i.killed) if i.killed else None) for i in document.incidents]


def test_manifest_and_errors_account_for_every_row(undisturbed):
    about = manifest(undisturbed[1])
    assert about["status"] == "done"
    assert {k: about["counts"][k] for k in ("parts", "rows", "documents", "errors")} == {"parts": 7, "rows": 62, "documents": 60, "errors": 2}
    assert about["counts"]["tokens"] > 60
    assert [f["name"] for f in about["identity"]["inputs"]] == ["in.jsonl"]
    assert about["columns"]["year"] == "int64"
    assert [(e["id"], e["row"], e["source"]) for e in errors(undisturbed[1])] == [("bad", 61, "in.jsonl"), ("r0", 62, "in.jsonl")]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_flat_tables_have_a_row_for_each_anchor(undisturbed, model_folder, kind):
    import pyarrow.csv
    import pyarrow.parquet

    path, out = undisturbed
    assert batch(model_folder, path, "--output", out, "--part-rows", 10, "--flat", kind) == 1  # a job that is done makes them too
    read = pyarrow.csv.read_csv if kind == "csv" else pyarrow.parquet.read_table
    for label, view in (("ATTACK", "attacks"), ("CLAIM", "claims")):
        table = read(out / "_flat" / f"{view}.{kind}")
        expected = [(row["id"], anchor["id"], label, anchor["text"], anchor["score"]) for row in documents(out) for anchor in row[view]]
        assert len(expected) > 10
        assert list(zip(*(table[n].to_pylist() for n in ("document", "id", "label", "text", "score")), strict=True)) == expected
    assert "CASUALTY.count" in read(out / "_flat" / f"attacks.{kind}").column_names


def on_part(monkeypatch, number, action):
    """Do something instead of writing this part."""
    write, seen = parts.write_part, []

    def patched(folder, labelled):
        seen.append(labelled)
        if len(seen) == number:
            action()
        return write(folder, labelled)

    monkeypatch.setattr(parts, "write_part", patched)


def test_a_full_disk_is_one_line_and_the_same_command_goes_on(undisturbed, model_folder, tmp_path, monkeypatch):
    import pyarrow.parquet

    path, out = undisturbed
    command = (path, "--output", tmp_path / "out", "--part-rows", 10)
    with monkeypatch.context() as patch:
        write, written = pyarrow.parquet.write_table, []

        def full(table, file, **options):
            if len(written) == 3:
                file.write(b"half of it")
                raise OSError(errno.ENOSPC, "No space left on device")
            written.append(table)
            write(table, file, **options)

        patch.setattr(pyarrow.parquet, "write_table", full)
        message = batch(model_folder, *command)
    assert isinstance(message, str)
    assert "cannot be written: No space left on device; 30 documents are written, the same command goes on" in message
    assert "\n" not in message
    assert manifest(tmp_path / "out")["status"] == "failed"
    (tmp_path / "out" / ".part-000003.parquet.abc.part").write_bytes(b"as SIGKILL leaves it")
    assert batch(model_folder, *command) == 1
    assert same(tmp_path / "out", out)
    assert sorted(p.name for p in (tmp_path / "out").iterdir() if p.name[0] == ".") == [".lock"]
    assert len(manifest(tmp_path / "out")["sessions"]) == 2


@pytest.mark.parametrize("how", ["grows", "vanishes"])
def test_input_that_changes_or_vanishes_under_way(model_folder, tmp_path, monkeypatch, how):
    path = write_jsonl(tmp_path / "in.jsonl", [{"id": str(i), "text": f"raid {i}"} for i in range(600)])
    content, command = path.read_bytes(), (path, "--output", tmp_path / "out", "--part-rows", 100)
    with monkeypatch.context() as patch:
        on_part(patch, 1, (lambda: path.write_bytes(content + content[:40])) if how == "grows" else path.unlink)
        message = batch(model_folder, *command)
    assert str(path) in message
    assert ("changed while the job ran" if how == "grows" else "is gone or cannot be read") in message
    if how == "grows":
        assert "input in.jsonl changed" in batch(model_folder, *command)
    path.write_bytes(content)
    assert batch(model_folder, *command) == 0
    assert [row["id"] for row in documents(tmp_path / "out")] == [str(i) for i in range(600)]


def test_a_change_that_no_fingerprint_shows_is_found_where_it_is(undisturbed, model_folder, tmp_path, monkeypatch):
    path = write_jsonl(tmp_path / "in.jsonl", reports())
    command = (path, "--output", tmp_path / "out", "--part-rows", 10)
    with monkeypatch.context() as patch:
        on_part(patch, 4, lambda: (_ for _ in ()).throw(OSError(errno.EIO, "broken")))
        assert "broken" in batch(model_folder, *command)
    before = manifest(tmp_path / "out")["identity"]["inputs"]
    path.write_bytes(path.read_bytes().replace(TEXTS[12].encode(), TEXTS[12][::-1].encode()))
    about = manifest(tmp_path / "out")
    about["identity"]["inputs"][0]["digest"] = fingerprint(find_sources([str(path)])[0]).digest
    assert about["identity"]["inputs"] != before
    (tmp_path / "out" / "_manifest.json").write_text(json.dumps(about))
    assert "part-000001.parquet: was made of other rows" in batch(model_folder, *command)


def test_another_job_in_the_folder_is_refused_with_the_difference(undisturbed, model_folder, tmp_path):
    path, out = undisturbed
    before = sorted((p.name, p.stat().st_mtime_ns) for p in out.glob("[!.]*"))
    other = write_jsonl(tmp_path / "other.jsonl", reports(3))
    part = ("--part-rows", 10)
    message = batch(model_folder, other, "--output", out, *part, "--max-chars", 50)
    assert "holds another job: max_chars is 50, it was 1000000; input other.jsonl is new; input in.jsonl is not named any more" in message
    assert "half is True, it was False" in batch(model_folder, path, "--output", out, *part, "--half")
    assert "lies in the input" in batch(model_folder, path.parent, "--output", path.parent / "labelled", *part)
    assert not (path.parent / "labelled").exists()
    from conflict_nlp.cli import app

    with pytest.raises(ValueError, match="the model has hash"):
        app(["batch", str(path), "--output", str(out), "--part-rows", "10"], standalone_mode=False)
    assert before == sorted((p.name, p.stat().st_mtime_ns) for p in out.glob("[!.]*"))
    (tmp_path / "mine.txt").write_text("something else")
    assert "holds files, but no job" in batch(model_folder, path, "--output", tmp_path)


def test_two_jobs_at_once_and_a_folder_that_cannot_be_written(undisturbed, model_folder, tmp_path):
    from conflict_nlp.batch.lock import locked

    path, out = undisturbed
    with locked(out):
        assert "another job (process" in batch(model_folder, path, "--output", out, "--part-rows", 10)
    (tmp_path / "file").write_text("")
    assert "cannot be written to" in batch(model_folder, path, "--output", tmp_path / "file" / "out")
    assert "name one, and copy it afterwards" in batch(model_folder, path, "--output", "s3://bucket/out")
    assert "there is no folder" in batch(Path("no/such/model"), path, "--output", tmp_path / "out")


def test_progress_as_json(model_folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("conflict_nlp.batch.progress.JSON_SECONDS", 0.0)
    path = write_jsonl(tmp_path / "in.jsonl", reports(30))
    assert batch(model_folder, path, "--output", tmp_path / "out", "--part-rows", 10, "--json-progress") == 0
    captured = capsys.readouterr()
    lines = [json.loads(line) for line in captured.out.splitlines()]
    assert [line["event"] for line in lines] == ["start", "progress", "progress", "progress", "done"]
    assert [line["documents"] for line in lines[1:4]] == [10, 20, 30]
    assert sorted(line["share"] for line in lines[1:4]) == [line["share"] for line in lines[1:4]]
    assert lines[3]["share"] == 1
    assert lines[3]["seconds_left"] == 0
    assert lines[2]["documents_per_second"] > 0
    assert "30 documents in" in captured.err


def test_a_text_that_breaks_the_model_is_an_error_and_memory_is_not_the_texts_fault(model_folder, tmp_path, monkeypatch):
    from conflict_nlp.encoding import Windower

    path, windows, problem = write_jsonl(tmp_path / "in.jsonl", reports(20)), Windower.windows, RuntimeError("odd")

    def failing(self, text):
        if text == TEXTS[7]:
            raise problem
        return windows(self, text)

    monkeypatch.setattr(Windower, "windows", failing)
    assert batch(model_folder, path, "--output", tmp_path / "out") == 1
    assert errors(tmp_path / "out") == [{"id": "r7", "reason": "labelling failed: RuntimeError: odd", "source": "", "row": 0}]
    assert len(documents(tmp_path / "out")) == 19
    problem = MemoryError("out of memory")
    assert "out of memory" in batch(model_folder, path, "--output", tmp_path / "other")
