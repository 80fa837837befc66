"""Every error of a prediction, one by one, with its kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conflict_nlp.document import Span
from conflict_nlp.evaluation.alignment import Alignment
from conflict_nlp.evaluation.attributes import agrees, gives
from conflict_nlp.evaluation.incidents import cluster_names, clusters
from conflict_nlp.evaluation.links import Ends, linked_ends, match_links
from conflict_nlp.evaluation.matching import assign, jaccard, overlapping

KINDS = ("missed", "invented", "boundary", "wrong label", "wrong link", "wrong attribute", "wrong incident")


@dataclass(frozen=True)
class Error:
    """An error: the spans concerned in gold and prediction (two each for a link or an incident), and a note."""

    kind: str
    gold: tuple[Span, ...]
    predicted: tuple[Span, ...]
    note: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the spans concerned, each once."""
        return tuple(dict.fromkeys(s.label for s in (*self.gold, *self.predicted)))


def errors(alignment: Alignment) -> Iterator[Error]:
    """The errors of one document: spans in the order of the text, then links, then incidents."""
    found = sorted([*_unmatched_spans(alignment), *_matched_spans(alignment)], key=lambda e: min(s.start for s in (*e.gold, *e.predicted)))
    yield from found
    yield from _links(alignment)
    yield from _incidents(alignment)


def _matched_spans(alignment: Alignment) -> Iterator[Error]:
    for gold, predicted in alignment.spans:
        if (gold.start, gold.end) != (predicted.start, predicted.end):
            yield Error("boundary", (gold,), (predicted,))
        for attribute in alignment.schema[gold.label].attributes:
            if attribute.kind != "cluster" and gives(gold, attribute) and not agrees(attribute, gold, predicted):
                values = (_shown(s.attributes.get(attribute.name)) for s in (gold, predicted))
                yield Error("wrong attribute", (gold,), (predicted,), f"{attribute.name}: " + " in the gold, ".join(values) + " in the prediction")


def _unmatched_spans(alignment: Alignment) -> Iterator[Error]:
    """Missed and invented spans; two of them in the same place are one wrong label."""
    in_gold, in_predicted = {g.id for g, _ in alignment.spans}, {p.id for _, p in alignment.spans}
    gold = [s for s in alignment.gold.spans if s.id not in in_gold]
    predicted = [s for s in alignment.predicted.spans if s.id not in in_predicted]
    left, right = [(s.start, s.end) for s in gold], [(s.start, s.end) for s in predicted]
    pairs = assign({(i, j): jaccard(left[i], right[j]) for i, j in overlapping(left, right)})
    for i, j in pairs:
        yield Error("wrong label", (gold[i],), (predicted[j],), f"{gold[i].label} in the gold, {predicted[j].label} in the prediction")
    for i in set(range(len(gold))) - {i for i, _ in pairs}:
        yield Error("missed", (gold[i],), ())
    for j in set(range(len(predicted))) - {j for _, j in pairs}:
        yield Error("invented", (), (predicted[j],))


def _links(alignment: Alignment) -> Iterator[Error]:
    gold, predicted = linked_ends(alignment.gold), linked_ends(alignment.predicted)
    pairs = match_links(gold, predicted)
    counterpart = alignment.counterpart
    for i in sorted(set(range(len(gold))) - {i for i, _ in pairs}):
        yield Error("wrong link", gold[i], (), _link_note("missed", gold[i], counterpart))
    backwards = {p: g for g, p in counterpart.items()}
    for j in sorted(set(range(len(predicted))) - {j for _, j in pairs}):
        yield Error("wrong link", (), predicted[j], _link_note("invented", predicted[j], backwards))


def _link_note(what: str, ends: Ends, counterpart: dict[str, str]) -> str:
    lost = [s.label for s in ends if s.id not in counterpart]
    return f"{what}: {ends[0].label} to {ends[1].label}" + (f"; the {' and the '.join(lost)} has no counterpart" if lost else "")


def _incidents(alignment: Alignment) -> Iterator[Error]:
    for name in cluster_names(alignment.schema):
        gold, predicted = (clusters(d, name, alignment.schema) for d in (alignment.gold, alignment.predicted))
        # each mention beside the one before it in its cluster, on either side: all pairs would be too many to read
        last: dict[tuple[str, object], tuple[Span, Span]] = {}
        for g2, p2 in sorted(((g, p) for g, p in alignment.spans if g.id in gold), key=lambda pair: pair[0].start):
            for side, own in (("gold", gold[g2.id]), ("predicted", predicted[p2.id])):
                g1, p1 = last.get((side, own), (g2, p2))
                last[side, own] = g2, p2
                together = gold[g1.id] == gold[g2.id]
                if together != (predicted[p1.id] == predicted[p2.id]):
                    note = f"one {name} in the gold, two in the prediction" if together else f"two in the gold, one {name} in the prediction"
                    yield Error("wrong incident", (g1, g2), (p1, p2), note)


def _shown(value: object) -> str:
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def count_errors(found: Sequence[Error]) -> dict[str, int]:
    """How many errors there are of each kind."""
    return {kind: sum(e.kind == kind for e in found) for kind in KINDS}
