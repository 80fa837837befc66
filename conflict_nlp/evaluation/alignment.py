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
    def overlaps(self) -> tuple[tuple[Span, Span], ...]:
        """Gold and predicted spans of one label that share a character, matched one to one, for counting them.

        As many pairs as possible; among such matchings the one of the largest summed overlap (Jaccard index of the
        characters), then of the most equal attributes.
        """
        return tuple(pair for label in self.schema.names for pair in match_spans(self.gold.labelled(label), self.predicted.labelled(label), self.schema))

    @cached_property
    def spans(self) -> tuple[tuple[Span, Span], ...]:
        """The same, for comparing them: spans of equal boundaries are matched first, then the rest as in :attr:`overlaps`."""
        pairs: list[tuple[Span, Span]] = []
        for label in self.schema.names:
            gold, predicted = self.gold.labelled(label), self.predicted.labelled(label)
            equal = list(match_spans(gold, predicted, self.schema, equal=True))
            taken_gold, taken_predicted = {g.id for g, _ in equal}, {p.id for _, p in equal}
            rest = [s for s in gold if s.id not in taken_gold], [s for s in predicted if s.id not in taken_predicted]
            pairs += sorted([*equal, *match_spans(*rest, self.schema)], key=lambda pair: (pair[0].start, pair[0].end))
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


def match_spans(gold: Sequence[Span], predicted: Sequence[Span], schema: Schema, equal: bool = False) -> Iterator[tuple[Span, Span]]:
    """Match the spans of one label by overlap, one to one; with ``equal``, only those of equal boundaries."""
    gold, predicted = _in_order(gold), _in_order(predicted)
    left, right = [(s.start, s.end) for s in gold], [(s.start, s.end) for s in predicted]
    edges = [(i, j) for i, j in overlapping(left, right) if left[i] == right[j] or not equal]
    weights = {(i, j): jaccard(left[i], right[j]) + 1e-4 * _agreement(gold[i], predicted[j], schema[gold[i].label].attributes) for i, j in edges}
    yield from ((gold[i], predicted[j]) for i, j in assign(weights))


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


def _in_order(spans: Sequence[Span]) -> list[Span]:
    # attributes in the order too: what is matched must not depend on how a file lists its spans
    return sorted(spans, key=lambda s: (s.start, s.end, sorted((k, str(v)) for k, v in s.attributes.items())))
