"""All scores of a set of predictions, flat."""

from __future__ import annotations

from collections.abc import Sequence

from conflict_nlp.document import Document
from conflict_nlp.evaluation import attributes, casualties, incidents, links, records, spans
from conflict_nlp.evaluation.alignment import Alignment, align
from conflict_nlp.evaluation.measures import Counter, Statistics, collect
from conflict_nlp.schema import CONFLICT, Schema

COUNTERS: tuple[Counter, ...] = (spans.tallies, links.tallies, incidents.tallies, attributes.tallies, records.tallies, casualties.tallies)


def statistics(alignments: Sequence[Alignment], schema: Schema = CONFLICT) -> Statistics:
    """The counts of every document for every metric of this package."""
    return collect(alignments, COUNTERS, schema)


def scores(gold: Sequence[Document], predicted: Sequence[Document], schema: Schema = CONFLICT) -> dict[str, float]:
    """Every metric over a set of documents, in percent (0 to 100), micro-averaged unless the name says otherwise.

    Keys: ``span_exact_precision``, ``…_recall``, ``…_f1``, ``…_macro_f1``, ``…_f1_LABEL``; the same for ``span_overlap``, ``link_exact`` and
    ``link_overlap``; ``incident_pair_f1`` and ``incident_bcubed_f1``; ``status_accuracy`` and so on for every attribute; ``record_f1``; ``killed_error`` and
    ``injured_error`` (people a document, not percent). What a schema lacks has no key. Nothing to find and nothing found is 100.

    Raises:
        MismatchError: the two sides are not about the same documents; the message names the ids.
    """
    return statistics(align(gold, predicted, schema), schema).scores()
