"""Prodigy's JSON Lines, as ``rel.manual`` and ``spans.manual`` give them: tokens, spans, and relations between heads and children.

A relation runs from the anchor (``head``) to the argument (``child``) and is named by the argument's label. Prodigy keeps further keys of a
span through annotation; attributes, scores and ids travel so. Its ``rel`` view shows no overlapping spans, though the file holds them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from conflict_nlp.document import Document, Span
from conflict_nlp.formats.base import Format, declared_only
from conflict_nlp.formats.files import replacing
from conflict_nlp.formats.jsonl import dump, json_lines
from conflict_nlp.formats.records import Record, empty
from conflict_nlp.formats.tokens import covered, tokenize
from conflict_nlp.schema import Schema

_TASK = {"id", "text", "tokens", "spans", "relations", "meta", "answer", "options", "accept", "config"}  # keys that are Prodigy's
_OWN = {"start", "end", "label", "token_start", "token_end", "id", "text", "source", "input_hash", "type", "color"}


def read(path: Path, schema: Schema) -> Iterator[Record]:
    """The tasks of a file; those answered with reject or ignore are left out.

    Raises:
        FormatError: the file cannot be read.
    """
    return empty(path, _records(path, schema))


def write(path: Path, documents: Iterable[Document], schema: Schema) -> None:
    """Write tasks, tokenized at words and marks, to be annotated or to be read by ``prodigy db-in``."""
    with replacing(path) as file:
        for document in documents:
            file.write(dump(_task(declared_only(document, schema))).encode() + b"\n")


def _task(document: Document) -> dict[str, Any]:
    text = document.text
    tokens = tokenize(text, document.spans)
    spans = {span.id: _span(span, tokens) for span in document.spans}
    relations = []
    for link in document.links:
        head, child = spans[link.anchor], spans[link.argument]
        ends = {"head": head.get("token_end"), "child": child.get("token_end"), "head_span": head, "child_span": child, "label": child["label"]}
        relations.append(ends if link.score is None else {**ends, "score": link.score})
    return {
        **({} if document.id is None else {"id": document.id}),
        "text": text,
        "tokens": [{"text": text[a:b], "start": a, "end": b, "id": n, "ws": text[b : b + 1] == " "} for n, (a, b) in enumerate(tokens)],
        "spans": list(spans.values()),
        "relations": relations,
        "meta": dict(document.meta),
        "answer": "accept",
    }


def _span(span: Span, tokens: list[tuple[int, int]]) -> dict[str, Any]:
    place = covered(tokens, span)
    data: dict[str, Any] = {"id": span.id, "label": span.label, "start": span.start, "end": span.end, **span.attributes}
    if span.score is not None:
        data["score"] = span.score
    return data if place is None else {**data, "token_start": place[0], "token_end": place[1]}


def _records(path: Path, schema: Schema) -> Iterator[Record]:
    for where, data, problem in json_lines(path):
        if data is None:
            yield Record(where, problems=(problem,))
        elif data.get("answer", "accept") == "accept":
            yield _record(where, data, schema)
        else:
            text = data.get("text")
            yield Record(where, dropped=("tasks that were not accepted",), text=text if isinstance(text, str) else None)


def _record(where: str, task: Mapping[str, Any], schema: Schema) -> Record:
    dropped: set[str] = set()
    given = task.get("spans") or []
    relations = task.get("relations") or []
    meta = task.get("meta") or {}
    if not isinstance(given, list) or not isinstance(relations, list) or not isinstance(meta, Mapping):
        return Record(where, problems=("spans and relations are lists, and meta is an object, in a task of Prodigy",))
    if not all(isinstance(item, Mapping) for item in (*given, *relations)):
        return Record(where, problems=("a span or relation is no object",))
    ids = {span["id"] for span in given if isinstance(span.get("id"), str)}
    fresh = (name for name in (f"T{n}" for n in range(1, len(given) + len(ids) + 1)) if name not in ids)
    spans = [_native_span(span, fresh, schema, dropped) for span in given]
    links = []
    for relation in relations:
        ends = [_find(relation, end, spans, task) for end in ("head", "child")]
        if None in ends:
            dropped.add("relations of words that are no span")
            continue
        link = {"anchor": ends[0], "argument": ends[1]}
        links.append(link if relation.get("score") is None else {**link, "score": relation["score"]})
    around = {key: value for key, value in task.items() if key not in _TASK and not key.startswith("_")}
    fields = {key: value for key, value in {**around, **meta}.items() if key not in ("text", "spans", "links", "id")}
    id = task.get("id", meta.get("id"))
    head = {} if id is None else {"id": str(id) if isinstance(id, int) else id}
    return Record(where, {**head, "text": task.get("text"), "spans": spans, "links": links, **fields}, dropped=tuple(sorted(dropped)))


def _native_span(span: Mapping[str, Any], fresh: Iterator[str], schema: Schema, dropped: set[str]) -> dict[str, Any]:
    label = span.get("label")
    names = {a.name for a in schema[label].attributes} if isinstance(label, str) and label in schema else set()
    id = span["id"] if isinstance(span.get("id"), str) else next(fresh)
    data = {"id": id, "label": label, "start": span.get("start"), "end": span.get("end")}
    for key, value in span.items():
        if key in names or key == "score":
            data[key] = value
        elif key not in _OWN:
            dropped.add(f"the key {key!r} of spans")
    return data


def _find(relation: Mapping[str, Any], end: str, spans: list[dict[str, Any]], task: Mapping[str, Any]) -> str | None:
    """The id of a relation's span: by its id, else by its place and label, else by the token at which the arrow ends."""
    wanted = relation.get(f"{end}_span")
    if isinstance(wanted, Mapping):
        for keys in (("id",), ("start", "end", "label"), ("start", "end")):
            if all(wanted.get(key) is not None for key in keys):
                for span in spans:
                    if all(span[key] == wanted[key] for key in keys):
                        return str(span["id"])
    token = relation.get(end)
    for span, given in zip(spans, task.get("spans") or [], strict=True):
        if isinstance(token, int) and given.get("token_end") == token:
            return str(span["id"])
    return None


def _recognises(data: Mapping[str, Any]) -> bool:
    return "text" in data and ("_input_hash" in data or "_task_hash" in data or isinstance(data.get("tokens"), list))


FORMAT = Format("prodigy", "Prodigy's rel JSON Lines", (".prodigy.jsonl",), read, write, recognises=_recognises)
