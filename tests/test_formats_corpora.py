"""Public corpora: small samples rebuilt by hand in their formats, and the corpora themselves where they are here."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from conflict_nlp.document import Document
from conflict_nlp.formats import FormatError
from conflict_nlp.formats.convert import convert_file
from conflict_nlp.formats.records import Record, collect
from conflict_nlp.formats.registry import get, guess_input, guess_output
from conflict_nlp.formats.schema_file import read_schema
from conflict_nlp.schema import CONFLICT, Schema

CONFIGS = Path(__file__).parents[1] / "configs"
TEXT = "The army struck\nRaqqa. Its spokesman, Gen. Amal Noor, counted 12 targets."


@pytest.fixture(scope="module")
def re3d_schema() -> Schema:
    return read_schema(CONFIGS / "re3d.yaml")


@pytest.fixture(scope="module")
def cameo_schema() -> Schema:
    return read_schema(CONFIGS / "cameo.yaml")


def entity(words: str, type: str, confidence: float = 1, **changes: Any) -> dict[str, Any]:
    start = TEXT.index(words)
    value = words.replace("\n", " ")
    return {"begin": start, "end": start + len(words), "type": type, "value": value, "documentId": "D1", "confidence": confidence, **changes}


def source(folder: Path, documents: list[dict[str, Any]], entities: list[dict[str, Any]], relations: list[dict[str, Any]]) -> Path:
    folder.mkdir(parents=True)
    for name, items in (("documents", documents), ("entities", entities), ("relations", relations)):
        (folder / f"{name}.json").write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf-8")
    return folder


DOCUMENT = {"_id": "D1", "sourceName": "Army", "sourceUrl": "http://army.example/1", "wordCount": 12, "title": "A strike", "text": TEXT}
ENTITIES = [
    entity("Gen. Amal Noor", "Person", 0.7),
    entity("struck\nRaqqa", "Location"),
    entity("Amal Noor", "Person"),
    entity("The army", "Organisation"),
    entity("targets", "Location", 0.2),
]


def read(name: str, path: Path, schema: Schema) -> tuple[list[Document], Counter[str]]:
    records: list[Record] = list(get(name).read(path, schema))
    return collect(records, schema), Counter(kind for record in records for kind in record.dropped)


def refused(name: str, path: Path, schema: Schema) -> str:
    with pytest.raises(FormatError) as error:
        collect(get(name).read(path, schema), schema)
    return str(error.value)


def test_re3d(tmp_path: Path, re3d_schema: Schema) -> None:
    source(tmp_path / "corpus" / "army", [DOCUMENT], ENTITIES, [{"documentId": "D1", "type": "CoLocated"}])
    source(tmp_path / "corpus" / "wire", [{"_id": "D2", "text": "Nothing."}], [], [])
    (first, second), dropped = read("re3d", tmp_path / "corpus", re3d_schema)
    assert [(s.label, s.text) for s in first.spans] == [
        ("Organisation", "The army"),
        ("Location", "struck\nRaqqa"),  # a line break is a blank in the value
        ("Person", "Gen. Amal Noor"),
        ("Person", "Amal Noor"),
    ]
    assert (first.id, dict(first.meta)) == ("D1", {"source": "Army", "title": "A strike", "url": "http://army.example/1"})
    assert (second.id, second.spans, dict(second.meta)) == ("D2", (), {})
    assert sorted(dropped.values()) == [1, 1]
    assert {kind.split()[0] for kind in dropped} == {"entities", "relations"}
    assert guess_input(tmp_path / "corpus").name == "re3d"


@pytest.mark.parametrize(
    ("change", "place", "problem"),
    [
        ({"entities": [entity("The army", "Organisation", end=999)]}, "entities.json:1", "end 999 do not lie inside the text"),
        ({"entities": [ENTITIES[0], entity("The army", "Organisation", value="An army")]}, "entities.json:2", "value is 'An army', the text has 'The army'"),
        ({"entities": [entity("The army", "Organisation", documentId="D9")]}, "entities.json:1", "documentId 'D9' is none"),
        ({"entities": [entity("The army", "Organisation", begin="0", confidence=True)]}, "entities.json:1", "begin, confidence: missing or of another kind"),
        ({"entities": [entity("The army", "Army")]}, "documents.json:1", "no label 'Army'"),
        ({"relations": [{"type": "Likes"}]}, "relations.json:1", "documentId: missing"),
        ({"documents": [{"_id": "D1"}]}, "documents.json:1", "text: missing"),
    ],
)
def test_re3d_that_is_wrong(change: dict[str, Any], place: str, problem: str, tmp_path: Path, re3d_schema: Schema) -> None:
    folder = source(tmp_path / "x", **{"documents": [DOCUMENT], "entities": [], "relations": [], **change})
    told = refused("re3d", folder, re3d_schema)
    assert told.startswith(str(folder / place))
    assert problem in told
    assert "\n" not in told


def test_re3d_whose_files_are_broken(tmp_path: Path, re3d_schema: Schema) -> None:
    assert "no documents.json" in refused("re3d", tmp_path, re3d_schema)
    folder = source(tmp_path / "x", [DOCUMENT], [], [])
    assert "say --schema configs/re3d.yaml" in refused("re3d", folder, CONFLICT)
    (folder / "entities.json").write_text('{"a": \n')
    assert "entities.json:1: not JSON" in refused("re3d", folder, re3d_schema)
    (folder / "entities.json").unlink()
    assert "entities.json: cannot be read" in refused("re3d", folder, re3d_schema)


CAMEO = "In O\nKiev O\na B-S\nbomb I-S\nkilled O\nmany B-T\n. O\n\nThe B-R\nUN I-R\ntalked O\n\nIn O\nKiev O\na B-S\nbomb I-S\nkilled O\nmany B-T\n. O\n"


def test_cameo(tmp_path: Path, cameo_schema: Schema) -> None:
    (tmp_path / "train.txt").write_text(CAMEO)
    documents, _ = read("cameo-ner", tmp_path / "train.txt", cameo_schema)
    assert [d.id for d in documents] == ["cameo-1", "cameo-2", "cameo-1-2"]
    assert documents[0].text == "In Kiev a bomb killed many ."
    assert [[(s.label, s.text) for s in d.spans] for d in documents[:2]] == [[("SOURCE", "a bomb"), ("TARGET", "many")], [("RELATED", "The UN")]]


def test_cameo_that_is_wrong(tmp_path: Path, cameo_schema: Schema) -> None:
    path = tmp_path / "train.txt"
    path.write_text(CAMEO + "\nA B-X\n")
    assert refused("cameo-ner", path, cameo_schema).startswith(f"{path}:21: cameo-4: span T1: the schema has no label 'X', only SOURCE")
    path.write_text(CAMEO + "\nA\nthe B-T\n")
    assert "line 22 has other columns than line 21" in refused("cameo-ner", path, cameo_schema)
    assert "say --schema configs/cameo.yaml" in refused("cameo-ner", path, CONFLICT)
    path.write_text("")
    assert "the file is empty" in refused("cameo-ner", path, cameo_schema)


def test_corpora_are_only_read(tmp_path: Path, cameo_schema: Schema) -> None:
    (tmp_path / "train.txt").write_text(CAMEO)
    with pytest.raises(FormatError, match="only read: write another one"):
        convert_file(tmp_path / "train.txt", tmp_path / "x", get("cameo-ner"), get("re3d"), cameo_schema)
    with pytest.raises(FormatError) as error:
        guess_output(tmp_path / "x")
    assert "re3d" not in str(error.value)
    assert not (tmp_path / "x").exists()


def test_all_of_re3d(corpora: Path, re3d_schema: Schema) -> None:
    documents, dropped = read("re3d", corpora / "re3d", re3d_schema)
    counts = Counter(span.label for document in documents for span in document.spans)
    assert (len(documents), counts.total(), counts["Organisation"], counts["Weapon"]) == (69, 2193, 909, 71)
    assert sorted(dropped.values()) == [897, 921]


def test_all_of_cameo(corpora: Path, cameo_schema: Schema) -> None:
    documents, dropped = read("cameo-ner", corpora / "cameo_ner" / "train.txt", cameo_schema)
    counts = Counter(span.label for document in documents for span in document.spans)
    assert len(documents) == len({d.id for d in documents}) == 1153
    assert counts == {"SOURCE": 1094 + 3, "TARGET": 963, "RELATED": 102}  # three I-S follow no B-S, and begin a span
    assert not dropped
