"""How sure a score is: bootstrap intervals over documents, and a paired bootstrap test of two systems.

Documents are the unit that is resampled, since errors within one are not independent. Intervals are percentile intervals
(Efron and Tibshirani 1993). The test is the paired bootstrap of Koehn (2004) in the two-sided, centred form of
Berg-Kirkpatrick et al. (2012). Counts of documents are sufficient, so that a resample is a weighted sum of them. One in which there is nothing to
find and nothing was found says nothing of that score, and is left out for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from conflict_nlp.evaluation.measures import Floats, Measure, Statistics, values

RESAMPLES = 1_000
_AT_ONCE = 100


@dataclass(frozen=True)
class Interval:
    """The bounds of a percentile interval, in the unit of the score."""

    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """A first system's score less a second's, with its interval and the two-sided p-value of there being none."""

    value: float
    interval: Interval
    p: float


def intervals(statistics: Statistics, resamples: int = RESAMPLES, level: float = 0.95, seed: int = 0) -> dict[str, Interval]:
    """The interval of every score.

    Raises:
        ValueError: there are no documents, or ``resamples`` or ``level`` are out of range.
    """
    _check(statistics, resamples, level)
    return {name: _percentiles(_told(sample), level) for name, sample in _resampled(statistics.measures, [statistics.counts], resamples, seed)[0].items()}


def compare(first: Statistics, second: Statistics, resamples: int = RESAMPLES, level: float = 0.95, seed: int = 0) -> dict[str, Difference]:
    """Compare two systems on the same documents in the same order, score by score.

    Raises:
        ValueError: the documents differ in number, there are none, or ``resamples`` or ``level`` are out of range.
    """
    _check(first, resamples, level)
    if len(first.counts) != len(second.counts):
        raise ValueError(f"the systems have {len(first.counts)} and {len(second.counts)} documents: compare them on the same ones")
    measures = tuple(dict.fromkeys((*first.measures, *second.measures)))
    sides = [_widened(first, measures), _widened(second, measures)]
    one, other = (dict(values(measures, counts.sum(axis=0))) for counts in sides)
    samples, others = _resampled(measures, sides, resamples, seed)
    found = {}
    for name, sample in samples.items():
        observed = float(one[name] - other[name])
        differences = _told(sample - others[name])
        # under the null the resampled differences are centred at 0; the tolerance keeps equal differences equal in floating point
        extreme = int(np.sum(np.abs(differences - observed) >= abs(observed) - 1e-9))
        found[name] = Difference(observed, _percentiles(differences, level, observed), (1 + extreme) / (1 + len(differences)))
    return found


def _resampled(measures: tuple[Measure, ...], sides: list[Floats], resamples: int, seed: int) -> list[dict[str, Floats]]:
    """Every score of every resample for each side, both sides on the same resamples."""
    parts: list[list[Floats]] = [[] for _ in sides]
    for weights in _weights(len(sides[0]), resamples, seed):
        for side, part in zip(sides, parts, strict=True):
            part.append((weights @ side.reshape(len(side), -1)).reshape(len(weights), len(measures), 4))
    return [dict(values(measures, np.concatenate(part), empty=np.nan)) for part in parts]


def _weights(documents: int, resamples: int, seed: int) -> Iterator[Floats]:
    """How often each document is drawn in each resample, some resamples at a time."""
    generator = np.random.default_rng(seed)
    for begin in range(0, resamples, _AT_ONCE):
        number = min(_AT_ONCE, resamples - begin)
        drawn = generator.integers(documents, size=(number, documents)) + np.arange(number)[:, None] * documents
        yield np.bincount(drawn.ravel(), minlength=number * documents).reshape(number, documents).astype(np.float64)


def _told(sample: Floats) -> Floats:
    """Without the resamples that say nothing."""
    return sample[~np.isnan(sample)]


def _percentiles(sample: Floats, level: float, empty: float = 100.0) -> Interval:
    """The interval of a sample; where there is nothing in it, ``empty`` alone."""
    low, high = np.percentile(sample if len(sample) else [empty], [50 * (1 - level), 50 * (1 + level)])
    return Interval(float(low), float(high))


def _widened(statistics: Statistics, measures: tuple[Measure, ...]) -> Floats:
    """The counts in the columns of other measures; what was not measured is 0."""
    counts = np.zeros((len(statistics.counts), len(measures), 4))
    counts[:, [measures.index(m) for m in statistics.measures]] = statistics.counts
    return counts


def _check(statistics: Statistics, resamples: int, level: float) -> None:
    if not len(statistics.counts):
        raise ValueError("there are no documents to resample")
    if resamples < 1 or not 0 < level < 1:
        raise ValueError(f"{resamples} resamples at level {level}: give at least 1 resample and a level between 0 and 1")
