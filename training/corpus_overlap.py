"""How much wording two passages have in common: the share of word 5-grams."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from conflict_nlp.document import Document

GRAM = 5
_WORD = re.compile(r"\w+(?:[’'.,-]\w+)*")


@dataclass(frozen=True)
class Overlap:
    """Two passages, by id, and the share of the shorter one's 5-grams that the other has too, 0 to 1."""

    share: float
    first: str
    second: str


def grams(text: str) -> frozenset[tuple[str, ...]]:
    """The runs of five words of a text, without case and punctuation."""
    words = _WORD.findall(text.casefold())
    return frozenset(tuple(words[i : i + GRAM]) for i in range(len(words) - GRAM + 1))


def holders(sets: Sequence[frozenset[tuple[str, ...]]]) -> dict[tuple[str, ...], list[int]]:
    """For each 5-gram the numbers of the sets that have it, rising: an inverted index."""
    index: dict[tuple[str, ...], list[int]] = {}
    for number, found in enumerate(sets):
        for gram in found:
            index.setdefault(gram, []).append(number)
    return index


def overlaps(documents: Sequence[Document]) -> list[Overlap]:
    """All pairs of passages that share a 5-gram, the largest share first.

    Pairs are found through an inverted index, so that the time grows with what is shared and not with the number of pairs.
    """
    sets = [grams(document.text) for document in documents]
    shared = Counter(pair for numbers in holders(sets).values() for pair in combinations(numbers, 2))
    names = [str(document.id) for document in documents]
    pairs = [Overlap(number / min(len(sets[i]), len(sets[j])), names[i], names[j]) for (i, j), number in shared.items()]
    return sorted(pairs, key=lambda p: (-p.share, p.first, p.second))
