"""Documents for the tests of the evaluation: short builders, and gold with noisy predictions as hypothesis strategies."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st
from strategies import documents

from conflict_nlp.document import Document, Link, Span
from conflict_nlp.schema import CONFLICT, Attribute, Label, Schema

TEXT = "Gunmen opened fire on a convoy in Mosul on Saturday, killing 12 soldiers and a driver, before a second raid."
Pair = tuple[list[Document], list[Document]]

FLAT = Schema("flat", (Label("PER"), Label("ORG"), Label("LOC")))
"""Labels alone: no links, attributes or clusters."""

MENTIONS = Schema("mentions", (Label("EVENT", attributes=(Attribute("incident", "cluster"),)),))


def span(id: str, label: str, start: int, end: int, score: float | None = None, text: str = TEXT, **attributes: str | bool) -> Span:
    return Span(id, label, start, end, text[start:end], attributes, score)


def document(*spans: Span, links: tuple[tuple[str, str], ...] = (), id: str | None = "d", text: str = TEXT, **meta: str) -> Document:
    return Document(text, spans, tuple(Link(*ends) for ends in links), id, meta)


def mentions(*clusters: str) -> Document:
    """A document with one-character mentions, each named by a character of one of the clusters."""
    text = "".join(sorted("".join(clusters)))
    spans = [Span(name, "EVENT", text.index(name), text.index(name) + 1, name, {"incident": f"i{n}"}) for n, c in enumerate(clusters) for name in c]
    return Document(text, tuple(spans))


@st.composite
def noisy(draw: st.DrawFn, gold: Document, schema: Schema = CONFLICT) -> Document:
    """A prediction for a document: spans kept, dropped, moved or relabelled, attributes and links as they still can be."""
    spans = []
    for old in gold.spans:
        change = draw(st.sampled_from(("keep", "keep", "drop", "move", "label")))
        if change == "move":
            start = draw(st.integers(max(0, old.start - 3), old.end - 1))
            end = draw(st.integers(start + 1, min(len(gold.text), old.end + 3)))
            spans.append(replace(old, start=start, end=end, text=gold.text[start:end]))
        elif change == "label":
            spans.append(replace(old, label=draw(st.sampled_from(schema.names)), attributes={}))
        elif change == "keep":
            spans.append(old)
    labels = {s.id: s.label for s in spans}
    kept = [k for k in gold.links if k.anchor in labels and k.argument in labels and schema.takes(labels[k.anchor], labels[k.argument])]
    return replace(gold, spans=tuple(spans), links=tuple(k for k in kept if draw(st.booleans())))


@st.composite
def pairs(draw: st.DrawFn, max_size: int = 3, **kwargs: bool) -> Pair:
    """Some gold documents with ids of their own, and their predictions."""
    gold = [replace(d, id=f"d{n}") for n, d in enumerate(draw(st.lists(documents(**kwargs), max_size=max_size)))]
    return gold, [draw(noisy(d)) for d in gold]
