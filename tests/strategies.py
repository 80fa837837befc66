"""Hypothesis strategies: random valid documents under the conflict schema or under random small schemas."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import strategies as st

from conflict_nlp.counts import Count
from conflict_nlp.document import Document, Link, Span
from conflict_nlp.schema import CONFLICT, Attribute, Label, Schema

# words of several scripts, emoji with a joiner and a skin tone, combining marks, text that looks like syntax of the formats
_PIECES = (
    "airstrikes", "killed", "12", "people", "Київ", "حلب", "东京", "é", "e\u0301", "नि", "👩🏽‍🚒", "💥", "🇺🇦", "𝔘", "U.S.", "Mr.", "it's", "|", "R",
    "T1", "END", "DOC", "#", "\\n", "<b>", "&amp;", '"', "%20", ";", "s0#2", ".", ",", "!", "(", ")", "\u200b", "\ufeff", "ﬁ",
)  # fmt: skip
_BLANKS = (" ", " ", " ", " ", "", "  ", "\n", "\t", "\u00a0", "\u2028", "\r\n", "\x85")


@st.composite
def texts(draw: st.DrawFn, blanks: tuple[str, ...] = _BLANKS) -> str:
    """Texts of words, marks and blanks; any of them may be first or last, and a text may be empty."""
    parts = draw(st.lists(st.tuples(st.sampled_from(_PIECES), st.sampled_from(blanks)), max_size=14))
    return draw(st.sampled_from(("", "", "", *blanks))) + "".join(word + blank for word, blank in parts)


def counts() -> st.SearchStrategy[str]:
    """Counts in the guidelines' grammar."""
    numbers = st.integers(0, 10**6)
    return st.one_of(
        numbers.map(lambda n: str(Count(n, n))),
        numbers.map(lambda n: str(Count(n, None))),
        numbers.map(lambda n: str(Count(None, n))),
        numbers.map(lambda n: str(Count(n, n, True))),
        st.tuples(numbers, st.integers(1, 100)).map(lambda pair: str(Count(pair[0], pair[0] + pair[1]))),
        st.just("?"),
    )


def _value(attribute: Attribute) -> st.SearchStrategy[Any]:
    if attribute.kind == "choice":
        return st.sampled_from(attribute.values)
    if attribute.kind == "flag":
        return st.booleans()
    if attribute.kind == "count":
        return counts()
    return st.integers(1, 4).map(lambda n: f"i{n}")


def scores() -> st.SearchStrategy[float | None]:
    """Probabilities, or none as in gold."""
    return st.none() | st.floats(0, 1, allow_nan=False)


@st.composite
def documents(
    draw: st.DrawFn,
    schema: Schema = CONFLICT,
    *,
    words: bool = False,
    scored: bool = True,
    whole_attributes: bool = False,
    blanks: tuple[str, ...] = _BLANKS,
    meta: bool = True,
) -> Document:
    """Valid documents: spans that overlap and nest, links that the schema allows, attributes or none.

    Args:
        draw: given by hypothesis.
        schema: the labels.
        words: spans begin and end at words, so that none cuts one or carries blanks.
        scored: spans and links may have scores.
        whole_attributes: every span has all attributes of its label, as gold does.
        blanks: what stands between words.
        meta: documents may have further fields.
    """
    text = draw(texts(blanks))
    pieces = [match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]
    spans: list[Span] = []
    for number in range(1, draw(st.integers(0, 7 if (pieces if words else text) else 0)) + 1):
        if words:
            first = draw(st.integers(0, len(pieces) - 1))
            last = draw(st.integers(first, min(first + 3, len(pieces) - 1)))
            start, end = pieces[first][0], pieces[last][1]
        else:
            start = draw(st.integers(0, len(text) - 1))
            end = draw(st.integers(start + 1, min(start + 12, len(text))))
        label = draw(st.sampled_from(schema.labels))
        given = [a for a in label.attributes if whole_attributes or draw(st.booleans())]
        attributes = {a.name: draw(_value(a)) for a in given}
        spans.append(Span(f"T{number}", label.name, start, end, text[start:end], attributes, draw(scores()) if scored else None))
    pairs = [(a.id, b.id) for a in spans for b in spans if a is not b and schema.takes(a.label, b.label)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=8)) if pairs else []
    links = tuple(Link(a, b, draw(scores()) if scored else None) for a, b in chosen)
    ids = st.sampled_from(("r1", "RAMS-dev 12", "a/b", "..", "ünï", "x%2Fy", "👩🏽‍🚒", ".hidden", "ungd-GIN_45_1990-22"))
    fields = st.fixed_dictionaries({}, optional={"source": st.sampled_from(("RAMS", "é💥")), "date": st.just("2024-05-06"), "tags": st.just(["a", 1, None])})
    return Document(text, tuple(spans), links, draw(st.none() | ids), draw(fields) if meta else {})


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    """Small schemas with labels, arguments and attributes of any kind."""
    names = draw(st.lists(st.sampled_from(("PROTEST", "GROUP", "PLACE", "DEMAND", "police response")), min_size=1, unique=True))
    labels = []
    for name in names:
        arguments = draw(st.lists(st.sampled_from(names), unique=True, max_size=3))
        kinds = draw(st.lists(st.sampled_from(("choice", "flag", "count", "cluster")), unique=True, max_size=3))
        attributes = tuple(Attribute(f"{kind}{draw(st.sampled_from('_-'))}of", kind, ("yes", "no", "may be") if kind == "choice" else ()) for kind in kinds)
        labels.append(Label(name, tuple(arguments), attributes))
    return Schema("random", tuple(labels))


@st.composite
def documents_with_schemas(draw: st.DrawFn) -> tuple[Document, Schema]:
    """A random small schema and a document under it."""
    schema = draw(schemas())
    return draw(documents(schema)), schema


def document_lists(max_size: int = 3, **kwargs: Any) -> st.SearchStrategy[list[Document]]:
    """A few documents with ids of their own, for files that hold many."""
    return st.lists(documents(**kwargs), max_size=max_size, unique_by=lambda d: d.id)
