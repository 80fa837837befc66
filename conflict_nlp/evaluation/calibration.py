"""Calibration: is a span or link of score 0.8 right in 8 of 10 cases.

Expected calibration error over bins of equal width (Guo et al. 2017), and the reliability table behind it. A span or link is
right if it is in the gold exactly; predictions without a score are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from conflict_nlp.document import Document, Link, Span
from conflict_nlp.evaluation.alignment import Alignment, align
from conflict_nlp.evaluation.links import ends
from conflict_nlp.schema import CONFLICT, Schema

BINS = 10
_T = TypeVar("_T", Span, Link)


@dataclass(frozen=True)
class Bin:
    """The predictions with a score from ``low`` up to ``high``: how many, their mean score, and the share that is right (0 to 1)."""

    low: float
    high: float
    number: int
    score: float
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """A reliability table; bins without predictions are left out."""

    bins: tuple[Bin, ...]

    @property
    def number(self) -> int:
        """How many predictions have a score."""
        return sum(b.number for b in self.bins)

    @property
    def error(self) -> float:
        """The expected calibration error in percent: the mean distance of score and accuracy; 0 without predictions."""
        return 100 * sum(b.number * abs(b.score - b.accuracy) for b in self.bins) / max(self.number, 1)


@dataclass(frozen=True)
class Judged:
    """A prediction's score and whether the prediction is right."""

    score: float
    right: bool


def reliability(judged: Iterable[Judged], bins: int = BINS) -> Calibration:
    """Sort predictions into bins of equal width.

    Raises:
        ValueError: a score is no probability.
    """
    groups: list[list[Judged]] = [[] for _ in range(bins)]
    for item in judged:
        if not 0 <= item.score <= 1:
            raise ValueError(f"the score {item.score} is no probability: calibration needs scores from 0 to 1")
        groups[min(int(item.score * bins), bins - 1)].append(item)
    return Calibration(
        tuple(
            Bin(n / bins, (n + 1) / bins, len(group), sum(j.score for j in group) / len(group), sum(j.right for j in group) / len(group))
            for n, group in enumerate(groups)
            if group
        )
    )


def span_calibration(alignments: Iterable[Alignment], bins: int = BINS) -> Calibration:
    """The calibration of the predicted spans' scores.

    Raises:
        ValueError: a score is no probability.
    """

    def key(document: Document, span: Span) -> Hashable:
        return span.label, span.start, span.end

    return reliability((j for a in alignments for j in _judge(a, a.gold.spans, a.predicted.spans, key)), bins)


def link_calibration(alignments: Iterable[Alignment], bins: int = BINS) -> Calibration:
    """The calibration of the predicted links' scores.

    Raises:
        ValueError: a score is no probability.
    """

    def key(document: Document, link: Link) -> Hashable:
        return tuple((s.label, s.start, s.end) for s in ends(document, link))

    return reliability((j for a in alignments for j in _judge(a, a.gold.links, a.predicted.links, key)), bins)


def scores(gold: Sequence[Document], predicted: Sequence[Document], schema: Schema = CONFLICT) -> dict[str, float]:
    """``span_calibration_error`` and ``link_calibration_error`` in percent, each where the predictions have scores.

    Raises:
        MismatchError: the two sides are not about the same documents.
        ValueError: a score is no probability.
    """
    alignments = align(gold, predicted, schema)
    tables = {"span_calibration_error": span_calibration(alignments), "link_calibration_error": link_calibration(alignments)}
    return {name: table.error for name, table in tables.items() if table.number}


def _judge(alignment: Alignment, gold: Sequence[_T], predicted: Sequence[_T], key: Callable[[Document, _T], Hashable]) -> Iterable[Judged]:
    left = Counter(key(alignment.gold, item) for item in gold)
    # the surest of several equal predictions is the one that may be right
    for item in sorted(predicted, key=lambda item: -(item.score or 0.0)):
        right = left[key(alignment.predicted, item)] > 0
        left[key(alignment.predicted, item)] -= right
        if item.score is not None:
            yield Judged(item.score, right)
