"""A gold document beside its prediction, with the spans of the two that belong together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from conflict_nlp.counts import Count
from conflict_nlp.document import AttributeValue, Document, Span
from conflict_nlp.evaluation.matching import assign, jaccard, overlapping
from conflict_nlp.evaluation.pairing import MismatchError, document_name, pair_documents
from conflict_nlp.schema import CONFLICT, Attribute, Schema


@dataclass(frozen=True)
class Alignment:
    """A gold document and its prediction under a schema. ``name`` is the id, or the position where there is none."""

    name: str
    gold: Document
    predicted: Document
    schema: Schema

    @cached_property
    def spans(self) -> tuple[tuple[Span, Span], ...]:
        """Gold and predicted spans of one label that share a character, matched one to one.

        As many pairs as possible; among such matchings the one of the largest summed overlap (Jaccard index of the
        characters), then of the most equal attributes.
        """
        pairs: list[tuple[Span, Span]] = []
        for label in self.schema.names:
            gold, predicted = _in_order(self.gold, label), _in_order(self.predicted, label)
            if gold and predicted:
                pairs += [(gold[i], predicted[j]) for i, j in match_spans(gold, predicted, self.schema)]
        return tuple(pairs)

    @cached_property
    def counterpart(self) -> dict[str, str]:
        """The id of the predicted span that a gold span is matched with."""
        return {gold.id: predicted.id for gold, predicted in self.spans}


def align(gold: Sequence[Document], predicted: Sequence[Document], schema: Schema = CONFLICT) -> list[Alignment]:
    """Pair the documents of two sides, in the order of the gold.

    Raises:
        MismatchError: they are not about the same documents, or a document has a label that the schema lacks.
    """
    alignments = []
    for number, (g, p) in enumerate(pair_documents(gold, predicted), 1):
        name = document_name(g, number)
        if unknown := {s.label for s in (*g.spans, *p.spans) if s.label not in schema}:
            raise MismatchError(f"{name}: the schema {schema.name} has no label {', '.join(sorted(unknown))}, only {', '.join(schema.names)}")
        alignments.append(Alignment(name, g, p, schema))
    return alignments


def match_spans(gold: Sequence[Span], predicted: Sequence[Span], schema: Schema) -> Iterator[tuple[int, int]]:
    """Match the spans of one label by overlap, one to one; indices into the two sequences."""
    left, right = [(s.start, s.end) for s in gold], [(s.start, s.end) for s in predicted]
    attributes = schema[gold[0].label].attributes
    weights = {(i, j): jaccard(left[i], right[j]) + 1e-4 * _agreement(gold[i], predicted[j], attributes) for i, j in overlapping(left, right)}
    yield from assign(weights)


def same_value(attribute: Attribute, gold: AttributeValue | None, predicted: AttributeValue | None) -> bool:
    """Whether two values of an attribute are equal: counts by their bounds, a flag that is not set as false."""
    if attribute.kind == "flag":
        return (gold is True) == (predicted is True)
    if attribute.kind == "count" and isinstance(gold, str) and isinstance(predicted, str):
        return Count.from_string(gold).bounds == Count.from_string(predicted).bounds
    return gold == predicted


def _agreement(gold: Span, predicted: Span, attributes: Sequence[Attribute]) -> float:
    """The share of attributes that are equal; clusters have no names in common."""
    comparable = [a for a in attributes if a.kind != "cluster"]
    if not comparable:
        return 0.0
    return sum(same_value(a, gold.attributes.get(a.name), predicted.attributes.get(a.name)) for a in comparable) / len(comparable)


def _in_order(document: Document, label: str) -> list[Span]:
    spans = document.labelled(label)
    # attributes in the order too: what is matched must not depend on how a file lists its spans
    return sorted(spans, key=lambda s: (s.start, s.end, sorted((k, str(v)) for k, v in s.attributes.items())))
