"""Choosing passages out of a pool of any size: the most uncertain, without near-duplicates, and of those different ones."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import count, tee

import numpy as np

from conflict_nlp.document import Document
from conflict_nlp.extractor import Extractor
from conflict_nlp.suggestion.diversity import one_a_cluster, vectors
from conflict_nlp.suggestion.duplicates import Resemblance, shingles
from conflict_nlp.suggestion.uncertainty import uncertainty

CANDIDATES = 5  # for each passage to be chosen, so many of the most uncertain are clustered


@dataclass(frozen=True)
class Suggestion:
    """A passage as the model labels it, with the entropy of its annotation in bits."""

    document: Document
    uncertainty: float


def suggest(
    extractor: Extractor, passages: Iterable[Document], number: int, known: Iterable[str] = (), seed: int = 0, candidates: int = CANDIDATES
) -> list[Suggestion]:
    """The passages that would teach the model most, the most uncertain first.

    The pool is read once, as a stream; what is held is ``number * candidates`` passages and the shingles of the known texts.

    Args:
        extractor: the model to teach.
        passages: the pool; spans and links in it are ignored, blank texts left out.
        number: how many to choose; fewer are given where the pool has not as many that differ.
        known: texts that are annotated already; neither they nor near-duplicates of them are chosen.
        seed: of the clustering.
        candidates: how many of the most uncertain passages are clustered, for each that is chosen.

    Raises:
        ValueError: ``number`` or ``candidates`` is not 1 or more.
    """
    if number < 1 or candidates < 1:
        raise ValueError(f"{number} passages of {candidates} candidates each cannot be chosen: both have to be 1 or more")
    shortlist = Shortlist(number * candidates, known)
    some, same = tee(passage for passage in passages if passage.text.strip())
    for passage, (text, readings) in zip(same, extractor.read(p.text for p in some), strict=True):
        value = uncertainty(readings)
        if shortlist.wants(value):
            labelled = extractor.assemble(text, readings, extractor.thresholds)
            shortlist.add(Suggestion(replace(labelled, id=passage.id, meta=passage.meta), value))
    kept = shortlist.kept()
    weights = np.array([suggestion.uncertainty for suggestion in kept])
    return [kept[row] for row in one_a_cluster(vectors(extractor, [s.document.text for s in kept]), weights, number, seed)]


class Shortlist:
    """The most uncertain passages so far, of which none resembles another or a known text; of two that do the more uncertain stays.

    Args:
        limit: how many.
        known: texts that nothing may resemble.
    """

    def __init__(self, limit: int, known: Iterable[str] = ()) -> None:
        self.limit = limit
        self._known, self._resemblance = Resemblance(), Resemblance()
        for number, text in enumerate(known):
            self._known.add(number, shingles(text))
        self._kept: dict[int, Suggestion] = {}
        self._order: list[tuple[float, int]] = []  # the least uncertain first, of equal ones the last that came
        self._numbers = count()

    def wants(self, value: float) -> bool:
        """Whether a passage of this uncertainty could be among them."""
        return len(self._order) < self.limit or value > self._order[0][0]

    def add(self, suggestion: Suggestion) -> None:
        """Take a passage up, if it is new and unsure enough."""
        text = shingles(suggestion.document.text)
        twins = self._resemblance.near(text)
        if not self.wants(suggestion.uncertainty) or self._known.near(text):
            return
        if any(self._kept[twin].uncertainty >= suggestion.uncertainty for twin in twins):
            return
        for twin in twins:
            self._remove((self._kept[twin].uncertainty, -twin))
        number = next(self._numbers)
        self._kept[number] = suggestion
        self._resemblance.add(number, text)
        insort(self._order, (suggestion.uncertainty, -number))
        if len(self._order) > self.limit:
            self._remove(self._order[0])

    def kept(self) -> list[Suggestion]:
        """The passages, in the order of the pool."""
        return list(self._kept.values())

    def _remove(self, place: tuple[float, int]) -> None:
        self._order.remove(place)
        self._resemblance.remove(-place[1])
        del self._kept[-place[1]]
