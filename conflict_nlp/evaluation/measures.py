"""What is counted in a document, and how counts summed over documents become scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from conflict_nlp.document import Document
from conflict_nlp.evaluation.alignment import Alignment
from conflict_nlp.schema import Schema

Floats = NDArray[np.float64]
MeasureKind = Literal["f1", "accuracy", "error"]


@dataclass(frozen=True)
class Measure:
    """Something that is measured, for one ``label`` or for all (``None``).

    ``f1`` yields precision, recall and F1 in percent, ``accuracy`` a percentage, ``error`` a mean in the unit of what is measured.
    """

    name: str
    label: str | None = None
    kind: MeasureKind = "f1"


@dataclass(frozen=True)
class Tally:
    """One document's counts for one measure; they add up over documents.

    Precision is ``hits / predicted``, recall ``found / gold``. An accuracy is ``hits / predicted`` with ``gold`` the number that
    should have been compared; an error is ``hits / predicted`` with ``hits`` the summed error.
    """

    hits: float = 0
    predicted: float = 0
    found: float = 0
    gold: float = 0

    @classmethod
    def of_sets(cls, matched: int, predicted: int, gold: int) -> Tally:
        """The tally of a one-to-one matching."""
        return cls(matched, predicted, matched, gold)


Tallies = Iterable[tuple[Measure, Tally]]
Counter = Callable[[Alignment], Tallies]


@dataclass(frozen=True)
class Statistics:
    """The tallies of every document: ``counts[document, measure]`` is (hits, predicted, found, gold).

    They are sufficient: every score of any sample of the documents is a function of their sum.
    """

    measures: tuple[Measure, ...]
    counts: Floats

    @property
    def total(self) -> Floats:
        """The sum over all documents, measures x 4."""
        return np.asarray(self.counts.sum(axis=0))

    def select(self, documents: Sequence[int]) -> Statistics:
        """The statistics of some of the documents."""
        return Statistics(self.measures, self.counts[list(documents)])

    def scores(self) -> dict[str, float]:
        """Every score over all documents, flat."""
        return {name: float(value) for name, value in values(self.measures, self.total)}


def collect(alignments: Sequence[Alignment], counters: Sequence[Counter], schema: Schema) -> Statistics:
    """Count every document; what the schema provides for is measured even where no document has it."""
    nothing = Alignment("", Document(""), Document(""), schema)
    index = {measure: number for number, measure in enumerate(dict.fromkeys(m for counter in counters for m, _ in counter(nothing)))}
    rows: list[list[tuple[int, Tally]]] = []
    for alignment in alignments:
        row = [(index.setdefault(measure, len(index)), tally) for counter in counters for measure, tally in counter(alignment)]
        rows.append(row)
    counts = np.zeros((len(rows), len(index), 4))
    for number, row in enumerate(rows):
        for column, tally in row:
            counts[number, column] += (tally.hits, tally.predicted, tally.found, tally.gold)
    return Statistics(tuple(index), counts)


def values(measures: Sequence[Measure], totals: Floats, empty: float = 100.0) -> Iterator[tuple[str, Floats]]:
    """Named scores from summed counts of shape (…, measures, 4); every score has the leading shape.

    A measure of all labels gives ``NAME_precision``, ``NAME_recall`` and ``NAME_f1`` (micro), one of a label ``NAME_f1_LABEL``; those of
    labels give ``NAME_macro_f1``, the mean over the labels that occur. Nothing to find and nothing found is ``empty``.
    """
    labelled: dict[str, list[tuple[Floats, Floats]]] = {}
    for number, measure in enumerate(measures):
        hits, predicted, found, gold = (totals[..., number, k] for k in range(4))
        occurs = np.asarray(predicted + gold > 0)
        if measure.kind == "accuracy":
            yield f"{measure.name}_accuracy", np.where(occurs, ratio(hits, predicted), empty)
        elif measure.kind == "error":
            yield f"{measure.name}_error", ratio(hits, predicted) / 100.0
        else:
            precision, recall = (np.where(occurs, r, empty) for r in (ratio(hits, predicted), ratio(found, gold)))
            f1 = np.where(occurs, harmonic(precision, recall), empty)
            if measure.label is None:
                yield f"{measure.name}_precision", precision
                yield f"{measure.name}_recall", recall
                yield f"{measure.name}_f1", f1
            else:
                labelled.setdefault(measure.name, []).append((f1, occurs.astype(np.float64)))
                yield f"{measure.name}_f1_{measure.label}", f1
    for name, parts in labelled.items():
        number_of_labels = sum((occurs for _, occurs in parts), np.zeros(totals.shape[:-2]))
        summed = sum((np.where(occurs > 0, f1, 0.0) for f1, occurs in parts), np.zeros(totals.shape[:-2]))
        yield f"{name}_macro_f1", np.where(number_of_labels > 0, summed / np.maximum(number_of_labels, 1), empty)


def ratio(part: Floats, whole: Floats) -> Floats:
    """``part / whole`` in percent, 0 where there is no whole."""
    return np.asarray(100.0 * np.divide(part, whole, out=np.zeros_like(whole, dtype=np.float64), where=np.asarray(whole) > 0))


def harmonic(precision: Floats, recall: Floats) -> Floats:
    """F1: the harmonic mean, 0 where both are 0."""
    total = np.asarray(precision + recall)
    return np.asarray(np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0))
