"""Spans: precision, recall and F1, exact and by overlap.

Exact is the definition of the CoNLL shared tasks (Tjong Kim Sang and De Meulder 2003): same label, same boundaries.
Overlap asks for the same label and one shared character, each span being used once; it follows the "type" match of
SemEval 2013 task 9 (Segura-Bedmar et al. 2013). Spans of a document are a multiset: a span given twice counts twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from conflict_nlp.document import Document
from conflict_nlp.evaluation.alignment import Alignment, align
from conflict_nlp.evaluation.measures import Measure, Tally, collect
from conflict_nlp.schema import CONFLICT, Schema


def tallies(alignment: Alignment) -> Iterator[tuple[Measure, Tally]]:
    """The counts of one document, over all labels and for each."""
    gold, predicted = (Counter((s.label, s.start, s.end) for s in d.spans) for d in (alignment.gold, alignment.predicted))
    exact = Counter(s[0] for s in (gold & predicted).elements())
    overlap = Counter(g.label for g, _ in alignment.overlaps)
    in_gold, in_predicted = (Counter(s.label for s in d.spans) for d in (alignment.gold, alignment.predicted))
    for name, matched in (("span_exact", exact), ("span_overlap", overlap)):
        yield Measure(name), Tally.of_sets(matched.total(), in_predicted.total(), in_gold.total())
        for label in alignment.schema.names:
            yield Measure(name, label), Tally.of_sets(matched[label], in_predicted[label], in_gold[label])


def scores(gold: Sequence[Document], predicted: Sequence[Document], schema: Schema = CONFLICT) -> dict[str, float]:
    """Span scores in percent: ``span_exact_f1`` (micro), ``span_exact_macro_f1``, ``span_exact_f1_LABEL``, the same for ``span_overlap``.

    Raises:
        MismatchError: the two sides are not about the same documents.
    """
    return collect(align(gold, predicted, schema), [tallies], schema).scores()
