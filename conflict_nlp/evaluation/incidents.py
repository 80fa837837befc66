"""Incidents: do mentions of one event stand together, pairwise and by B-cubed.

Both are taken over the mentions of the gold and of the prediction, matched by overlap, those of
equal boundaries first. A mention without a counterpart is
missed or invented: as in the reference implementation of the coreference scores (Pradhan et al. 2014), it adds to the
denominator and nothing to the numerator. B-cubed is Bagga and Baldwin 1998, each mention weighing the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from conflict_nlp.document import Document
from conflict_nlp.evaluation.alignment import Alignment, align
from conflict_nlp.evaluation.measures import Measure, Tally, collect
from conflict_nlp.schema import CONFLICT, Schema

Cluster = tuple[str, str]


def tallies(alignment: Alignment) -> Iterator[tuple[Measure, Tally]]:
    """The counts of one document for every cluster attribute of the schema (``incident``); none where it has none."""
    for name in cluster_names(alignment.schema):
        gold, predicted = (clusters(d, name, alignment.schema) for d in (alignment.gold, alignment.predicted))
        counterpart = {g: p for g, p in alignment.counterpart.items() if g in gold}
        yield Measure(f"{name}_pair"), pairwise(gold, predicted, counterpart)
        yield Measure(f"{name}_bcubed"), b_cubed(gold, predicted, counterpart)


def cluster_names(schema: Schema) -> list[str]:
    """The names of the cluster attributes, each once."""
    return sorted({a.name for label in schema.labels for a in label.attributes if a.kind == "cluster"})


def clusters(document: Document, attribute: str, schema: Schema) -> dict[str, Cluster]:
    """The cluster of every mention, by its span id; a mention without one stands alone."""
    found: dict[str, Cluster] = {}
    for span in document.spans:
        cluster = schema.cluster(span.label)
        if cluster is not None and cluster.name == attribute:
            value = span.attributes.get(attribute)
            found[span.id] = (span.label, value) if isinstance(value, str) and value else ("", span.id)
    return found


def pairwise(gold: Mapping[str, Cluster], predicted: Mapping[str, Cluster], counterpart: Mapping[str, str]) -> Tally:
    """Pairs of mentions that share a cluster on both sides, on the predicted side, and on the gold side."""
    both = _pairs(Counter((gold[g], predicted[p]) for g, p in counterpart.items()))
    return Tally.of_sets(both, _pairs(Counter(predicted.values())), _pairs(Counter(gold.values())))


def b_cubed(gold: Mapping[str, Cluster], predicted: Mapping[str, Cluster], counterpart: Mapping[str, str]) -> Tally:
    """The summed precision of the predicted and the summed recall of the gold mentions.

    A mention's precision is the share of its predicted cluster that is in its gold cluster, its recall the share of its gold cluster
    that is in its predicted cluster.
    """
    shared = Counter((gold[g], predicted[p]) for g, p in counterpart.items())
    in_gold, in_predicted = Counter(gold.values()), Counter(predicted.values())
    return Tally(
        hits=sum(number**2 / in_predicted[p] for (_, p), number in shared.items()),
        predicted=len(predicted),
        found=sum(number**2 / in_gold[g] for (g, _), number in shared.items()),
        gold=len(gold),
    )


def scores(gold: Sequence[Document], predicted: Sequence[Document], schema: Schema = CONFLICT) -> dict[str, float]:
    """``incident_pair_*`` and ``incident_bcubed_*`` (precision, recall, f1) in percent; empty for a schema without clusters.

    Raises:
        MismatchError: the two sides are not about the same documents.
    """
    return collect(align(gold, predicted, schema), [tallies], schema).scores()


def _pairs(sizes: Counter[Cluster] | Counter[tuple[Cluster, Cluster]]) -> int:
    return sum(n * (n - 1) // 2 for n in sizes.values())
