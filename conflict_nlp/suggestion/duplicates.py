"""Near-duplicates: texts that share most of their runs of five words (shingles; Broder 1997, "On the resemblance and containment of documents")."""

from __future__ import annotations

import re
from collections import Counter
from typing import TypeAlias

Shingles: TypeAlias = frozenset[int]

LENGTH = 5  # words
RESEMBLANCE = 0.5
"""The Jaccard similarity of shingles from which two texts are the same to an annotator. A changed word changes five shingles."""

_WORD = re.compile(r"\w+")


def shingles(text: str) -> Shingles:
    """The hashes of all runs of five words, in whatever case and punctuation; of a shorter text, the hash of all its words."""
    words = _WORD.findall(text.lower())
    return frozenset(hash(tuple(words[i : i + LENGTH])) for i in range(max(1, len(words) - LENGTH + 1)))


class Resemblance:
    """Texts by number, to be looked up by what resembles them; its memory is that of the shingles."""

    def __init__(self) -> None:
        self._texts: dict[int, Shingles] = {}
        self._having: dict[int, set[int]] = {}

    def add(self, number: int, text: Shingles) -> None:
        """Take a text up."""
        self._texts[number] = text
        for shingle in text:
            self._having.setdefault(shingle, set()).add(number)

    def remove(self, number: int) -> None:
        """Forget a text."""
        for shingle in self._texts.pop(number):
            self._having[shingle].discard(number)
            if not self._having[shingle]:
                del self._having[shingle]

    def near(self, text: Shingles) -> list[int]:
        """The numbers of the texts that are near-duplicates of this one."""
        shared = Counter(number for shingle in text for number in self._having.get(shingle, ()))
        return [number for number, count in shared.items() if count >= RESEMBLANCE * (len(text) + len(self._texts[number]) - count)]
