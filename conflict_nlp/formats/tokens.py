"""Tokens for the formats that want them: words and single marks, cut wherever a span begins or ends, so that every span fits."""

from __future__ import annotations

import re
from collections.abc import Iterable

from conflict_nlp.document import Span

_TOKEN = re.compile(r"\w+|[^\w\s]")


def tokenize(text: str, spans: Iterable[Span] = ()) -> list[tuple[int, int]]:
    """Start and end of every token; blanks are in none."""
    cuts = sorted({offset for span in spans for offset in (span.start, span.end)})
    tokens: list[tuple[int, int]] = []
    position = 0
    for match in _TOKEN.finditer(text):
        start, end = match.span()
        while position < len(cuts) and cuts[position] <= start:
            position += 1
        inner = position
        while inner < len(cuts) and cuts[inner] < end:
            tokens.append((start, cuts[inner]))
            start = cuts[inner]
            inner += 1
        tokens.append((start, end))
    return tokens


def covered(tokens: list[tuple[int, int]], span: Span) -> tuple[int, int] | None:
    """The first and the last token of a span; ``None`` where it has none or begins or ends in blanks."""
    inside = [n for n, (start, end) in enumerate(tokens) if span.start <= start and end <= span.end]
    if not inside or tokens[inside[0]][0] != span.start or tokens[inside[-1]][1] != span.end:
        return None
    return inside[0], inside[-1]
