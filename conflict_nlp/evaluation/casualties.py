"""Counts: how far a document's numbers of killed and injured people are off.

A document's number is the count that :class:`conflict_nlp.document.Incident` gives for all its attacks together: a casualty of
several attacks or incidents counts once, and one that details another not at all. The error is taken between lower bounds
("at least 12" is 12; only an upper bound, "up to 40", is 40; no number is 0), in people, and averaged over all documents.
The accuracy is the share of documents with equal bounds, among those where either side has such a casualty.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conflict_nlp.counts import Count
from conflict_nlp.document import Document, Incident
from conflict_nlp.evaluation.alignment import Alignment, align
from conflict_nlp.evaluation.measures import Measure, Tally, collect
from conflict_nlp.schema import CONFLICT, Schema

OUTCOMES = ("killed", "injured")


def tallies(alignment: Alignment) -> Iterator[tuple[Measure, Tally]]:
    """The counts of one document; none where the schema has no casualties."""
    if not alignment.schema.has_casualties:
        return
    for outcome in OUTCOMES:
        gold, predicted = total(alignment.gold, outcome), total(alignment.predicted, outcome)
        yield Measure(outcome, kind="error"), Tally(hits=abs(people(gold) - people(predicted)), predicted=1)
        if gold is not None or predicted is not None:
            equal = gold is not None and predicted is not None and gold.bounds == predicted.bounds
            yield Measure(f"{outcome}_total", kind="accuracy"), Tally(hits=equal, predicted=1, gold=1)
        else:
            yield Measure(f"{outcome}_total", kind="accuracy"), Tally()


def total(document: Document, outcome: str) -> Count | None:
    """How many people of the document had this outcome; ``None`` where the text names nobody."""
    return Incident("", document.attacks).count(outcome)


def people(count: Count | None) -> int:
    """A count as one number: its lower bound, else its upper bound, else 0."""
    if count is None:
        return 0
    return count.low if count.low is not None else count.high or 0


def scores(gold: Sequence[Document], predicted: Sequence[Document], schema: Schema = CONFLICT) -> dict[str, float]:
    """``killed_error`` and ``injured_error`` in people a document, ``killed_total_accuracy`` and ``injured_total_accuracy`` in percent.

    Raises:
        MismatchError: the two sides are not about the same documents.
    """
    return collect(align(gold, predicted, schema), [tallies], schema).scores()
