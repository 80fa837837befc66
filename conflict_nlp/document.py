"""Document, Span and Link: a text with what was found in it, and the views that resolve its links."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from conflict_nlp.counts import Count
from conflict_nlp.schema import CONFLICT, Schema

AttributeValue = str | bool


class DocumentError(ValueError):
    """The data do not make a document; the message lists everything that is wrong, one problem a line."""


@dataclass(frozen=True)
class Span:
    """A labelled stretch of a text: ``document.text[start:end] == text``, in Unicode code points.

    ``attributes`` holds the values that the schema declares for the label, counts in the guidelines' grammar
    (``>=12``); :attr:`count` gives the same count with its bounds. ``score`` is a probability, ``None`` in gold.
    """

    id: str
    label: str
    start: int
    end: int
    text: str
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict, hash=False)
    score: float | None = None

    @property
    def status(self) -> str | None:
        """``actual`` or ``other``, of an ATTACK."""
        return _text_or_none(self.attributes.get("status"))

    @property
    def incident(self) -> str | None:
        """The incident that an ATTACK mentions."""
        return _text_or_none(self.attributes.get("incident"))

    @property
    def kind(self) -> str | None:
        """``violation``, ``assertion``, ``recognition`` or ``rejection``, of a CLAIM."""
        return _text_or_none(self.attributes.get("kind"))

    @property
    def outcome(self) -> str | None:
        """What happened to a CASUALTY: ``killed``, ``injured``, …"""
        return _text_or_none(self.attributes.get("outcome"))

    @property
    def count(self) -> Count | None:
        """How many a CASUALTY is, with bounds."""
        value = self.attributes.get("count")
        return Count.from_string(value) if isinstance(value, str) else None

    @property
    def subset(self) -> bool:
        """Whether a CASUALTY is a detail or a repetition of another one, and not to be added to it."""
        return self.attributes.get("subset") is True

    def overlaps(self, other: Span) -> bool:
        """Whether the two share at least one character."""
        return self.start < other.end and other.start < self.end

    def to_dict(self) -> dict[str, Any]:
        """The span as plain data, attributes beside the offsets."""
        data: dict[str, Any] = {"id": self.id, "label": self.label, "start": self.start, "end": self.end, "text": self.text, **self.attributes}
        if self.score is not None:
            data["score"] = self.score
        return data


@dataclass(frozen=True)
class Link:
    """An argument's role: ``anchor`` and ``argument`` are ids of spans; the argument's label is the role."""

    anchor: str
    argument: str
    score: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The link as plain data."""
        data: dict[str, Any] = {"anchor": self.anchor, "argument": self.argument}
        if self.score is not None:
            data["score"] = self.score
        return data


@dataclass(frozen=True)
class Anchor:
    """An anchor with its arguments resolved."""

    span: Span
    linked: tuple[Span, ...]

    def arguments(self, label: str) -> tuple[Span, ...]:
        """The linked spans of one label, in the order of the text."""
        return tuple(s for s in self.linked if s.label == label)

    @property
    def text(self) -> str:
        """The words of the anchor itself."""
        return self.span.text


class Attack(Anchor):
    """An ATTACK and who took part in it."""

    @property
    def attackers(self) -> tuple[Span, ...]:
        """Who carried it out, or is said to."""
        return self.arguments("ATTACKER")

    @property
    def targets(self) -> tuple[Span, ...]:
        """Who or what it was aimed at."""
        return self.arguments("TARGET")

    @property
    def casualties(self) -> tuple[Span, ...]:
        """Who was killed, injured, captured or displaced by it, or is missing."""
        return self.arguments("CASUALTY")

    @property
    def weapons(self) -> tuple[Span, ...]:
        """With what."""
        return self.arguments("WEAPON")

    @property
    def locations(self) -> tuple[Span, ...]:
        """Where."""
        return self.arguments("LOCATION")

    @property
    def times(self) -> tuple[Span, ...]:
        """When."""
        return self.arguments("TIME")

    @property
    def status(self) -> str | None:
        """``actual`` (it happened, or is said to have) or ``other`` (planned, denied, feared)."""
        return self.span.status


class Claim(Anchor):
    """A CLAIM about whose a territory is, or whether a sovereignty was breached."""

    @property
    def claimants(self) -> tuple[Span, ...]:
        """Who makes or holds the claim."""
        return self.arguments("CLAIMANT")

    @property
    def opponents(self) -> tuple[Span, ...]:
        """Whom it accuses, or against whose claim it stands."""
        return self.arguments("OPPONENT")

    @property
    def sovereigns(self) -> tuple[Span, ...]:
        """Whose sovereignty it upholds or says was breached."""
        return self.arguments("SOVEREIGN")

    @property
    def territories(self) -> tuple[Span, ...]:
        """The land, sea or air in question."""
        return self.arguments("TERRITORY")

    @property
    def attacks(self) -> tuple[Span, ...]:
        """The attacks that the claim is about, as spans; :attr:`Document.attacks` has their arguments."""
        return self.arguments("ATTACK")

    @property
    def kind(self) -> str | None:
        """``violation``, ``assertion``, ``recognition`` or ``rejection``."""
        return self.span.kind


@dataclass(frozen=True)
class Incident:
    """The attacks of one incident, merged."""

    id: str
    attacks: tuple[Anchor, ...]

    def arguments(self, label: str) -> tuple[Span, ...]:
        """The spans of one label that are linked to any of its attacks, each once, in the order of the text."""
        spans = {s.id: s for attack in self.attacks for s in attack.arguments(label)}
        return tuple(sorted(spans.values(), key=_position))

    @property
    def status(self) -> str | None:
        """``actual`` if any mention reports the incident as having happened, ``None`` if no mention has a status."""
        found = {a.span.status for a in self.attacks} - {None}
        return "actual" if "actual" in found else "other" if found else None

    def count(self, outcome: str) -> Count | None:
        """How many people had this outcome: the sum over the casualties that are not ``subset``.

        Where these tell no number, or all are details, the largest detail is a lower bound; a lone detail is what it says. ``None`` where the text names
        nobody.
        """
        spans = [s for s in self.arguments("CASUALTY") if s.outcome == outcome]
        if len(spans) == 1:
            return spans[0].count or Count()
        whole = [s.count or Count() for s in spans if not s.subset]
        if whole and (total := sum(whole[1:], whole[0])).known:
            return total
        lows = [s.count.low for s in spans if s.subset and s.count is not None and s.count.low]
        return Count(max(lows), None) if lows else (Count() if spans else None)

    @property
    def killed(self) -> Count | None:
        """How many people were killed."""
        return self.count("killed")

    @property
    def injured(self) -> Count | None:
        """How many people were injured."""
        return self.count("injured")


@dataclass(frozen=True)
class Document:
    """A text with spans and links. ``meta`` carries whatever else came with it (source, date, …) through to :meth:`to_dict`."""

    text: str
    spans: tuple[Span, ...] = ()
    links: tuple[Link, ...] = ()
    id: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @cached_property
    def _by_id(self) -> dict[str, Span]:
        return {s.id: s for s in self.spans}

    @cached_property
    def _linked(self) -> dict[str, list[Span]]:
        linked: dict[str, list[Span]] = {}
        for link in self.links:
            linked.setdefault(link.anchor, []).append(self._by_id[link.argument])
        return {anchor: sorted(spans, key=_position) for anchor, spans in linked.items()}

    def span(self, id: str) -> Span:
        """The span with this id.

        Raises:
            KeyError: there is none.
        """
        return self._by_id[id]

    def labelled(self, label: str) -> tuple[Span, ...]:
        """The spans of one label."""
        return tuple(s for s in self.spans if s.label == label)

    def anchors(self, label: str) -> tuple[Anchor, ...]:
        """The spans of an anchor label with their arguments, for any schema, in the order of the text."""
        return tuple(Anchor(s, tuple(self._linked.get(s.id, ()))) for s in sorted(self.labelled(label), key=_position))

    @property
    def attacks(self) -> tuple[Attack, ...]:
        """Every mention of an attack, with its arguments."""
        return tuple(Attack(a.span, a.linked) for a in self.anchors("ATTACK"))

    @property
    def claims(self) -> tuple[Claim, ...]:
        """Every sovereignty claim, with its arguments."""
        return tuple(Claim(a.span, a.linked) for a in self.anchors("CLAIM"))

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """The attacks grouped by incident, in the order of first mention."""
        groups: dict[str, list[Anchor]] = {}
        for attack in self.attacks:
            groups.setdefault(attack.span.incident or attack.span.id, []).append(attack)
        return tuple(Incident(id, tuple(attacks)) for id, attacks in groups.items())

    def to_dict(self) -> dict[str, Any]:
        """The document as plain data for JSON."""
        head = {} if self.id is None else {"id": self.id}
        return {
            **head,
            "text": self.text,
            "spans": [s.to_dict() for s in self.spans],
            "links": [link.to_dict() for link in self.links],
            **self.meta,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], schema: Schema = CONFLICT) -> Document:
        """The inverse of :meth:`to_dict`; keys that are not the document's own go to ``meta``.

        Raises:
            DocumentError: offsets, ids, labels, links or attributes are wrong; everything that is, is listed.
        """
        if problems := document_problems(data, schema):
            raise DocumentError("\n".join(problems))
        spans = tuple(
            Span(
                id=s["id"],
                label=s["label"],
                start=s["start"],
                end=s["end"],
                text=data["text"][s["start"] : s["end"]],
                attributes={k: v for k, v in s.items() if k not in _SPAN_KEYS},
                score=s.get("score"),
            )
            for s in data.get("spans", ())
        )
        links = tuple(Link(link["anchor"], link["argument"], link.get("score")) for link in data.get("links", ()))
        meta = {k: v for k, v in data.items() if k not in ("id", "text", "spans", "links")}
        return cls(data["text"], spans, links, data.get("id"), meta)


_SPAN_KEYS = ("id", "label", "start", "end", "text", "score")


def document_problems(data: Any, schema: Schema = CONFLICT) -> list[str]:
    """Everything that keeps data from being a document under a schema: one line a problem, naming span or link."""
    if not isinstance(data, Mapping):
        return [f"a document is a JSON object, not {_kind(data)}"]
    text = data.get("text")
    if not isinstance(text, str):
        return ["the document has no text" if text is None else f"text is {_kind(text)}, not a string"]
    problems = []
    if not isinstance(data.get("id"), str | None):
        problems.append(f"the document's id is {_kind(data['id'])}, not a string")
    labels: dict[str, str] = {}
    for number, span in enumerate(_sequence(data, "spans", problems), 1):
        if not isinstance(span, Mapping) or not isinstance(span.get("id"), str):
            problems.append(f"span {number} is no object with an id")
            continue
        name = f"span {span['id']}"
        if span["id"] in labels:
            problems.append(f"{name}: the id is used twice")
        label = span.get("label")
        labels[span["id"]] = label if isinstance(label, str) else ""
        problems += [f"{name}: {p}" for p in _span_problems(span, text, schema)]
    for number, link in enumerate(_sequence(data, "links", problems), 1):
        if not isinstance(link, Mapping) or not isinstance(link.get("anchor"), str) or not isinstance(link.get("argument"), str):
            problems.append(f"link {number} is no object with an anchor and an argument")
            continue
        name = f"link {link['anchor']} to {link['argument']}"
        missing = [end for end in (link["anchor"], link["argument"]) if end not in labels]
        if missing:
            problems += [f"{name}: there is no span {end}" for end in missing]
        elif not schema.takes(labels[link["anchor"]], labels[link["argument"]]):
            problems.append(f"{name}: {labels[link['anchor']]} takes no {labels[link['argument']]}")
        elif link["anchor"] == link["argument"]:
            problems.append(f"{name}: a span cannot be its own argument")
        problems += [f"{name}: {p}" for p in _score_problems(link)]
    return problems


def _span_problems(span: Mapping[str, Any], text: str, schema: Schema) -> Iterable[str]:
    label, start, end = span.get("label"), span.get("start"), span.get("end")
    if not isinstance(label, str) or label not in schema:
        yield f"the schema has no label {label!r}, only {', '.join(schema.names)}"
    else:
        for attribute in schema[label].attributes:
            value = span.get(attribute.name)
            if value is None:
                continue
            if attribute.kind == "choice" and value not in attribute.values:
                yield f"{attribute.name} is {value!r}, not one of {', '.join(attribute.values)}"
            elif attribute.kind == "flag" and not isinstance(value, bool):
                yield f"{attribute.name} is {value!r}, not true or false"
            elif attribute.kind == "cluster" and not isinstance(value, str):
                yield f"{attribute.name} is {value!r}, not a string"
            elif attribute.kind == "count":
                try:
                    Count.from_string(value if isinstance(value, str) else "")
                except ValueError:
                    yield f"{attribute.name} is {value!r}, not a count like 3, >=12, <=40, ~100, 10-15, 0 or ?"
    if not isinstance(start, int) or not isinstance(end, int) or isinstance(start, bool) or isinstance(end, bool):
        yield f"start and end are {start!r} and {end!r}, not whole numbers"
    elif not 0 <= start < end <= len(text):
        yield f"offsets {start}-{end} do not lie inside the text of {len(text)} characters"
    elif isinstance(span.get("text"), str) and span["text"] != text[start:end]:
        yield f"its text is {span['text']!r}, the document has {text[start:end]!r} at {start}-{end}"
    yield from _score_problems(span)


def _score_problems(data: Mapping[str, Any]) -> Iterable[str]:
    score = data.get("score")
    if score is not None and (isinstance(score, bool) or not isinstance(score, int | float)):
        yield f"score is {score!r}, not a number"


def _sequence(data: Mapping[str, Any], key: str, problems: list[str]) -> Iterable[Any]:
    value = data.get(key, ())
    if isinstance(value, list | tuple):
        return value
    problems.append(f"{key} is {_kind(value)}, not a list")
    return ()


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a truth value", int: "a number", float: "a number", bytes: "bytes", type(None): "null"}
    return names.get(type(value), f"a {type(value).__name__}")


def _position(span: Span) -> tuple[int, int]:
    return span.start, span.end


def _text_or_none(value: AttributeValue | None) -> str | None:
    return value if isinstance(value, str) else None
