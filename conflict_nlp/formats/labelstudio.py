"""Label Studio: its JSON export, and tasks to import with annotations or with predictions (pre-annotations).

Regions count in code points (Label Studio since 1.4; exports of older versions count UTF-16 units, which is told from the text that every
region repeats). Attributes are per-region choices and text areas, named as in :func:`conflict_nlp.formats.labelstudio_config.labeling_config`;
links are relations from the anchor to the argument. The other fields of a document stand beside the text in the task's ``data``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conflict_nlp.document import Document, Span
from conflict_nlp.formats.base import Format, declared_only
from conflict_nlp.formats.files import replacing
from conflict_nlp.formats.jsonarray import elements
from conflict_nlp.formats.jsonl import dump
from conflict_nlp.formats.labelstudio_config import LABELS, TEXT, control
from conflict_nlp.formats.records import Record, empty
from conflict_nlp.formats.units import Utf16
from conflict_nlp.schema import Attribute, Schema

_WHITE = re.compile(r"\\n|\s")


def read(path: Path, schema: Schema) -> Iterator[Record]:
    """The tasks of an export. A task's annotation is the one marked as ground truth, else the one changed last; without any, its prediction.

    Raises:
        FormatError: the file cannot be read, or is no JSON array.
    """
    return empty(path, (_record(f"{path}:{e.line}: task {e.number}", e.value, schema) for e in elements(path)))


def write(path: Path, documents: Iterable[Document], schema: Schema, predictions: bool | None = None) -> None:
    """Write tasks to import.

    Args:
        path: the JSON file.
        documents: what to label, or what is labelled.
        schema: the labels.
        predictions: give the spans as pre-annotations to be corrected; by default, those of documents that have scores, and a document
            without spans becomes a task that is still to be annotated.
    """
    with replacing(path) as file:
        before = b"[\n"
        for document in documents:
            file.write(before + dump(task(document, schema, predictions)).encode())
            before = b",\n"
        file.write(b"[]\n" if before == b"[\n" else b"\n]\n")


def task(document: Document, schema: Schema, predictions: bool | None = None) -> dict[str, Any]:
    """A document as a task."""
    if predictions is None and not document.spans:
        return {"data": _data(document)}  # an empty annotation would count as done
    if predictions is None:
        predictions = any(span.score is not None for span in document.spans) or any(link.score is not None for link in document.links)
    data = _data(document)
    labels = {span.id: span.label for span in document.spans}
    result: list[dict[str, Any]] = []
    for span in declared_only(document, schema).spans:
        result += _results(span, schema)
    for link in document.links:
        relation = {"type": "relation", "from_id": link.anchor, "to_id": link.argument, "direction": "right", "labels": [labels[link.argument]]}
        result.append(relation if link.score is None else {**relation, "score": link.score})
    if not predictions:
        return {"data": data, "annotations": [{"result": result}]}
    scores = [span.score for span in document.spans if span.score is not None]
    return {"data": data, "predictions": [{"model_version": "conflict-nlp", "score": min(scores, default=1.0), "result": result}]}


def _data(document: Document) -> dict[str, Any]:
    return {TEXT: document.text, **({} if document.id is None else {"id": document.id}), **document.meta}


def _results(span: Span, schema: Schema) -> Iterator[dict[str, Any]]:
    place = {"start": span.start, "end": span.end}
    common = {"id": span.id, "to_name": TEXT}
    region = {**common, "from_name": LABELS, "type": "labels", "value": {**place, "text": span.text, "labels": [span.label]}}
    yield region if span.score is None else {**region, "score": span.score}
    for attribute in schema[span.label].attributes:
        value = span.attributes.get(attribute.name)
        if value is None:
            continue
        answer = {**common, "from_name": control(span.label, attribute.name)}
        if attribute.kind in ("choice", "flag"):
            choice = str(value).lower() if isinstance(value, bool) else value
            yield {**answer, "type": "choices", "value": {**place, "text": span.text, "choices": [choice]}}
        else:
            yield {**answer, "type": "textarea", "value": {**place, "text": [value]}}


@dataclass
class _Task:
    """What is gathered from the results of one annotation."""

    text: str
    schema: Schema
    spans: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: list[tuple[str, str, Any]] = field(default_factory=list)
    links: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    dropped: set[str] = field(default_factory=set)

    def add(self, item: Any) -> None:
        if not isinstance(item, Mapping) or not isinstance(item.get("type"), str):
            self.problems.append("a result is no object with a type")
        elif item["type"] == "relation":
            self._relation(item)
        elif not isinstance(item.get("value"), Mapping) or not isinstance(item.get("id"), str):
            self.problems.append(f"a result of type {item['type']} has no id or no value")
        elif item["type"] in ("labels", "hypertextlabels"):
            self._region(item["id"], item["value"], item["type"], item.get("score"))
        else:
            name = item.get("from_name")
            self.answers.append((item["id"], name if isinstance(name, str) else "", _answer(item["type"], item["value"])))

    def _region(self, id: str, value: Mapping[str, Any], type: str, score: Any) -> None:
        labels = value.get(type)
        if not isinstance(labels, list) or not labels:
            self.dropped.add("regions without a label")
            return
        offsets = value.get("globalOffsets") if isinstance(value.get("globalOffsets"), Mapping) else value
        start, end = _place(self.text, offsets, value.get("text"))
        for number, label in enumerate(labels):
            span = {"id": id if number == 0 else f"{id}-{number + 1}", "label": label, "start": start, "end": end}
            if isinstance(value.get("text"), str) and not _same(self.text, start, end, value["text"]):
                span["text"] = value["text"]
            self.spans[span["id"]] = span if score is None else {**span, "score": score}

    def _relation(self, item: Mapping[str, Any]) -> None:
        ends = (item.get("from_id"), item.get("to_id"))
        if item.get("direction") == "left":
            ends = ends[::-1]
        link = {"anchor": ends[0], "argument": ends[1]}
        self.links.append(link if item.get("score") is None else {**link, "score": item["score"]})

    def data(self) -> dict[str, Any]:
        """The document's data, once all results are added."""
        for id, name, value in self.answers:
            span = self.spans.get(id)
            attribute = None if span is None else _attribute(self.schema, span["label"], name)
            if span is None or attribute is None:
                self.dropped.add(f"answers to {name!r} that are no attribute of the region's label")
            elif value is not None:
                span[attribute.name] = (value == "true" or value == attribute.name) if attribute.kind == "flag" else value
        for link in self.links:
            anchor, argument = (str(self.spans.get(link[end], {}).get("label")) if isinstance(link[end], str) else "" for end in ("anchor", "argument"))
            # annotators draw the arrow either way; the schema knows which end is the anchor
            if not self.schema.takes(anchor, argument) and self.schema.takes(argument, anchor):
                link["anchor"], link["argument"] = link["argument"], link["anchor"]
        return {"text": self.text, "spans": list(self.spans.values()), "links": self.links}


def _record(where: str, item: Any, schema: Schema) -> Record:
    if not isinstance(item, Mapping) or not isinstance(item.get("data"), Mapping):
        return Record(where, problems=("no task with data: export as JSON (not JSON-MIN, CSV or CoNLL)",))
    fields = dict(item["data"])
    text = fields.pop(TEXT, None)
    if not isinstance(text, str):
        return Record(where, problems=(f"the data have no {TEXT!r}, only {', '.join(map(repr, fields)) or 'nothing'}: name the text so",))
    id = fields.pop("id", item.get("id"))
    found = _Task(text, schema)
    annotations = _listed(item, "annotations", "completions")
    if annotations and all(a.get("was_cancelled") for a in annotations):
        return Record(where, dropped=("skipped annotations",), text=text)
    result = _chosen(annotations, item, found)
    if not isinstance(result, list):
        return Record(where, problems=("the annotation has no list of results",))
    for entry in result:
        found.add(entry)
    # native documents that were imported as tasks have their old annotation here
    fields = {key: value for key, value in fields.items() if key not in ("spans", "links")}
    data = {**({} if id is None else {"id": str(id) if isinstance(id, int) else id}), **found.data(), **fields}
    return Record(where, data, tuple(found.problems), tuple(sorted(found.dropped)))


def _listed(item: Mapping[str, Any], *keys: str) -> list[Mapping[str, Any]] | None:
    """The annotations under some keys; ``None`` where they are no lists of objects."""
    given = [item.get(key) or [] for key in keys]
    if not all(isinstance(group, list) and all(isinstance(a, Mapping) for a in group) for group in given):
        return None
    return [a for group in given for a in group]


def _chosen(annotations: list[Mapping[str, Any]] | None, item: Mapping[str, Any], found: _Task) -> Any:
    """The results of the annotation that counts; without any, of the last prediction."""
    if not annotations:
        predictions = None if annotations is None else _listed(item, "predictions")
        return None if predictions is None else (predictions or [{"result": []}])[-1].get("result")
    done = [a for a in annotations if not a.get("was_cancelled")]
    if len(done) > 1:
        found.dropped.add("further annotations of a task (the ground truth counts, else the one changed last)")
    if len(done) < len(annotations):
        found.dropped.add("skipped annotations")
    return max(reversed(done), key=lambda a: (bool(a.get("ground_truth")), str(a.get("updated_at", "")))).get("result")


def _answer(type: str, value: Mapping[str, Any]) -> Any:
    content = value.get("text") if type == "textarea" else value.get(type, value.get("number"))
    if isinstance(content, list):
        content = content[0] if content else None
    return str(content) if isinstance(content, int) and not isinstance(content, bool) else content


def _attribute(schema: Schema, label: Any, name: str) -> Attribute | None:
    if not isinstance(label, str) or label not in schema:
        return None
    return next((a for a in schema[label].attributes if name in (a.name, control(label, a.name))), None)


def _place(text: str, offsets: Any, words: Any) -> tuple[Any, Any]:
    start, end = offsets.get("start"), offsets.get("end")
    if not isinstance(start, int) or not isinstance(end, int) or not isinstance(words, str) or _same(text, start, end, words):
        return start, end
    units = Utf16(text)
    as_points = units.points(start), units.points(end)
    return as_points if _same(text, *as_points, words) else (start, end)


def _same(text: str, start: Any, end: Any, words: str) -> bool:
    r"""Whether the words stand there; in them Label Studio writes a line break as ``\n``, one of CRLF twice, and leaves out blanks that a browser does."""
    there = text[start:end] if isinstance(start, int) and isinstance(end, int) and 0 <= start <= end else None
    return there is not None and (there == words or _WHITE.sub("", there) == _WHITE.sub("", words))


FORMAT = Format("label-studio", "Label Studio's JSON (export, and tasks to import)", (".json",), read, write)
