"""Agreement of two annotators over the same documents, by the code that scores predictions.

F1 is the usual agreement for spans, where chance agreement cannot be defined (Hripcsak and Rothschild 2005): it does not
matter which side is called gold. For the attributes of spans that both have, Cohen's kappa (1960) takes chance out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from conflict_nlp.counts import Count
from conflict_nlp.document import Document, Span
from conflict_nlp.evaluation.alignment import Alignment, align
from conflict_nlp.evaluation.attributes import compared
from conflict_nlp.evaluation.summary import statistics
from conflict_nlp.schema import CONFLICT, Attribute, Schema


def agreement(first: Sequence[Document], second: Sequence[Document], schema: Schema = CONFLICT) -> dict[str, float]:
    """The F1 of spans, links, incidents and records, and the accuracy and kappa of attributes, in percent.

    It is the same in both directions (but for ties between equally good matchings of spans).

    ``ATTRIBUTE_accuracy`` and ``ATTRIBUTE_kappa`` are over matched spans where either annotator gives the attribute.

    Raises:
        MismatchError: the two sides are not about the same documents.
    """
    alignments = align(first, second, schema)
    found = {name: value for name, value in statistics(alignments, schema).scores().items() if "_f1" in name}
    for name, pairs in _values(alignments, schema).items():
        if pairs:
            found[f"{name}_accuracy"] = 100 * sum(a == b for a, b in pairs) / len(pairs)
            found[f"{name}_kappa"] = 100 * kappa(pairs)
    return found


def kappa(pairs: Sequence[tuple[str, str]]) -> float:
    """Cohen's kappa of two annotators' values, -1 to 1; 1 where both give one and the same value throughout."""
    observed = sum(a == b for a, b in pairs) / len(pairs)
    first, second = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    expected = sum(first[value] * second[value] for value in first) / len(pairs) ** 2
    return 1.0 if expected == 1 else (observed - expected) / (1 - expected)


def _values(alignments: Sequence[Alignment], schema: Schema) -> dict[str, list[tuple[str, str]]]:
    """Both sides' values of every attribute but clusters, comparable as strings."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name, label, attribute in compared(schema):
        pairs = [(_value(attribute, a), _value(attribute, b)) for alignment in alignments for a, b in alignment.spans if a.label == label]
        found[name] = [(a, b) for a, b in pairs if a or b]
    return found


def _value(attribute: Attribute, span: Span) -> str:
    value = span.attributes.get(attribute.name)
    if attribute.kind == "flag":
        return str(value is True)
    if attribute.kind == "count" and isinstance(value, str):
        return str(Count.from_string(value).bounds)
    return "" if value is None else str(value)
