"""Offsets in UTF-16 code units, as JavaScript and Java count them, and in code points, as Python does."""

from __future__ import annotations

import re
from bisect import bisect_left

_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


class Utf16:
    """Converts offsets into one text between code points and UTF-16 code units."""

    def __init__(self, text: str) -> None:
        self._astral = [match.start() for match in _ASTRAL.finditer(text)]
        self._units = [position + before for before, position in enumerate(self._astral)]

    @property
    def differs(self) -> bool:
        """Whether the text has characters that take two units, so that the two counts differ."""
        return bool(self._astral)

    def units(self, offset: int) -> int:
        """A code point offset in UTF-16 units."""
        return offset + bisect_left(self._astral, offset)

    def points(self, offset: int) -> int:
        """A UTF-16 offset in code points; one inside a surrogate pair is moved to the pair's end."""
        return offset - bisect_left(self._units, offset)


def has_surrogates(text: str) -> bool:
    """Whether a text has lone surrogates, which no encoding of Unicode can carry."""
    return _SURROGATE.search(text) is not None
