"""Mentions -> entities: which spans of one label name the same person, group or thing.

By their words, as a reader would at first sight: the same string, one in another, an acronym and what it stands for, the same head; and by the
``cluster`` attribute that the model gave them. Two mentions of one entity that no rule joins stay two entities.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from conflict_nlp.document import Document, Span
from conflict_nlp.evaluation.normalisation import normalise
from conflict_nlp.schema import Schema

SAME_HEAD = frozenset({"PerpInd", "PerpOrg", "Weapon"})
"""Labels of which an equal head is enough: in MUC-4's training set 110 of 126 such pairs of PerpInd are one entity, 50 of 53 of PerpOrg and 44 of 61 of
Weapon, but no more than half of Target (141 of 267) and Victim (18 of 34). One string within the other is enough for all (431 of 464)."""

_ENDS_HEAD = frozenset(
    {"of", "in", "at", "from", "with", "for", "on", "by", "to", "near", "and", "against"}
    | {"who", "that", "which", "wearing", "carrying", "belonging", "loaded", "dressed"}
)
_SMALL = frozenset(["of", "the", "and", "for", "de", "la", "del", "el", "los", "para"])


@dataclass(frozen=True)
class Entity:
    """Mentions of one thing, in the order of the text."""

    label: str
    mentions: tuple[Span, ...]

    @property
    def name(self) -> str:
        """The mention that says best what it is: of the strings that differ after normalisation the one with the highest sum of scores, as it is
        written first; of equals the longer.
        """
        strings: dict[str, list[Span]] = defaultdict(list)
        for span in self.mentions:
            strings[normalise(span.text)].append(span)
        best = max(strings, key=lambda words: (round(sum(_score(span) for span in strings[words]), 4), len(words), words))
        return strings[best][0].text


def entities(document: Document, schema: Schema) -> list[Entity]:
    """The entities of a document, a label after the other as the schema has them, each by its first mention.

    A mention of which nothing is left after normalisation (an article, say) is none.
    """
    found: list[Entity] = []
    for label in schema.names:
        attribute = schema.cluster(label)
        spans = sorted((s for s in document.labelled(label) if normalise(s.text)), key=lambda s: (s.start, -s.end))
        clusters = [None if attribute is None else span.attributes.get(attribute.name) for span in spans]
        joined = _Groups(len(spans))
        strings: dict[str, int] = {}
        by_cluster: dict[object, int] = {}
        for i, (span, cluster) in enumerate(zip(spans, clusters, strict=True)):
            joined.join(i, strings.setdefault(normalise(span.text), i))
            if cluster is not None:
                joined.join(i, by_cluster.setdefault(cluster, i))
        asides = set(_asides(document.text, spans))
        for (one, i), (other, j) in combinations(strings.items(), 2):
            if same(one, other, label in SAME_HEAD) or (one, other) in asides or (other, one) in asides:
                joined.join(i, j)
        found += [Entity(label, tuple(spans[i] for i in group)) for group in joined.groups()]
    return found


def same(one: str, other: str, same_head: bool = False) -> bool:
    """Whether two normalised strings name one entity: one is within the other, an acronym of the other, or, if asked for, they have one head."""
    return _within(one, other) or _within(other, one) or acronym(one, other) or acronym(other, one) or (same_head and head(one) == head(other))


def acronym(short: str, long: str) -> bool:
    """Whether a word is made of the initials of others, in any order since names are translated: ``fmln``, farabundo marti national liberation front."""
    initials = [word[0] for word in long.split() if word not in _SMALL]
    letters = Counter(short)
    return " " not in short and len(short) >= 3 and 2 <= len(initials) <= len(short) + 1 and letters <= Counter(initials)


def head(words: str) -> str:
    """The head of a noun phrase, singular: its last word before a preposition, a relative pronoun or a participle.

    >>> head("two individuals wearing military uniforms")
    'individual'
    """
    tokens = words.split()
    end = next((i for i, token in enumerate(tokens) if i and token in _ENDS_HEAD), len(tokens))
    last = tokens[end - 1]
    return last[:-1] if last.endswith("s") and len(last) > 3 else last


def _within(short: str, long: str) -> bool:
    return f" {short} " in f" {long} "


def _asides(text: str, spans: Sequence[Span]) -> Iterator[tuple[str, str]]:
    """Pairs of strings of which one stands in brackets behind the other: ``national liberation army [eln]``."""
    starts: dict[int, set[str]] = defaultdict(set)
    for span in spans:
        starts[span.start].add(normalise(span.text))
    for span in spans:
        opened = re.compile(r'["\']?\s*[(\[]\s*["\']?').match(text, span.end)
        for other in starts.get(opened.end(), ()) if opened else ():
            yield normalise(span.text), other


def _score(span: Span) -> float:
    return 1.0 if span.score is None else span.score


class _Groups:
    """Disjoint sets of numbers."""

    def __init__(self, size: int) -> None:
        self.parent = list(range(size))

    def root(self, i: int) -> int:
        while self.parent[i] != i:
            self.parent[i] = i = self.parent[self.parent[i]]
        return i

    def join(self, i: int, j: int) -> None:
        low, high = sorted((self.root(i), self.root(j)))
        self.parent[high] = low

    def groups(self) -> Iterable[list[int]]:
        found: dict[int, list[int]] = defaultdict(list)
        for i in range(len(self.parent)):
            found[self.root(i)].append(i)
        return found.values()
