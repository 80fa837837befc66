"""The model's logits -> spans, links and incidents of a whole document.

A window is decoded for itself (:func:`read_windows`), then the windows of a document are joined (:func:`assemble`): every word belongs to
one window, a span to the window that its first word belongs to, and a link counts where either end does.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from conflict_nlp.counts import parse
from conflict_nlp.document import AttributeValue, Document, Link, Span
from conflict_nlp.encoding import COUNT_CLASSES, AttributeSlot, Window
from conflict_nlp.incidents import ClusterScore, Mention, cluster_mentions
from conflict_nlp.schema import Schema

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Key: TypeAlias = tuple[int, int, int]
"""What tells the spans of a document apart: start, end (negative, so that the longer sorts first) and label."""

FLOOR = 0.05  # spans below are never looked at


@dataclass(frozen=True)
class Thresholds:
    """Probabilities from which a decision is yes; tuned on held-out data and saved with the model.

    ``spans`` a label (``span`` for those not named); ``link`` for a link; ``only_link`` for the likeliest link of an argument,
    without which the argument is dropped, since every argument belongs to an anchor; ``cluster`` for two mentions of one event.
    """

    span: float = 0.3
    spans: Mapping[str, float] = field(default_factory=dict)
    link: float = 0.5
    only_link: float = 0.3
    cluster: float = 0.5

    def __post_init__(self) -> None:
        for name, value in {"span": self.span, "link": self.link, "only_link": self.only_link, "cluster": self.cluster, **self.spans}.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
                raise ValueError(f"threshold {name} is {value!r}, not a number between 0 and 1")

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)

    def replaced(self, changes: Mapping[str, Any], schema: Schema) -> Thresholds:
        """These thresholds with some changed: ``link=0.6``, or a label's name for its spans: ``ATTACK=0.3``.

        Raises:
            ValueError: a name is neither a threshold nor a label, or a value is no probability.
        """
        data = self.to_dict()
        for name, value in changes.items():
            if name in schema:
                data["spans"] = {**data["spans"], name: value}
            elif name == "spans":
                if not isinstance(value, Mapping) or set(value) - set(schema.names):
                    raise ValueError(f"threshold spans wants a label's name with each number; the labels are {', '.join(schema.names)}")
                data["spans"] = {**data["spans"], **value}
            elif name in data:
                data[name] = value
            else:
                raise ValueError(f"no threshold {name!r}: there are {', '.join([*data, *schema.names])}")
        if "span" in changes:  # for all labels, unless they are named beside it
            data["spans"] = {k: v for k, v in data["spans"].items() if k in changes or k in changes.get("spans", {})}
        return Thresholds(**data)


@dataclass(frozen=True)
class WindowReading:
    """The scored spans of one window, of which no two of a label overlap; positions are the document's.

    ``starts``, ``ends`` [S] characters; ``words`` [S] number of the first word; ``owned`` [S] whether this window decides; ``labels`` [S];
    ``scores`` [S]; ``links`` [S, S] probabilities, 0 where not allowed; ``attributes`` [S, C] probabilities; ``states`` [S, 64].
    """

    starts: Ints
    ends: Ints
    words: Ints
    owned: npt.NDArray[np.bool_]
    labels: Ints
    scores: Floats
    links: Floats
    attributes: Floats
    states: Floats


@dataclass(frozen=True)
class WindowOutputs:
    """What a model says of a batch of windows, as arrays on the CPU; shapes as of :class:`conflict_nlp.modeling.ConflictOutput`."""

    spans: Ints
    labels: Ints
    mask: npt.NDArray[np.bool_]
    span_logits: Floats
    link_logits: Floats
    attribute_logits: Floats
    cluster_states: Floats


def read_windows(output: WindowOutputs, windows: Sequence[Window], slots: Sequence[AttributeSlot]) -> list[WindowReading]:
    """The model's output for a batch, window by window."""
    spans, labels, mask, states = output.spans, output.labels, output.mask, output.cluster_states
    scores, links, probabilities = sigmoid(output.span_logits), sigmoid(output.link_logits), output.attribute_logits.copy()
    for slot in slots:
        part = slice(slot.offset, slot.offset + slot.size)
        exponentials = np.exp(probabilities[..., part] - probabilities[..., part].max(-1, keepdims=True))
        probabilities[..., part] = exponentials / exponentials.sum(-1, keepdims=True)
    readings = []
    for row, window in enumerate(windows):
        keep = _suppress(spans[row], labels[row], np.where(mask[row], scores[row], 0.0))
        first, last = spans[row, keep, 0], spans[row, keep, 1]
        words = first + window.first
        readings.append(
            WindowReading(
                starts=window.starts[first],
                ends=window.ends[last],
                words=words,
                owned=(words >= window.own[0]) & (words < window.own[1]),
                labels=labels[row, keep],
                scores=scores[row, keep],
                links=links[row][np.ix_(keep, keep)],
                attributes=probabilities[row, keep],
                states=states[row, keep],
            )
        )
    return readings


def sigmoid(logits: Floats) -> Floats:
    """Logits -> probabilities, by the tangent, which overflows nowhere."""
    probabilities: Floats = 0.5 * (1 + np.tanh(0.5 * logits))
    return probabilities


def _suppress(spans: Ints, labels: Ints, scores: Floats) -> Ints:
    """Of candidates of one label that overlap, the likeliest; in the order of the text."""
    kept: list[int] = []
    taken: dict[int, list[tuple[int, int]]] = {}
    for i in np.argsort(-scores, kind="stable"):
        if scores[i] < FLOOR:
            break
        first, last = int(spans[i, 0]), int(spans[i, 1])
        others = taken.setdefault(int(labels[i]), [])
        if all(last < a or first > b for a, b in others):
            others.append((first, last))
            kept.append(int(i))
    kept.sort(key=lambda i: (spans[i, 0], -spans[i, 1], labels[i]))
    return np.array(kept, dtype=np.int64)


@dataclass
class _Found:
    """A span of the document on its way to be one: where it stands in its window's reading."""

    label: int
    start: int
    end: int
    score: float
    reading: WindowReading
    row: int

    @property
    def key(self) -> Key:
        return self.start, -self.end, self.label


class _Spans:
    """The spans found so far, to be looked up by place; of two of a label that overlap only the likelier stays."""

    def __init__(self) -> None:
        self.by_label: dict[int, list[tuple[int, int]]] = {}
        self.found: dict[Key, _Found] = {}

    def at(self, label: int, start: int, end: int) -> _Found | None:
        """The span of this label that overlaps these characters, if there is one."""
        places = self.by_label.get(label, [])
        i = bisect_right(places, (start, end))
        for place in places[max(0, i - 1) : i + 1]:
            if place[0] < end and start < place[1]:
                return self.found[(place[0], -place[1], label)]
        return None

    def add(self, span: _Found) -> None:
        while (other := self.at(span.label, span.start, span.end)) is not None:
            if other.score >= span.score:
                return
            self.by_label[span.label].remove((other.start, other.end))
            del self.found[other.key]
        insort(self.by_label.setdefault(span.label, []), (span.start, span.end))
        self.found[span.key] = span


def assemble(
    text: str,
    readings: Sequence[WindowReading],
    schema: Schema,
    slots: Sequence[AttributeSlot],
    thresholds: Thresholds,
    cluster_score: ClusterScore,
) -> Document:
    """Join the windows of a text to one document."""
    limits = np.array([thresholds.spans.get(name, thresholds.span) for name in schema.names], dtype=np.float32)
    passed = [np.flatnonzero(reading.scores >= limits[reading.labels]) for reading in readings]
    spans = _Spans()
    for reading, rows in zip(readings, passed, strict=True):
        for row in rows[reading.owned[rows]]:
            spans.add(_found(reading, int(row)))
    dependent = {i for i, name in enumerate(schema.names) if name not in schema.anchors and any(schema.takes(a, name) for a in schema.anchors)}
    links = _links(readings, passed, spans, dependent, thresholds)
    linked = {argument for _, argument in links}
    found = sorted((s for s in spans.found.values() if s.label not in dependent or s.key in linked), key=lambda s: s.key)
    return _document(text, found, links, schema, slots, thresholds, cluster_score)


def _links(
    readings: Sequence[WindowReading], passed: Sequence[Ints], spans: _Spans, dependent: set[int], thresholds: Thresholds
) -> dict[tuple[Key, Key], float]:
    """The links that pass, and for an argument that has none its likeliest one in any window, if that is likely enough."""
    links: dict[tuple[Key, Key], float] = {}
    likeliest: dict[Key, tuple[float, Key]] = {}
    for reading, rows in zip(readings, passed, strict=True):
        scores = reading.links[np.ix_(rows, rows)]
        for i, j in np.argwhere((scores >= min(thresholds.link, thresholds.only_link)) & (scores > 0)):
            a, b, score = int(rows[i]), int(rows[j]), float(scores[i, j])
            anchor, argument = _resolve(spans, reading, a), _resolve(spans, reading, b)
            if anchor is None or not (reading.owned[a] or reading.owned[b]):
                continue
            # one that needs no link to be there has to have a sure one: the window that it belongs to did not see it
            if argument is None and reading.owned[a] and (score >= thresholds.link or int(reading.labels[b]) in dependent):
                argument = _found(reading, b)
                spans.add(argument)
            if argument is None or anchor.key == argument.key:
                continue
            if score >= thresholds.link:
                links[anchor.key, argument.key] = max(links.get((anchor.key, argument.key), 0.0), score)
            if argument.label in dependent and score > likeliest.get(argument.key, (0.0,))[0]:
                likeliest[argument.key] = (score, anchor.key)
    linked = {argument for _, argument in links}
    only = {(anchor, argument): score for argument, (score, anchor) in likeliest.items() if argument not in linked and score >= thresholds.only_link}
    return links | only


def _found(reading: WindowReading, row: int) -> _Found:
    return _Found(int(reading.labels[row]), int(reading.starts[row]), int(reading.ends[row]), float(reading.scores[row]), reading, row)


def _resolve(spans: _Spans, reading: WindowReading, row: int) -> _Found | None:
    return spans.at(int(reading.labels[row]), int(reading.starts[row]), int(reading.ends[row]))


def _document(
    text: str,
    found: Sequence[_Found],
    links: Mapping[tuple[Key, Key], float],
    schema: Schema,
    slots: Sequence[AttributeSlot],
    thresholds: Thresholds,
    cluster_score: ClusterScore,
) -> Document:
    ids = {s.key: f"T{i}" for i, s in enumerate(found, 1)}
    clusters: dict[str, Mapping[str, str]] = {}
    for name in schema.names:
        if attribute := schema.cluster(name):
            own = [s for s in found if schema.names[s.label] == name]
            mentions = [Mention(int(s.reading.words[s.row]), s.reading.states[s.row]) for s in own]
            numbers = cluster_mentions(mentions, cluster_score, thresholds.cluster)
            clusters |= {ids[s.key]: {attribute.name: f"{attribute.name[0]}{n}"} for s, n in zip(own, numbers, strict=True)}
    spans = []
    for s in found:
        words = text[s.start : s.end]
        attributes: dict[str, AttributeValue] = {}
        for slot in slots:
            if slot.label == schema.names[s.label]:
                attributes[slot.attribute.name] = _value(slot, s.reading.attributes[s.row, slot.offset : slot.offset + slot.size], words)
        attributes |= clusters.get(ids[s.key], {})
        spans.append(Span(ids[s.key], schema.names[s.label], s.start, s.end, words, attributes, round(s.score, 4)))
    ordered = sorted(links.items())
    return Document(text, tuple(spans), tuple(Link(ids[a], ids[b], round(score, 4)) for (a, b), score in ordered))


def _value(slot: AttributeSlot, probabilities: Floats, words: str) -> AttributeValue:
    if slot.attribute.kind == "flag":
        return bool(probabilities[1] > probabilities[0])
    if slot.attribute.kind == "choice":
        return slot.classes[int(probabilities.argmax())]
    stated = parse(words)
    chosen = COUNT_CLASSES[int((probabilities if stated.known else probabilities * [0, 1, 1, 1]).argmax())]
    return {"stated": str(stated), "one": "1", "none": "0", "open": "?"}[chosen]
