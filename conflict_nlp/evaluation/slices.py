"""Slices: the documents by a field of the gold, or by the length of the text."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from conflict_nlp.document import Document

LENGTH = "length"
_WORDS = (50, 100, 200, 400, 800)
_MOST_VALUES = 50


class SliceError(ValueError):
    """The documents cannot be sliced by that field."""


@dataclass(frozen=True)
class Slice:
    """Some documents: those where ``field`` is ``value``, by their positions."""

    field: str
    value: str
    documents: tuple[int, ...]


def slices(documents: Sequence[Document], field: str) -> list[Slice]:
    """Slice documents by a field of their ``meta``, or by ``length`` (words a text) where ``meta`` has no such field.

    Documents without the field are a slice of their own. Slices are sorted by value, numbers by their size, those of the length by length.

    Raises:
        SliceError: no document has the field, or it has too many values to slice by.
    """
    if field == LENGTH and not any(LENGTH in d.meta for d in documents):
        lengths = [_bucket(len(d.text.split())) for d in documents]
        return [Slice(LENGTH, _named(b), _where(lengths, b)) for b in sorted(set(lengths))]
    if not any(field in d.meta for d in documents):
        known = sorted({key for d in documents for key in d.meta} | {LENGTH})
        raise SliceError(f"no gold document has a field {field!r}: slice by one of {', '.join(known)}")
    values = [_text(d.meta.get(field)) for d in documents]
    distinct = sorted(set(values), key=_by_number)
    if len(distinct) > _MOST_VALUES:
        raise SliceError(f"the field {field!r} has {len(distinct)} values, more than the {_MOST_VALUES} that can be sliced by: choose a coarser one")
    return [Slice(field, value, _where(values, value)) for value in distinct]


def _by_number(value: str) -> tuple[bool, float, str]:
    number = float(value) if re.fullmatch(r"-?\d{1,15}(\.\d+)?", value) else math.inf
    return math.isinf(number), number, value


def _where(values: Sequence[object], value: object) -> tuple[int, ...]:
    return tuple(n for n, v in enumerate(values) if v == value)


def _bucket(words: int) -> int:
    return sum(words >= bound for bound in _WORDS)


def _named(bucket: int) -> str:
    if bucket == len(_WORDS):
        return f"{_WORDS[-1]} words and more"
    low = _WORDS[bucket - 1] if bucket else 0
    return f"{low} to {_WORDS[bucket] - 1} words"


def _text(value: Any) -> str:
    return "(none)" if value is None else str(value)
