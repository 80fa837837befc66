"""The counts of the authored corpus. Words are what blanks part; two strings are one where they differ in case alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from corpus_overlap import Overlap, overlaps

from conflict_nlp.document import Document, Span
from conflict_nlp.evaluation.agreement import agreement

OPENING = 3
ATTRIBUTES = ("status", "outcome", "count", "subset", "kind")
MEASURED = ("span_exact_f1", "span_overlap_f1", "link_exact_f1", "link_overlap_f1", *(f"{name}_kappa" for name in ATTRIBUTES))


class CorpusError(ValueError):
    """A passage lacks what the statistics need; the message names it."""


@dataclass(frozen=True)
class Commonest:
    """The string that occurs most among those of its kind."""

    text: str
    number: int
    total: int

    @property
    def share(self) -> float:
        """Its share of all, 0 to 1."""
        return self.number / self.total if self.total else 0.0


@dataclass(frozen=True)
class Lengths:
    """Words a passage."""

    shortest: int
    mean: float
    longest: int
    proper: int
    """how many passages have 40 to 200"""


@dataclass(frozen=True)
class Agreement:
    """The corpus against its second annotation: F1 and kappa in percent, over ``passages``."""

    passages: int
    scores: Mapping[str, float]


@dataclass(frozen=True)
class Statistics:
    """What the corpus holds. Counters are numbers of passages, spans or links; ``overlap`` is the pair of passages with most wording in common."""

    splits: Counter[str]
    themes: Counter[str]
    registers: Counter[str]
    words: int
    lengths: Lengths
    sentences: int
    unmarked: int
    sovereignty_with_attack: int
    labels: Counter[str]
    statuses: Counter[str]
    outcomes: Counter[str]
    subsets: int
    kinds: Counter[str]
    claims_with_attack: int
    links: int
    links_across: int
    attacker: Commonest
    location: Commonest
    opening: Commonest
    overlap: Overlap
    agreement: Agreement

    @property
    def passages(self) -> int:
        """How many there are in all splits."""
        return self.splits.total()


def measure(splits: Mapping[str, Sequence[Document]], first: Sequence[Document], second: Sequence[Document]) -> Statistics:
    """Count the passages of all splits, and compare the two annotations of those that were annotated twice.

    Raises:
        CorpusError: the corpus is empty, or lacks a passage that was annotated twice.
        MismatchError: the two annotations are of other passages or have another text under an id.
    """
    documents = [document for part in splits.values() for document in part]
    if not documents:
        raise CorpusError("the corpus has no passages")
    if missing := sorted({str(d.id) for d in second} - {str(d.id) for d in documents}):
        raise CorpusError(f"the corpus lacks {', '.join(missing)} of the second annotation")
    spans = [span for document in documents for span in document.spans]
    words = [len(document.text.split()) for document in documents]
    pairs = overlaps(documents)
    return Statistics(
        splits=Counter({name: len(part) for name, part in splits.items()}),
        themes=Counter(str(d.meta["theme"]) for d in documents),
        registers=Counter(str(d.meta["register"]) for d in documents),
        words=sum(words),
        lengths=Lengths(min(words), sum(words) / len(words), max(words), sum(40 <= n <= 200 for n in words)),
        sentences=sum(len(d.meta["sentences"]) for d in documents),
        unmarked=sum(not d.spans for d in documents),
        sovereignty_with_attack=sum(bool(d.attacks) for d in documents if d.meta["theme"] == "sovereignty"),
        labels=Counter(s.label for s in spans),
        statuses=Counter(str(s.status) for s in spans if s.label == "ATTACK"),
        outcomes=Counter(str(s.outcome) for s in spans if s.label == "CASUALTY"),
        subsets=sum(s.subset for s in spans if s.label == "CASUALTY"),
        kinds=Counter(str(s.kind) for s in spans if s.label == "CLAIM"),
        claims_with_attack=sum(bool(claim.attacks) for d in documents for claim in d.claims),
        links=sum(len(d.links) for d in documents),
        links_across=sum(links_across(d) for d in documents),
        attacker=commonest(s.text for s in spans if s.label == "ATTACKER"),
        location=commonest(s.text for s in spans if s.label == "LOCATION"),
        opening=commonest(" ".join(d.text.split()[:OPENING]) for d in documents),
        overlap=pairs[0] if pairs else Overlap(0.0, "", ""),
        agreement=compare(first, second),
    )


def links_across(document: Document) -> int:
    """How many links of a passage have their ends in two sentences."""

    def sentence(span: Span) -> int:
        return sum(start <= span.start for start, _ in document.meta["sentences"])

    return sum(sentence(document.span(link.anchor)) != sentence(document.span(link.argument)) for link in document.links)


def commonest(strings: Iterable[str]) -> Commonest:
    """The string that occurs most, case aside; the first in the alphabet among several."""
    counts = Counter(s.casefold() for s in strings)
    text, number = min(counts.items(), key=lambda item: (-item[1], item[0]), default=("", 0))
    return Commonest(text, number, counts.total())


def compare(first: Sequence[Document], second: Sequence[Document]) -> Agreement:
    """The agreement of two annotations of the same passages.

    Raises:
        MismatchError: the passages differ.
    """
    scores = agreement(first, second)
    return Agreement(len(second), {name: scores[name] for name in MEASURED if name in scores})
