"""What goes in: every format gives the same rows."""

import csv
import gzip
import json
import os
from datetime import datetime
from decimal import Decimal

import fsspec
import pytest
from batch_cases import reports, write_jsonl
from fsspec.spec import AbstractBufferedFile, AbstractFileSystem

from conflict_nlp.batch.blocks import Columns
from conflict_nlp.batch.carried import Carried
from conflict_nlp.batch.errors import BatchError
from conflict_nlp.batch.plan import Plan
from conflict_nlp.batch.seen import Seen
from conflict_nlp.batch.sources import find_sources, would_read
from conflict_nlp.formats import FormatError
from conflict_nlp.schema import CONFLICT

ROWS = reports(40)


def plan(*inputs, text="text", id="id", id_required=False, max_chars=1000, chunk_rows=7):
    return Plan(find_sources([str(i) for i in inputs]), Columns(text, id, id_required, max_chars), CONFLICT, chunk_rows)


def rows(*inputs, **options):
    return [row for chunk in plan(*inputs, **options).chunks() for row in chunk.table.to_pylist()]


def problems(*inputs, **options):
    return [(e.id, e.reason, e.row) for chunk in plan(*inputs, **options).chunks() for e in chunk.errors]


def write(folder, kind):
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / f"in.{kind}"
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in ROWS)
    if kind == "jsonl":
        path.write_bytes(lines)
    elif kind == "jsonl.gz":
        path.write_bytes(gzip.compress(lines[:1000]) + gzip.compress(lines[1000:]))  # two members, as from cat
    elif kind == "jsonl.zst":
        path.write_bytes(b"".join(pa.compress(part, codec="zstd", asbytes=True) for part in (lines[:1000], lines[1000:])))
    elif kind == "parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path, row_group_size=9)
    elif kind == "dataset":
        from datasets import Dataset

        Dataset.from_list(ROWS).save_to_disk(path)
    else:
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.DictWriter(file, list(ROWS[0]), delimiter={"csv": ";", "tsv": "\t"}[kind])
            writer.writeheader()
            writer.writerows(ROWS)
    return path


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz", "jsonl.zst", "parquet", "dataset", "csv", "tsv"])
def test_every_format_gives_the_rows_with_their_other_columns(tmp_path, kind):
    found = rows(write(tmp_path, kind))
    expected = [{**row, "year": str(row["year"])} if kind in ("csv", "tsv") else row for row in ROWS]
    assert [{k: v for k, v in row.items() if k != "extra"} for row in found] == expected


def test_a_folder_of_texts(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "two.txt").write_text("Two\r\nlines", newline="")
    (tmp_path / "one.txt").write_bytes(b"\xef\xbb\xbfOne")
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe")
    (tmp_path / "long.txt").write_text("x" * 5000)
    (tmp_path / "_notes.txt").write_text("no report")
    assert rows(tmp_path) == [{"id": "b/two", "text": "Two\r\nlines"}, {"id": "one", "text": "One"}]
    assert [(id, reason[:22]) for id, reason, _ in problems(tmp_path)] == [("bad", "the text is not UTF-8 "), ("long", "the text has more than")]


def test_globs_folders_and_urls_in_the_order_of_their_names(tmp_path):
    for name in ("b", "a"):
        write_jsonl(tmp_path / f"{name}.jsonl", [{"id": f"{name}{i}", "text": "raid"} for i in range(3)])
    names = [f"{name}{i}" for name in "ab" for i in range(3)]
    assert [row["id"] for row in rows(tmp_path / "*.jsonl")] == [row["id"] for row in rows(tmp_path)] == names
    memory = fsspec.filesystem("memory")
    memory.pipe("/archive/x.jsonl", (tmp_path / "a.jsonl").read_bytes())
    memory.pipe("/archive/y.jsonl.gz", gzip.compress((tmp_path / "b.jsonl").read_bytes()))
    assert [row["id"] for row in rows("memory://archive/*")] == names


class Bucket(AbstractFileSystem):
    """Files that are read in blocks, as those of a bucket or a web server are."""

    protocol = "bucket"
    contents = b"".join(json.dumps(row).encode() + b"\n" for row in ROWS)

    def info(self, path, **kwargs):
        return {"name": path, "size": len(self.contents), "type": "file"}

    def _open(self, path, mode="rb", **kwargs):
        return Block(self, path, mode, block_size=100, size=len(self.contents))


class Block(AbstractBufferedFile):
    def _fetch_range(self, start, end):
        return Bucket.contents[start:end]


def test_lines_are_read_from_places_that_give_blocks():
    fsspec.register_implementation("bucket", Bucket, clobber=True)
    assert [row["id"] for row in rows("bucket://archive/a.jsonl")] == [row["id"] for row in ROWS]


def test_a_glob_passes_over_the_output(tmp_path):
    for name in ("a", "labelled/b"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_jsonl(tmp_path / f"{name}.jsonl", [{"id": name, "text": "raid"}])
    for pattern in (tmp_path / "*", tmp_path / "**/*.jsonl", f"{tmp_path}*"):
        assert [source.names for source in find_sources([str(pattern)], tmp_path / "labelled")] == [("a.jsonl",)]
    (tmp_path / "out").mkdir()  # nothing in it yet
    assert [source.names for source in find_sources([str(tmp_path / "[ao]*")], tmp_path / "out")] == [("a.jsonl",)]


def test_names_that_are_no_unicode(tmp_path):
    name = os.fsdecode(b"caf\xe9.jsonl")
    write_jsonl(tmp_path / name, [{"text": "raid"}])
    assert [row["id"] for row in rows(tmp_path / name)] == ["caf\\udce9.jsonl:1"]
    (tmp_path / "İstanbul.txt").write_text("raid")
    assert [row["id"] for row in rows(tmp_path / "İstanbul.txt")] == ["İstanbul"]


def test_structs_without_fields_are_json(tmp_path):
    import pyarrow as pa

    hollow = pa.struct([])
    table = pa.table({"id": ["a"], "text": ["raid"], "meta": pa.array([{}], hollow), "all": pa.array([[{}]], pa.list_(hollow))})
    assert Carried.of([table.schema.remove(0).remove(0)], CONFLICT).schema.types == [pa.string(), pa.string()]
    carried = Carried.of([table.schema.remove(0).remove(0)], CONFLICT)
    assert {name: column.to_pylist() for name, column in carried.columns(table, [0]).items()} == {"meta": ["{}"], "all": ["[{}]"]}


def test_other_names_of_the_columns_and_ids_for_rows_without(tmp_path):
    path = write_jsonl(tmp_path / "a.jsonl", [{"body": "raid", "key": 7, "text": "title"}, {"body": "ambush", "text": None}])
    assert rows(path, text="body", id="key") == [
        {"id": "7", "text": "raid", "input_text": "title", "extra": None},
        {"id": "a.jsonl:2", "text": "ambush", "input_text": None, "extra": None},
    ]
    with pytest.raises(BatchError, match=r"no line has the field 'content': name it with --text; there are body, key, text"):
        rows(path, text="content")


def test_columns_of_several_inputs_are_one_table(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"id": ["a"], "text": ["raid"], "n": pa.array([1], pa.int32()), "spans": [["gold"]]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"id": ["b"], "text": ["raid"], "n": [2.5], "place": ["Gao"]}), tmp_path / "b.parquet")
    assert rows(tmp_path) == [
        {"id": "a", "text": "raid", "n": 1.0, "input_spans": ["gold"], "place": None},
        {"id": "b", "text": "raid", "n": 2.5, "input_spans": None, "place": "Gao"},
    ]


def test_json_fields_that_do_not_fit_their_column_are_kept_in_extra(tmp_path):
    head = [{"id": f"h{i}", "text": "raid", "n": 1, "tags": ["x"]} for i in range(1000)]
    path = write_jsonl(tmp_path / "a.jsonl", [*head, {"id": "z", "text": "raid", "n": "many", "new": {"a": None}, "tags": "\ud800"}])
    last = rows(path)[-1]
    assert (last["n"], last["tags"]) == (None, None)
    assert json.loads(last["extra"]) == {"n": "many", "new": {"a": None}, "tags": "\ud800"}
    assert rows(path)[0]["tags"] == '["x"]'


def test_fields_that_only_later_files_have_are_kept_in_extra(tmp_path):
    for n in range(10):
        write_jsonl(tmp_path / f"{n}.jsonl", [{"id": f"a{n}", "text": "raid", "year": n}])
    write_jsonl(tmp_path / "x.jsonl", [{"id": "b", "text": "raid", "year": "unknown", "place": "Gao"}, {"id": "c", "year": 3}])
    *_, last = rows(tmp_path)
    assert (last["id"], last["year"]) == ("b", None)
    assert json.loads(last["extra"]) == {"year": "unknown", "place": "Gao"}
    assert [id for id, _, _ in problems(tmp_path)] == ["c"]


def test_types_that_have_no_common_one_are_strings(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    large = 1234567890123456789
    at = datetime(1500, 1, 1)
    parts = [pa.array([[{"a": 1}]]), pa.array([[{"a": 1, "b": 2}]])]
    first = {"parts": parts[0], "n": pa.array([large], pa.int64()), "at": pa.array([at], pa.timestamp("ms")), "sum": pa.array([5], pa.int64())}
    second = {"parts": parts[1], "n": pa.array([0.5]), "at": pa.array([0], pa.timestamp("ns")), "sum": pa.array([Decimal("1.10")])}
    kinds = [pa.array([f"{part}{i}" for i in range(100)]).dictionary_encode().cast(pa.dictionary(pa.int8(), pa.string())) for part in "ab"]
    for name, columns, kind in (("a", first, kinds[0]), ("b", second, kinds[1])):
        ids = [f"{name}{i}" for i in range(100)]
        wide = {key: pa.concat_arrays([column] * 100) for key, column in columns.items()}
        pq.write_table(pa.table({"id": ids, "text": ids, "kind": kind, **wide}), tmp_path / f"{name}.parquet")
    found = {row["id"]: row for row in rows(tmp_path, chunk_rows=70)}
    assert len(found) == 200
    assert [(found[id]["n"], found[id]["sum"], found[id]["kind"]) for id in ("a7", "b99")] == [(str(large), "5", "a7"), ("0.5", "1.10", "b99")]
    assert found["b0"]["parts"] == '[{"a": 1, "b": 2}]'
    assert found["a0"]["at"].startswith("1500-01-01")


def test_numbers_of_several_files_of_json_lines_are_numbers(tmp_path):
    for name, value in (("a", 1), ("b", 0.5)):
        write_jsonl(tmp_path / f"{name}.jsonl", [{"id": name, "text": "raid", "score": value}])
    assert [row["score"] for row in rows(tmp_path)] == [1.0, 0.5]


def test_an_output_that_is_passed_over_may_lie_in_the_input(tmp_path):
    assert all(would_read(tmp_path, other) for other in (tmp_path, tmp_path / "labelled"))
    assert not any(would_read(tmp_path, other) for other in (tmp_path / "_labelled", tmp_path / ".old" / "x", tmp_path.parent))


def test_texts_that_are_all_null_are_errors_and_no_reason_to_stop(tmp_path):
    path = write_jsonl(tmp_path / "a.jsonl", [{"id": "a", "text": None}, {"id": None, "text": None}])
    assert rows(path, id_required=True) == []
    assert len(problems(path, id_required=True)) == 2


def test_a_name_of_the_output_and_its_renamed_form_are_two_columns(tmp_path):
    path = write_jsonl(tmp_path / "a.jsonl", [{"id": "a", "text": "raid", "spans": "new", "input_spans": "old"}])
    assert {k: v for k, v in rows(path)[0].items() if "spans" in k} == {"input_spans": "new", "input_input_spans": "old"}


def test_linked_folders_are_read_once_and_closed_ones_are_told(tmp_path, monkeypatch):
    (tmp_path / "far").mkdir()
    (tmp_path / "in").mkdir()
    write_jsonl(tmp_path / "far" / "a.jsonl", [{"id": "a", "text": "raid"}])
    (tmp_path / "in" / "2023").symlink_to(tmp_path / "far")
    (tmp_path / "far" / "back").symlink_to(tmp_path / "in")
    assert [row["id"] for row in rows(tmp_path / "in")] == ["a"]
    real = os.scandir

    def closed(path):
        if str(path).endswith("2023"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", closed)
    with pytest.raises(BatchError, match="Permission denied"):
        rows(tmp_path / "in")


@pytest.mark.parametrize(("content", "words"), [("id,text\n", "no column|not UTF-8"), ("id,text,ann\u00e9e\na,raid,3\n", "not UTF-8")])
def test_a_table_in_another_encoding_is_one_line_that_can_be_printed(tmp_path, content, words):
    (tmp_path / "a.csv").write_bytes(content.encode("utf-16" if "ann" not in content else "latin-1"))
    with pytest.raises(BatchError, match=words) as error:
        rows(tmp_path / "a.csv")
    assert "a.csv" in str(error.value)
    assert str(error.value).encode()


BAD = [
    {"id": "good", "text": "raid"},
    {"id": "missing"},
    {"id": "null", "text": None},
    {"id": "number", "text": 12},
    b'{"id": "bytes", "text": "caf\xe9"}',
    {"id": "long", "text": "x" * 5001},
    {"id": "good", "text": "ambush"},
    {"id": "surrogate", "text": "\ud800"},
    b"{broken",
    [1],
    {"id": ["a"], "text": "raid"},
    {"id": 5, "text": "raid"},
    {"id": "empty", "text": ""},
]
REASONS = [
    "the text is missing",
    "the text is missing",
    "the text is a number",
    "the line is not UTF-8 at byte",
    "the text has 5,001 characters, the limit is 5,000",
    "the id occurs before",
    "the text has a lone surrogate",
    "the line is not JSON",
    "the line is no JSON object",
    "the id is a list",
]


@pytest.mark.parametrize("chunk_rows", [1, 3, 100])
def test_a_bad_row_is_an_error_with_its_place_and_the_others_are_read(tmp_path, chunk_rows):
    path = write_jsonl(tmp_path / "a.jsonl", BAD)
    options = {"max_chars": 5000, "chunk_rows": chunk_rows}
    assert [row["id"] for row in rows(path, **options)] == ["good", "5", "empty"]
    found = problems(path, **options)
    assert [id for id, _, _ in found] == ["missing", "null", "number", "bytes", "long", "good", "surrogate", None, None, None]
    assert [number for _, _, number in found] == list(range(2, 12))
    for (_, reason, _), expected in zip(found, REASONS, strict=True):
        assert reason.startswith(expected)


def test_bad_rows_of_csv_and_parquet(tmp_path, monkeypatch):
    import pyarrow as pa
    import pyarrow.parquet as pq

    monkeypatch.setattr("conflict_nlp.batch.read_rows.MAX_RECORD", 300)
    monkeypatch.setattr("conflict_nlp.formats.files.MAX_RECORD", 300)
    path = tmp_path / "a.csv"
    path.write_bytes(b'id,text\na,"two\nlines"\nb,\nc,caf\xe9\nd\n' + b"e," + b"x" * 400 + b"\nf,raid,more\ng,raid\n")
    assert [row["id"] for row in rows(path)] == ["a", "g"]
    assert [(id, reason.split(":")[0]) for id, reason, _ in problems(path)] == [
        ("b", "the text is missing"),
        ("c", "text is not UTF-8"),
        ("d", "the row has 1 cells, the header 2"),
        (None, "the row cannot be read"),
        ("f", "the row has 3 cells, the header 2"),
    ]
    cells = pa.array([b"raid", b"caf\xe9", None], pa.binary())
    texts = pa.Array.from_buffers(pa.string(), 3, cells.buffers())  # Arrow does not look whether strings are UTF-8
    pq.write_table(pa.table({"id": [1, 2, 3], "text": texts}), tmp_path / "b.parquet")
    assert [row["id"] for row in rows(tmp_path / "b.parquet")] == ["1"]
    assert [reason for _, reason, _ in problems(tmp_path / "b.parquet")] == ["the text is not UTF-8 at byte 4", "the text is missing"]


def test_chunks_end_at_a_million_characters_too(tmp_path):
    path = write_jsonl(tmp_path / "a.jsonl", [{"id": str(i), "text": "x" * 400_000} for i in range(5)])
    assert [chunk.rows for chunk in plan(path, max_chars=500_000, chunk_rows=100).chunks()] == [3, 2]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p / "none.jsonl", "none.jsonl: no such file or folder"),
        (lambda p: p / "*.jsonl", "matches no file"),
        (lambda p: p, "no .parquet, .jsonl"),
        (lambda p: _touch(p / "a.docx"), "a.docx: no input"),
        (lambda p: _touch(p / "a.parquet"), "a.parquet: no readable Parquet"),
        (lambda p: _touch(p / "a.csv", b"id,body\n1,x\n"), "no column 'text', only id, body"),
        (lambda p: _touch(p / "a.jsonl.gz", gzip.compress(b'{"text": "raid"}\n' * 50)[:-9]), "cannot be read"),
        (lambda p: "nothing://there/a.jsonl", "cannot be reached"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, make, message):
    with pytest.raises((BatchError, FormatError)) as caught:
        rows(make(tmp_path))
    assert message in str(caught.value)


def _touch(path, content=b"x"):
    path.write_bytes(content)
    return path


def test_seen_ids_over_many_calls():
    seen, ids = Seen(), [str(i * i % 1009) for i in range(3000)]
    found = [again for start in range(0, 3000, 7) for again in seen.add(ids[start : start + 7])]
    assert found == [id in ids[:i] for i, id in enumerate(ids)]
