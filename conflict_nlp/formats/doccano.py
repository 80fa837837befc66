"""doccano's JSON Lines: entities and relations, as exported from and imported into a sequence labelling project with relations.

doccano counts in UTF-16 code units (unless a project counts grapheme clusters, which is not read). It has no attributes, but keeps
further fields of a text as metadata; attributes, scores and ids travel in one of these, and are given back to the entity of the same
place and label.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from conflict_nlp.document import Document
from conflict_nlp.formats.base import Format, declared_only
from conflict_nlp.formats.files import replacing
from conflict_nlp.formats.jsonl import dump, json_lines
from conflict_nlp.formats.records import Record, empty
from conflict_nlp.formats.units import Utf16
from conflict_nlp.schema import Schema

_KEPT = "conflict_nlp"
_OWN = {"id", "text", "data", "entities", "relations", "label", "labels", "Comments", "comments", "cats", _KEPT}


def read(path: Path, schema: Schema) -> Iterator[Record]:
    """The texts of a file, also of doccano before 1.5 (``label``: lists of start, end and label).

    Raises:
        FormatError: the file cannot be read.
    """
    return empty(path, _records(path))


def write(path: Path, documents: Iterable[Document], schema: Schema) -> None:
    """Write texts to import as JSONL (relation)."""
    with replacing(path) as file:
        for number, document in enumerate(documents, 1):
            file.write(dump(_example(number, declared_only(document, schema))).encode() + b"\n")


def _example(number: int, document: Document) -> dict[str, Any]:
    units = Utf16(document.text)
    index = {span.id: n for n, span in enumerate(document.spans)}
    labels = {span.id: span.label for span in document.spans}
    entities = [
        {"id": index[span.id], "label": span.label, "start_offset": units.units(span.start), "end_offset": units.units(span.end)} for span in document.spans
    ]
    relations = [
        {"id": n, "from_id": index[link.anchor], "to_id": index[link.argument], "type": labels[link.argument]} for n, link in enumerate(document.links)
    ]
    kept: dict[str, Any] = {"spans": [span.to_dict() for span in document.spans]}
    if document.id is not None:
        kept["id"] = document.id
    if any(link.score is not None for link in document.links):
        kept["links"] = [link.to_dict() for link in document.links]
    fields = {key: value for key, value in document.meta.items() if key not in _OWN}
    return {"id": number, "text": document.text, "entities": entities, "relations": relations, **fields, _KEPT: kept}


def _records(path: Path) -> Iterator[Record]:
    for where, data, problem in json_lines(path):
        yield Record(where, problems=(problem,)) if data is None else _record(where, data)


def _record(where: str, example: Mapping[str, Any]) -> Record:
    text = example.get("text", example.get("data"))
    kept = example.get(_KEPT) if isinstance(example.get(_KEPT), Mapping) else {}
    entities = _entities(example)
    relations = example.get("relations") or []
    if not isinstance(text, str) or entities is None or not isinstance(relations, list) or not isinstance(kept, Mapping):
        return Record(where, problems=("no text with entities and relations: export as JSONL (relation)",))
    problems: list[str] = []
    units = Utf16(text)
    remembered = _by_place(kept.get("spans"))
    spans: list[dict[str, Any]] = []
    ids: dict[Any, str] = {}
    taken = {span["id"] for group in remembered.values() for span in group}
    fresh = (name for name in (f"T{n}" for n in range(1, len(entities) + len(taken) + 1)) if name not in taken)
    for entity in entities:
        start, end = (units.points(o) if isinstance(o, int) else o for o in (entity.get("start_offset"), entity.get("end_offset")))
        place = (start, end, entity.get("label"))
        group = remembered.get(place) if all(isinstance(part, int | str) for part in place) else None
        known = group.pop(0) if group else {"id": next(fresh)}
        spans.append({**known, "label": entity.get("label"), "start": start, "end": end})
        if isinstance(entity.get("id"), int | str):
            ids[entity["id"]] = spans[-1]["id"]
    scores = _link_scores(kept.get("links"))
    links: list[dict[str, Any]] = []
    for relation in relations:
        ends = [relation.get(key) if isinstance(relation, Mapping) else None for key in ("from_id", "to_id")]
        if not all(isinstance(e, int | str) and e in ids for e in ends):
            problems.append(f"a relation joins {ends[0]!r} and {ends[1]!r}, which are no entities")
            continue
        anchor, argument = ids[ends[0]], ids[ends[1]]
        score = scores.get((anchor, argument))
        links.append({"anchor": anchor, "argument": argument, **({} if score is None else {"score": score})})
    fields = {key: value for key, value in example.items() if key not in _OWN and key not in ("spans", "links")}
    left = any(set(span) - {"id", "label", "start", "end", "text"} for group in remembered.values() for span in group)
    dropped = (*_dropped(example), *(("attributes and scores of entities that were moved, relabelled or deleted",) if left else ()))
    return Record(where, {**_id(example, kept), "text": text, "spans": spans, "links": links, **fields}, tuple(problems), dropped)


def _id(example: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
    if _KEPT in example:
        return {"id": kept["id"]} if "id" in kept else {}
    return {"id": str(example["id"])} if isinstance(example.get("id"), int | str) else {}


def _dropped(example: Mapping[str, Any]) -> tuple[str, ...]:
    return ("comments",) if example.get("Comments") or example.get("comments") else ()


def _entities(example: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
    entities = example.get("entities")
    if entities is None:
        triples = example.get("label", example.get("labels", []))
        if not isinstance(triples, list) or not all(isinstance(t, list) and len(t) == 3 for t in triples):
            return None
        entities = [{"id": n, "start_offset": t[0], "end_offset": t[1], "label": t[2]} for n, t in enumerate(triples)]
    return entities if isinstance(entities, list) and all(isinstance(e, Mapping) for e in entities) else None


def _by_place(spans: Any) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    found: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for span in spans if isinstance(spans, list) else []:
        place = tuple(span.get(key) for key in ("start", "end", "label")) if isinstance(span, dict) else ()
        if place and isinstance(span.get("id"), str) and all(isinstance(part, int | str) for part in place):
            found.setdefault(place, []).append({key: value for key, value in span.items() if key != "text"})
    return found


def _link_scores(links: Any) -> dict[tuple[str, str], Any]:
    given = [link for link in links if isinstance(link, dict)] if isinstance(links, list) else []
    return {(str(link.get("anchor")), str(link.get("argument"))): link.get("score") for link in given}


def _recognises(data: Mapping[str, Any]) -> bool:
    return isinstance(data.get("text"), str) and "spans" not in data and any(isinstance(data.get(key), list) for key in ("entities", "label"))


def _lost(document: Document, schema: Schema) -> Iterator[str]:
    yield from (f"the field {key!r} of documents, a name that doccano uses itself" for key in sorted(_OWN & set(document.meta)))


FORMAT = Format("doccano", "doccano's JSON Lines (relation)", (".doccano.jsonl",), read, write, recognises=_recognises, lost=_lost)
