"""Links: precision, recall and F1 of anchor-argument pairs, exact and by overlap.

Exact asks for both ends with label and boundaries, the strict relation score of the literature on joint extraction (Bekoulis et al. 2018).
Overlap asks for the same labels and for a shared character at both ends, each link being used once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from conflict_nlp.document import Document, Link, Span
from conflict_nlp.evaluation.alignment import Alignment, align
from conflict_nlp.evaluation.matching import assign, jaccard, overlapping
from conflict_nlp.evaluation.measures import Measure, Tally, collect
from conflict_nlp.schema import CONFLICT, Schema

Ends = tuple[Span, Span]


def tallies(alignment: Alignment) -> Iterator[tuple[Measure, Tally]]:
    """The counts of one document, over all links and for each pair of labels (``ATTACK-CASUALTY``); none for a schema without links."""
    if not any(label.arguments for label in alignment.schema.labels):
        return
    gold, predicted = linked_ends(alignment.gold), linked_ends(alignment.predicted)
    in_gold, in_predicted = (Counter(role(e) for e in ends) for ends in (gold, predicted))
    exact = Counter(key[0] for key in (Counter(map(_key, gold)) & Counter(map(_key, predicted))).elements())
    overlap = Counter(role(gold[i]) for i, _ in match_links(gold, predicted))
    roles = dict.fromkeys([f"{label.name}-{a}" for label in alignment.schema.labels for a in label.arguments] + sorted(in_gold | in_predicted))
    for name, matched in (("link_exact", exact), ("link_overlap", overlap)):
        yield Measure(name), Tally.of_sets(matched.total(), in_predicted.total(), in_gold.total())
        for pair in roles:
            yield Measure(name, pair), Tally.of_sets(matched[pair], in_predicted[pair], in_gold[pair])


def linked_ends(document: Document) -> list[Ends]:
    """Every link with its spans, in the order of the text."""
    return sorted((ends(document, link) for link in document.links), key=_key)


def ends(document: Document, link: Link) -> Ends:
    """The anchor and the argument of a link."""
    return document.span(link.anchor), document.span(link.argument)


def role(ends: Ends) -> str:
    """The labels of both ends: ``ATTACK-CASUALTY``."""
    return f"{ends[0].label}-{ends[1].label}"


def match_links(gold: Sequence[Ends], predicted: Sequence[Ends]) -> list[tuple[int, int]]:
    """Match links by overlap at both ends, one to one; indices into the two sequences."""
    anchors = [[(a.start, a.end) for a, _ in side] for side in (gold, predicted)]
    weights: dict[tuple[int, int], float] = {}
    for i, j in overlapping(*anchors):
        (_, left), (_, right) = gold[i], predicted[j]
        if role(gold[i]) == role(predicted[j]) and left.overlaps(right):
            weights[i, j] = jaccard(anchors[0][i], anchors[1][j]) + jaccard((left.start, left.end), (right.start, right.end))
    return assign(weights)


def scores(gold: Sequence[Document], predicted: Sequence[Document], schema: Schema = CONFLICT) -> dict[str, float]:
    """Link scores in percent: ``link_exact_f1`` (micro), ``link_exact_macro_f1``, ``link_exact_f1_ANCHOR-ARGUMENT``, the same for ``link_overlap``.

    Raises:
        MismatchError: the two sides are not about the same documents.
    """
    return collect(align(gold, predicted, schema), [tallies], schema).scores()


def _key(ends: Ends) -> tuple[str, int, int, int, int]:
    anchor, argument = ends
    return role(ends), anchor.start, anchor.end, argument.start, argument.end
