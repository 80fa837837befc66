"""Records: the rows a user gets, incident x role x normalised filler.

An incident is the anchors of one cluster (an anchor without a cluster is one by itself), and its rows are the linked
arguments' labels and words. Incidents bear no common names in gold and prediction, so that those of one anchor label are
aligned one to one for the most rows in common, as MUC-4 aligned templates (Chinchor 1992); a row counts if it stands in
both of two aligned incidents. A row that an incident has twice is one row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conflict_nlp.document import Document
from conflict_nlp.evaluation.alignment import Alignment, align
from conflict_nlp.evaluation.measures import Measure, Tally, collect
from conflict_nlp.evaluation.normalisation import normalise
from conflict_nlp.schema import CONFLICT, Schema


@dataclass(frozen=True)
class Row:
    """One role filler of an incident."""

    role: str
    filler: str


Incident = frozenset[Row]


def tallies(alignment: Alignment) -> Iterator[tuple[Measure, Tally]]:
    """The counts of one document, over all anchor labels and for each."""
    matched = in_predicted = in_gold = 0
    for label in alignment.schema.anchors:
        gold, predicted = (incidents(d, label, alignment.schema) for d in (alignment.gold, alignment.predicted))
        counts = (shared_rows(gold, predicted), sum(map(len, predicted)), sum(map(len, gold)))
        yield Measure("record", label), Tally.of_sets(*counts)
        matched, in_predicted, in_gold = matched + counts[0], in_predicted + counts[1], in_gold + counts[2]
    if alignment.schema.anchors:
        yield Measure("record"), Tally.of_sets(matched, in_predicted, in_gold)


def incidents(document: Document, label: str, schema: Schema) -> list[Incident]:
    """The rows of every incident whose anchors have this label; incidents without rows are left out."""
    cluster = schema.cluster(label)
    rows: dict[tuple[bool, str], set[Row]] = {}
    for anchor in document.anchors(label):
        value = anchor.span.attributes.get(cluster.name) if cluster else None
        key = (True, value) if isinstance(value, str) and value else (False, anchor.span.id)
        rows.setdefault(key, set()).update(Row(s.label, normalise(s.text) or s.text) for s in anchor.linked)
    return [frozenset(r) for r in rows.values() if r]


def shared_rows(gold: Sequence[Incident], predicted: Sequence[Incident]) -> int:
    """The most rows that a one-to-one alignment of incidents has in common."""
    common = [[len(g & p) for p in predicted] for g in gold]
    if len(gold) <= 1 or len(predicted) <= 1:
        return max((n for row in common for n in row), default=0)
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(common, maximize=True)
    return sum(common[i][j] for i, j in zip(rows, columns, strict=True))


def scores(gold: Sequence[Document], predicted: Sequence[Document], schema: Schema = CONFLICT) -> dict[str, float]:
    """``record_precision``, ``record_recall``, ``record_f1``, ``record_macro_f1`` and ``record_f1_ANCHOR`` in percent.

    Raises:
        MismatchError: the two sides are not about the same documents.
    """
    return collect(align(gold, predicted, schema), [tallies], schema).scores()
