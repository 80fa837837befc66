"""Attributes: accuracy over the spans that gold and prediction have in common.

Spans are matched by overlap, those of equal boundaries first; a pair is compared where the gold gives the attribute. Counts are equal when their bounds are,
a flag that is not given is false.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from conflict_nlp.document import Document, Span
from conflict_nlp.evaluation.alignment import Alignment, align, same_value
from conflict_nlp.evaluation.measures import Measure, Tally, collect
from conflict_nlp.schema import CONFLICT, Attribute, Schema


def tallies(alignment: Alignment) -> Iterator[tuple[Measure, Tally]]:
    """The counts of one document for every attribute of the schema but clusters."""
    for name, label, attribute in compared(alignment.schema):
        comparable = [(g, p) for g, p in alignment.spans if g.label == label and gives(g, attribute)]
        equal = sum(agrees(attribute, g, p) for g, p in comparable)
        # gold spans that have no counterpart keep the accuracy of predictions that find nothing at 0
        given = sum(gives(s, attribute) for s in alignment.gold.labelled(label))
        yield Measure(name, kind="accuracy"), Tally(hits=equal, predicted=len(comparable), gold=given)


def compared(schema: Schema) -> Iterator[tuple[str, str, Attribute]]:
    """Every attribute but clusters with its label, and the name of its scores: its own, or ``LABEL_ATTRIBUTE`` where another label has one of that name."""
    found = [(label.name, a) for label in schema.labels for a in label.attributes if a.kind != "cluster"]
    labels = Counter(a.name for _, a in found)
    return ((a.name if labels[a.name] == 1 else f"{label}_{a.name}", label, a) for label, a in found)


def gives(span: Span, attribute: Attribute) -> bool:
    """Whether a gold span says anything about an attribute; a flag that is not set says false."""
    return attribute.kind == "flag" or span.attributes.get(attribute.name) is not None


def agrees(attribute: Attribute, gold: Span, predicted: Span) -> bool:
    """Whether two spans have the same value of an attribute."""
    return same_value(attribute, gold.attributes.get(attribute.name), predicted.attributes.get(attribute.name))


def scores(gold: Sequence[Document], predicted: Sequence[Document], schema: Schema = CONFLICT) -> dict[str, float]:
    """``ATTRIBUTE_accuracy`` in percent for every attribute of the schema: 100 where the gold gives none, 0 where it does and no span is matched.

    Where two labels have an attribute of one name, these are ``LABEL_ATTRIBUTE_accuracy``.

    Raises:
        MismatchError: the two sides are not about the same documents.
    """
    return collect(align(gold, predicted, schema), [tallies], schema).scores()
