"""The lines of a brat ``.ann`` file, gathered into a document (https://brat.nlplab.org/standoff.html)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from urllib.parse import unquote

from conflict_nlp.formats.files import Line
from conflict_nlp.schema import Attribute, Schema

_PAIR = re.compile(r"([^=]+)=(.*)", re.DOTALL)


@dataclass
class Standoff:
    """Takes the lines of one file with :meth:`add`; :meth:`data` then gives the document, since a line may refer to a later one."""

    text: str
    schema: Schema
    spans: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    dropped: set[str] = field(default_factory=set)
    _links: dict[str, dict[str, Any]] = field(default_factory=dict)
    _triggers: dict[str, str] = field(default_factory=dict)
    _later: list[tuple[int, str, list[str]]] = field(default_factory=list)

    def add(self, line: Line) -> None:
        """Take one line."""
        if line.text is None:
            self.problems.append(f"line {line.number}: {line.problem}")
        elif line.text.strip():
            key, *rest = line.text.split("\t")
            if key.startswith("T") and len(rest) >= 1:
                self._text_bound(line.number, key, rest)
            elif key.startswith("E") and rest:
                self._triggers[key] = rest[0].split(" ")[0].partition(":")[2]
                self._later.append((line.number, key, rest))
            elif key[:1] in "RAM#*" and rest:
                self._later.append((line.number, key, rest))
            elif key.startswith("N") and rest:
                self.dropped.add("normalizations (N)")
            else:
                self._complain(line.number, f"not a line of brat: {line.text[:60]!r}")

    def data(self) -> dict[str, Any]:
        """The document, without its id."""
        for number, key, rest in sorted(self._later, key=lambda item: "ER".find(item[1][:1]) < 0):
            if key.startswith("E"):
                self._event(number, key, rest[0].split())
            elif key.startswith("R"):
                self._relation(number, key, rest[0].split(" "))
            elif key.startswith("*"):
                self._equivalents(number, rest[0].split())
            elif key.startswith("#"):
                self._note(rest)
            else:
                self._attribute(number, rest[0])
        spans = [{"id": key, **span} for key, span in self.spans.items()]
        ids = {key: span["id"] for key, span in zip(self.spans, spans, strict=True)}
        links = [{**link, **{end: ids.get(link[end], link[end]) for end in ("anchor", "argument")}} for link in self._links.values()]
        return {"text": self.text, "spans": spans, "links": links}

    def _text_bound(self, number: int, key: str, rest: list[str]) -> None:
        label, _, places = rest[0].partition(" ")
        if not re.fullmatch(r"\d{1,9} \d{1,9}(;\d{1,9} \d{1,9})*", places):
            self._complain(number, f"{key} has no offsets: {rest[0][:60]!r}")
            return
        if key in self.spans:
            self._complain(number, f"{key} is used twice")
            return
        fragments = [tuple(map(int, place.split())) for place in places.split(";")]
        for (_, end), (start, _) in pairwise(fragments):
            gap = self.text[end:start]
            if gap.strip() or "\n" not in gap:
                self._complain(number, f"{key} is discontinuous ({places}): mark one stretch, or two spans")
                return
        start, end = fragments[0][0], fragments[-1][1]
        self.spans[key] = {"label": label, "start": start, "end": end}
        words = rest[1] if len(rest) > 1 else ""
        if words and words.split() != self.text[start:end].split():
            self.spans[key]["text"] = words

    def _event(self, number: int, key: str, parts: list[str]) -> None:
        trigger = self._triggers[key]
        if trigger not in self.spans:
            self._complain(number, f"{key} has no trigger among the spans")
            return
        for part in parts[1:]:
            argument = self._span(part.partition(":")[2])
            self._links[f"{key} {part}"] = {"anchor": trigger, "argument": argument}

    def _relation(self, number: int, key: str, parts: list[str]) -> None:
        ends = [self._span(part.partition(":")[2]) for part in parts[1:] if part]
        if len(ends) != 2 or key in self._links:
            self._complain(number, f"{key} is used twice" if key in self._links else f"{key} joins {len(ends)} spans, not two")
            return
        labels = [self.spans.get(end, {}).get("label", "") for end in ends]
        # a relation may be declared either way round; the schema knows which end is the anchor
        if not self.schema.takes(*labels) and self.schema.takes(*reversed(labels)):
            ends.reverse()
        self._links[key] = {"anchor": ends[0], "argument": ends[1]}

    def _attribute(self, number: int, row: str) -> None:
        name, _, rest = row.partition(" ")
        target, _, value = rest.partition(" ")
        span = self.spans.get(self._span(target))
        if span is None:
            self._complain(number, f"the attribute {name} belongs to {target or 'nothing'}, which is no span")
        elif attribute := self._declared(span, name):
            span[name] = value.lower() not in ("false", "no") if attribute.kind == "flag" else value
        else:
            self.dropped.add(f"the attribute {name} of {span['label']}, which the schema does not declare")

    def _equivalents(self, number: int, parts: list[str]) -> None:
        members = [self.spans.get(self._span(part)) for part in parts[1:]]
        if parts[:1] != ["Equiv"] or not all(members):
            self._complain(number, "an equivalence names what is no span")
            return
        for span in members:
            cluster = self.schema.cluster(span["label"]) if span and span["label"] in self.schema else None
            if span and cluster:
                span[cluster.name] = f"equiv-{number}"
            else:
                self.dropped.add("equivalences of spans that have no cluster in the schema")

    def _note(self, rest: list[str]) -> None:
        target = rest[0].partition(" ")[2]
        pairs = [_PAIR.fullmatch(part) for part in (rest[1] if len(rest) > 1 else "").split("; ")]
        owner = self._links.get(target) if target.startswith("R") else self.spans.get(self._span(target))
        for pair in pairs:
            if owner is None or pair is None or not self._noted(owner, pair[1], unquote(pair[2])):
                self.dropped.add("notes")

    def _noted(self, owner: dict[str, Any], name: str, value: str) -> bool:
        if name == "score":
            try:
                owner["score"] = float(value)
            except ValueError:
                return False
        elif name == "id" and "label" in owner:
            owner["id"] = value
        elif attribute := self._declared(owner, name):
            owner[name] = value == "true" if attribute.kind == "flag" else value
        else:
            return False
        return True

    def _declared(self, span: dict[str, Any], name: str) -> Attribute | None:
        label = span.get("label", "")
        return next((a for a in self.schema[label].attributes if a.name == name), None) if label in self.schema else None

    def _span(self, key: str) -> str:
        """The key of a span; an event stands for its trigger."""
        return self._triggers.get(key, key)

    def _complain(self, number: int, problem: str) -> None:
        self.problems.append(f"line {number}: {problem}")
