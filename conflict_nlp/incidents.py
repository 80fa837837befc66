"""Mentions -> events: which anchors speak of the same incident, over a text of any length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

BLOCK = 64  # mentions that are clustered together
MEMORY = 64  # mentions before them that they may join, so that time stays linear in the text

Floats: TypeAlias = npt.NDArray[np.float32]

ClusterScore = Callable[[Floats, Floats, npt.NDArray[np.int64]], Floats]
"""States [N, 64] of two mentions and their distances in words [N] -> probabilities [N] that they are of one event."""


@dataclass(frozen=True)
class Mention:
    """An anchor: the number of its first word in the text, and its state [64]."""

    word: int
    state: npt.NDArray[np.float32]


def cluster_mentions(mentions: Sequence[Mention], score: ClusterScore, threshold: float) -> list[int]:
    """The event number, from 1, of each mention, in the order of the text.

    Agglomerative clustering with average linkage: the two events whose mentions agree most in the mean become one, as long as that is at least
    ``threshold``. Of more than 64 mentions, every 64 are clustered in turn, beside the 64 before them, whose events are settled.
    """
    numbers: list[int] = []
    for start in range(0, len(mentions), BLOCK):
        settled = numbers[max(0, start - MEMORY) :]
        members = mentions[start - len(settled) : start + BLOCK]
        groups = _agglomerate(_agreement(members, len(settled), score), settled, threshold)
        events = max(numbers, default=0)
        names = dict(zip(groups, settled, strict=False))
        for group in groups[len(settled) :]:
            if group not in names:
                names[group] = events = events + 1
            numbers.append(names[group])
    return numbers


def _agreement(members: Sequence[Mention], settled: int, score: ClusterScore) -> Floats:
    """How likely two mentions are of one event, [N, N] and symmetric; two that are settled are not asked about, and have 0."""
    found = np.zeros((len(members), len(members)), dtype=np.float32)
    left, right = np.triu_indices(len(members), 1)
    left, right = left[right >= settled], right[right >= settled]
    if len(left):
        states = np.stack([mention.state for mention in members])
        words = np.array([mention.word for mention in members], dtype=np.int64)
        found[left, right] = found[right, left] = score(states[left], states[right], words[right] - words[left])
    return found


def _agglomerate(agreement: Floats, settled: Sequence[int], threshold: float) -> list[int]:
    """The group of each mention, named by the place of its first; the first ones are ``settled``, their events stay apart and whole."""
    groups = [settled.index(number) for number in settled]
    groups += range(len(settled), len(agreement))
    sums = agreement.astype(np.float64)
    sizes = np.ones(len(agreement))
    alive = np.ones(len(agreement), dtype=np.bool_)
    old = np.arange(len(agreement)) < len(settled)

    def join(first: int, second: int) -> None:
        sums[first] += sums[second]
        sums[:, first] += sums[:, second]
        sizes[first] += sizes[second]
        alive[second] = False
        groups[:] = [first if group == second else group for group in groups]

    for place, first in enumerate(groups[: len(settled)]):
        if place != first:
            join(first, place)
    while True:
        open_to = alive[:, None] & alive & ~(old[:, None] & old) & ~np.eye(len(alive), dtype=np.bool_)
        means = np.where(open_to, sums / np.outer(sizes, sizes), -1.0)
        best = int(means.argmax())
        if means.flat[best] < threshold:
            return groups
        join(*sorted(divmod(best, len(means))))
