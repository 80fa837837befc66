"""Hostile and broken input ends in one clear error."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conflict_nlp.document import Document
from conflict_nlp.formats import FormatError
from conflict_nlp.formats.files import MAX_RECORD, replacing, replacing_folder
from conflict_nlp.formats.jsonarray import elements
from conflict_nlp.formats.jsonl import read_all, read_documents, write_documents
from conflict_nlp.formats.records import collect
from conflict_nlp.formats.registry import all_formats, get
from conflict_nlp.schema import CONFLICT

SAMPLES = Path(__file__).parent / "data" / "formats"
KEYS = (
    "id text spans links label start end anchor argument score data annotations predictions result value labels type from_id to_id entities relations "
    "start_offset end_offset tokens meta answer head child head_span conflict_nlp"
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 99) | st.sampled_from(["", "T1", "ATTACK", "labels", "a b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS.split()), inner, max_size=5),
    max_leaves=25,
)


def message(name: str, path: Path) -> str:
    with pytest.raises(FormatError) as caught:
        collect(get(name).read(path, CONFLICT), CONFLICT)
    return str(caught.value)


def error_of(name: str, path: Path) -> str:
    """The error, if there is one: only a FormatError may be. Otherwise the path, as an error would have it."""
    try:
        collect(get(name).read(path, CONFLICT), CONFLICT)
    except FormatError as error:
        return str(error)
    return str(path)


def test_all_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    span = {"id": "T1", "label": "X", "start": 0, "end": 9}
    document = json.dumps({"id": "r", "text": "a", "spans": [span]}).encode()
    bad.write_bytes(b"\n".join([b'{"text": 1}', b"", b"[1]", b'{"a": NaN}', b"\xff\xfe", b"[" * 100_000, b"1" * 6_000, document]))
    (tmp_path / "empty.jsonl").write_bytes(b"\n\n")
    with pytest.raises(FormatError) as caught:
        read_all([bad, tmp_path / "none.jsonl", tmp_path / "empty.jsonl"])
    told = str(caught.value).replace(str(tmp_path) + os.sep, "").split("\n")
    assert [line.split(": ")[0] for line in told] == [*(f"bad.jsonl:{n}" for n in (1, 3, 4, 5, 6, 7, 8, 8)), "none.jsonl", "empty.jsonl"]
    parts = ["text is", "one JSON object", "NaN", "not UTF-8", "deeply", "too long", "r: span T1", "r: span T1", "No such", "empty"]
    assert [part for part, line in zip(parts, told, strict=True) if part not in line] == []


def test_reading_stops_at_the_first_bad_line_but_gives_the_good_ones_before(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"text": "a"}\n{"text": 1}\n{"text": "b"}\n')
    documents = read_documents(tmp_path / "x.jsonl")
    assert next(documents) == Document("a")
    with pytest.raises(FormatError, match=r"x\.jsonl:2: text is"):
        next(documents)


@pytest.mark.parametrize("name", ["jsonl", "prodigy", "doccano", "label-studio", "conll"])
def test_ten_megabytes_on_a_line(name: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b'{"text": "' + b"a" * (MAX_RECORD + 2**21) + b'"}\n')
    assert "longer than 8 MiB" in message(name, path)


@pytest.mark.parametrize("name", ["jsonl", "prodigy", "doccano", "label-studio", "conll", "brat"])
@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_other_encodings(name: str, encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "x.ann"
    content = '[{"data": {"text": "é"}}]'.encode(encoding)
    path.write_bytes(content)
    path.with_suffix(".txt").write_bytes(content)
    assert "not UTF-8" in message(name, path)


@pytest.mark.parametrize("name", ["jsonl", "prodigy", "doccano", "label-studio"])
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.lists(JSON, min_size=1, max_size=3))
def test_wrong_types_never_end_in_another_error(name: str, data: list[object], tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text(json.dumps(data) if name == "label-studio" else "".join(json.dumps(item) + "\n" for item in data))
    assert str(path) in error_of(name, path)


@pytest.mark.parametrize("name", ["brat", "conll", "lines"])
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(st.text(st.sampled_from("TRAE#*DOCND 0123;:\t|=.-Bsa\n"), max_size=30), max_size=8))
def test_wrong_lines_never_end_in_another_error(name: str, rows: list[str], tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("a text")
    (tmp_path / "x.passages.jsonl").write_text('{"id": "p", "sents": ["a text"]}')
    path = tmp_path / "x.ann" if name == "brat" else tmp_path / "x.lines"
    path.write_text("\n".join(["DOC p", *rows] if name == "lines" else rows))
    assert str(tmp_path) in error_of(name, path)


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        (b'[\n{"a": 1},\n{"a": 2}', 3, "ends inside the array"),
        (b'[\n{"a": 1}\n{"a": 2}]', 3, "a comma or ] is missing"),
        (b"[1,]", 1, "not JSON"),
        (b"[1] 2", 1, "more after the end"),
        (b"hello", 1, "neither a JSON array nor an object"),
        (b"[" * 100_000, 1, "nests too deeply"),
        (b"[NaN]", 1, "NaN"),
    ],
)
def test_broken_arrays(content: bytes, line: int, problem: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(FormatError) as caught:
        list(elements(tmp_path / "x.json"))
    assert f"x.json:{line}: " in str(caught.value)
    assert problem in str(caught.value)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(values=st.lists(JSON, max_size=5), indent=st.sampled_from([None, 1]))
def test_arrays_are_read_as_json_does(values: list[object], indent: int | None, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(json.dumps(values, indent=indent))
    assert [e.value for e in elements(tmp_path / "x.json")] == values


def test_arrays_longer_than_a_window(tmp_path: Path) -> None:
    values = [{"text": "é💥" * n, "n": n} for n in range(0, 60_000, 9_000)]
    (tmp_path / "x.json").write_text(json.dumps(values, ensure_ascii=False, indent=0))
    found = list(elements(tmp_path / "x.json"))
    assert [e.value for e in found] == values
    assert [e.line for e in found] == [2 + 4 * n for n in range(len(values))]


def archive(path: Path, members: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


@pytest.mark.parametrize("name", ["../x.xmi", "/etc/x.xmi", "a/../../x.xmi", "C:\\x.xmi", "..\\x.xmi"])
def test_names_in_a_zip_that_climb_out(name: str, tmp_path: Path) -> None:
    assert "leads out of it" in message("uima", archive(tmp_path / "x.zip", {"TypeSystem.xml": "<a/>", name: "<a/>"}))


def test_zips_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"PK\x03\x04 no")
    assert "no zip" in message("uima", tmp_path / "x.zip")
    assert "no TypeSystem.xml" in message("uima", archive(tmp_path / "y.zip", {"a.xmi": ""}))
    bomb = zipfile.ZipFile(tmp_path / "z.zip", "w", zipfile.ZIP_DEFLATED)
    with bomb, bomb.open("TypeSystem.xml", "w", force_zip64=True) as file:
        for _ in range(300):
            file.write(bytes(2**20))
    assert "larger than 256 MiB when unpacked" in message("uima", tmp_path / "z.zip")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_never_expanded(encoding: str, tmp_path: Path) -> None:
    pytest.importorskip("cassis")
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    sample = (SAMPLES / "inception" / "admin.xmi").read_text().replace('encoding="UTF-8"', f'encoding="{encoding}"')
    entities = f'<!DOCTYPE a [<!ENTITY b "{"b" * 99}"><!ENTITY c "&b;&b;&b;"><!ENTITY d SYSTEM "{secret.as_uri()}">]>'
    head, _, body = sample.partition("?>")
    (tmp_path / "x.xmi").write_bytes((head + "?>" + entities + body.replace("Ada", "&c;&d;")).encode(encoding))
    (tmp_path / "TypeSystem.xml").write_bytes((SAMPLES / "inception" / "TypeSystem.xml").read_bytes())
    told = message("uima", tmp_path / "x.xmi")
    assert ("document type" if encoding == "utf-8" else "not UTF-8") in told
    assert "secret" not in told.replace(secret.name, "")


def test_cas_without_a_type_system_or_broken(tmp_path: Path) -> None:
    pytest.importorskip("cassis")
    (tmp_path / "x.xmi").write_text("<a")
    assert "TypeSystem.xml is missing" in message("uima", tmp_path / "x.xmi")
    (tmp_path / "TypeSystem.xml").write_text("<a")
    assert "no readable CAS" in message("uima", tmp_path / "x.xmi")


def test_characters_that_xml_has_not(tmp_path: Path) -> None:
    pytest.importorskip("cassis")
    with pytest.raises(FormatError, match="r1: the character '\\\\x00' cannot stand in XML"):
        get("uima").write(tmp_path / "x.zip", [Document("a\0", id="r1")], CONFLICT)
    with pytest.raises(FormatError, match="r1: the character '\\\\x0c' cannot stand in XML"):
        get("uima").write(tmp_path / "x.zip", [Document("a", id="r1", meta={"title": "page\x0cbreak"})], CONFLICT)
    assert list(tmp_path.iterdir()) == []


def test_links_that_lead_out_of_a_brat_folder(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "secret").write_text("secret")
    (folder / "a.ann").write_text("")
    (folder / "a.txt").symlink_to(tmp_path / "secret")
    assert "leads out of the folder" in message("brat", folder)


@pytest.mark.parametrize("id", ["../../climbs", "/etc/passwd", "..", ".", "a/../../b", "con:x"])
def test_ids_that_climb_out_of_a_folder(id: str, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "out"
    target.parent.mkdir()
    get("brat").write(target, [Document("a", id=id)], CONFLICT)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file() and target not in path.parents] == []
    assert collect(get("brat").read(target, CONFLICT), CONFLICT) == [Document("a", id=id)]


def test_discontinuous_spans_are_refused_with_their_place(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("North and South America")
    (tmp_path / "a.ann").write_text("T1\tLOCATION 10 23\tSouth America\nT2\tLOCATION 0 5;16 23\tNorth America\n")
    assert message("brat", tmp_path / "a.ann").endswith("a.ann: a: line 2: T2 is discontinuous (0 5;16 23): mark one stretch, or two spans")


def test_doubled_ids(tmp_path: Path) -> None:
    for name in ("brat", "lines"):
        with pytest.raises(FormatError, match="used twice"):
            get(name).write(tmp_path / f"x.{name}", [Document("a", id="r"), Document("b", id="r")], CONFLICT)
    assert list(tmp_path.iterdir()) == []


def test_an_id_too_long_for_a_name_in_any_script(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="too long for the name of a file"):
        get("brat").write(tmp_path / "x", [Document("a", id="\u0645" * 120)], CONFLICT)


def test_a_pipe_is_written_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as reader:
        read = reader.submit(pipe.read_bytes)
        get("jsonl").write(pipe, [Document("a", id="r1")], CONFLICT)
        assert json.loads(read.result(20))["id"] == "r1"
    assert pipe.is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe.jsonl"]


def test_what_a_link_leads_to_is_written_and_keeps_its_permissions(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "gold.jsonl").write_text("old")
    (tmp_path / "disk" / "gold.jsonl").chmod(0o600)
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "disk" / "gold.jsonl")
    get("jsonl").write(tmp_path / "link.jsonl", [Document("a", id="r1")], CONFLICT)
    assert (tmp_path / "link.jsonl").is_symlink()
    assert json.loads((tmp_path / "disk" / "gold.jsonl").read_text())["id"] == "r1"
    assert (tmp_path / "disk" / "gold.jsonl").stat().st_mode & 0o777 == 0o600


def test_standard_output_that_is_a_file_is_gone_on_with(tmp_path: Path) -> None:
    get("jsonl").write(tmp_path / "in.jsonl", [Document("a", id="r1")], CONFLICT)
    command = [sys.executable, "-c", "from conflict_nlp.cli import main; main()", "convert", str(tmp_path / "in.jsonl"), "/dev/stdout", "--to", "jsonl"]
    with (tmp_path / "out.jsonl").open("w") as file:
        result = subprocess.run(command, stdout=file, stderr=subprocess.PIPE, text=True, check=True)
    assert (tmp_path / "out.jsonl").read_text() == (tmp_path / "in.jsonl").read_text()
    assert "1 documents from" in result.stderr


def test_whole_numbers_are_ids(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"id": 7, "text": "raid", "spans": [], "links": []}\n{"id": true, "text": "raid", "spans": [], "links": []}\n')
    seven, true = get("jsonl").read(tmp_path / "in.jsonl", CONFLICT)
    assert (seven.data or {})["id"] == "7"
    assert "the document's id is" in true.all_problems(CONFLICT)[0]


def test_no_half_written_output(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("old")
    with suppress(RuntimeError), replacing(path) as file:
        file.write(b"new")
        raise RuntimeError
    with suppress(RuntimeError), replacing_folder(tmp_path / "f") as folder:
        (folder / "a").write_text("new")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(FormatError, match="exists already"), replacing_folder(tmp_path):
        pass
    with pytest.raises(FormatError, match="cannot be written"), replacing(tmp_path / "no" / "x"):
        pass


def test_packed_files(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl.gz"
    write_documents(path, [Document("é", id="r1")])
    assert read_all([path]) == [Document("é", id="r1")]
    path.write_bytes(path.read_bytes()[:-12])
    assert "cannot be read" in message("jsonl", path)
    path.write_bytes(b"not packed")
    assert "cannot be read" in message("jsonl", path)
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb") as file:
        file.write(b"\n" + b"a" * (MAX_RECORD + 1))
    path.write_bytes(buffer.getvalue())
    assert "x.jsonl.gz:2: the line is longer" in message("jsonl", path)


@pytest.mark.parametrize("name", ["datasets", "spacy", "uima", "brat", "lines", "label-studio"])
def test_files_that_are_not_there_or_not_the_format(name: str, tmp_path: Path) -> None:
    needs = {"datasets": "datasets", "spacy": "spacy", "uima": "cassis"}
    if name in needs:
        pytest.importorskip(needs[name])
    assert str(tmp_path / "none") in message(name, tmp_path / "none")
    (tmp_path / "junk").write_bytes(b"junk")
    assert str(tmp_path) in message(name, tmp_path / "junk")


def test_every_format_says_what_it_is() -> None:
    written = {name for name, format in all_formats().items() if format.writes}
    assert written == {"jsonl", "lines", "brat", "label-studio", "prodigy", "doccano", "uima", "conll", "spacy", "datasets"}
    with pytest.raises(FormatError, match="there is no format 'x', only brat"):
        get("x")


@pytest.mark.parametrize(("name", "library", "file"), [("uima", "cassis", "x.zip"), ("datasets", "datasets", "x.parquet"), ("spacy", "spacy", "x.spacy")])
def test_a_missing_library_is_named_with_its_extra(name: str, library: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [m for m in sys.modules if m.split(".")[0] == library]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(FormatError, match=r"needs .*: pip install 'conflict-nlp\["):
        get(name).write(tmp_path / file, [Document("a", id="r")], CONFLICT)
    assert list(tmp_path.iterdir()) == []


def test_what_json_cannot_carry(tmp_path: Path) -> None:
    for value in (float("nan"), {1}, object()):
        with pytest.raises(FormatError, match="document r: JSON cannot carry it"):
            write_documents(tmp_path / "x.jsonl", [Document("a", id="r", meta={"x": value})])
    assert list(tmp_path.iterdir()) == []


def corrupt(content: bytes) -> bytes:
    """A gzip file whose compressed data are of no kind that there is."""
    return content[:10] + b"\xff" * 20


@pytest.mark.parametrize("name", ["jsonl", "label-studio", "uima"])
def test_corrupt_packed_data(name: str, tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(corrupt(gzip.compress(b"a" * 99)))
    (tmp_path / "TypeSystem.xml").write_text("<a/>")
    assert "cannot be read" in message(name, path)


def test_corrupt_data_in_a_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("TypeSystem.xml", "<a/>" * 99)
    content = bytearray((tmp_path / "x.zip").read_bytes())
    content[30 + len("TypeSystem.xml")] = 0xFF
    (tmp_path / "x.zip").write_bytes(content)
    assert "TypeSystem.xml cannot be unpacked" in message("uima", tmp_path / "x.zip")


def test_a_corrupt_page_of_parquet(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    path = tmp_path / "x.parquet"
    get("datasets").write(path, [Document("fire " * 200, id=f"r{n}") for n in range(50)], CONFLICT)
    content = path.read_bytes()
    path.write_bytes(content[:4] + b"\xff" * 400 + content[404:])
    assert "cannot be read after row 0" in message("datasets", path)


@pytest.mark.parametrize("name", ["jsonl", "label-studio"])
def test_numbers_too_large_for_a_float(name: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_text('{"text": "a", "data": {"text": "a", "x": -1e999}}')
    assert "the number -1e999 is too large" in message(name, tmp_path / "x")


def test_an_id_with_a_lone_surrogate(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="lone surrogate"):
        get("brat").write(tmp_path / "x", [Document("a", id="r\ud83d")], CONFLICT)
    assert list(tmp_path.iterdir()) == []
