"""Mentions -> events: which anchors speak of the same incident, over a text of any length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MEMORY = 64  # earlier mentions that a mention is compared with, so that time stays linear in the text
BATCH = 256

ClusterScore = Callable[[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.int64]], npt.NDArray[np.float32]]
"""States [N, 64] of two mentions and their distances in words [N] -> probabilities [N] that they are of one event."""


@dataclass(frozen=True)
class Mention:
    """An anchor: the number of its first word in the text, and its state [64]."""

    word: int
    state: npt.NDArray[np.float32]


def cluster_mentions(mentions: Sequence[Mention], score: ClusterScore, threshold: float) -> list[int]:
    """The event number, from 1, of each mention, in the order of the text.

    A mention joins the event with whose recent mentions it agrees most in the mean, if that is at least ``threshold``, and begins
    a new one otherwise (average linkage, decided left to right as in entity-level coreference; Clark and Manning 2015).
    """
    numbers: list[int] = []
    events = 0
    for start in range(0, len(mentions), BATCH):
        pairs = [(i, j) for i in range(start, min(start + BATCH, len(mentions))) for j in range(max(0, i - MEMORY), i)]
        probabilities: dict[tuple[int, int], float] = {}
        if pairs:
            left = np.stack([mentions[j].state for _, j in pairs])
            right = np.stack([mentions[i].state for i, _ in pairs])
            distance = np.array([mentions[i].word - mentions[j].word for i, j in pairs], dtype=np.int64)
            probabilities = dict(zip(pairs, score(left, right, distance).tolist(), strict=True))
        for i in range(start, min(start + BATCH, len(mentions))):
            agreement: dict[int, list[float]] = {}
            for j in range(max(0, i - MEMORY), i):
                agreement.setdefault(numbers[j], []).append(probabilities[i, j])
            means = {number: sum(values) / len(values) for number, values in agreement.items()}
            best = max(means, key=lambda number: means[number], default=None)
            if best is None or means[best] < threshold:
                best = events = events + 1
            numbers.append(best)
    return numbers
