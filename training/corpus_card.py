"""The counts in the corpus's data card, written from the statistics so that card and files cannot differ."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from corpus_counts import CorpusError, Statistics

from conflict_nlp.formats.files import FormatError, decode, read_bytes, replacing

BEGIN, END = "<!-- counts: written by training/corpus_statistics.py --card -->", "<!-- end of counts -->"
_AGREEMENT = {"span_exact_f1": "span exact", "span_overlap_f1": "span overlap", "link_exact_f1": "link exact", "link_overlap_f1": "link overlap"}


def with_counts(card: str, statistics: Statistics) -> str:
    """A card with its counts brought up to date.

    Raises:
        CorpusError: the card has not one place for them.
    """
    head, begin, rest = card.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end or BEGIN in tail:
        raise CorpusError(f"the card needs {BEGIN!r} and {END!r}, once each")
    return f"{head}{BEGIN}\n{counts(statistics)}\n{END}{tail}"


def update_card(path: Path, statistics: Statistics) -> None:
    """Bring the counts of a card up to date.

    Raises:
        CorpusError: the card has not one place for them.
        FormatError: it cannot be read or written.
    """
    try:
        card = with_counts(decode(read_bytes(path)), statistics)
    except FormatError:
        raise
    except ValueError as error:
        raise CorpusError(f"{path}: {error}") from error
    with replacing(path) as file:
        file.write(card.encode())


def counts(s: Statistics) -> str:
    """The counts as Markdown."""
    agreement = ", ".join(f"{name} {s.agreement.scores[key]:.1f}" for key, name in _AGREEMENT.items())
    rows = [
        ("passages", f"{s.passages} ({_listed(s.splits, 'train', 'dev', 'test')})"),
        ("passages with nothing marked", f"{s.unmarked}"),
        ("words", f"{s.words:,}, in {s.sentences:,} sentences; {s.lengths.shortest} to {s.lengths.longest} a passage, mean {s.lengths.mean:.1f}"),
        ("themes", _listed(s.themes)),
        ("registers", _listed(s.registers)),
        ("sovereignty passages with an attack", f"{s.sovereignty_with_attack} of {s.themes['sovereignty']}"),
        ("spans", f"{s.labels.total():,}: {_listed(s.labels)}"),
        ("ATTACK by status", _listed(s.statuses)),
        ("CASUALTY by outcome", f"{_listed(s.outcomes)}; {s.subsets} are a subset of another"),
        ("CLAIM by kind", f"{_listed(s.kinds)}; {s.claims_with_attack} are linked to an ATTACK"),
        ("links", f"{s.links:,}, of them {s.links_across:,} across a sentence boundary"),
        ("commonest ATTACKER, LOCATION, opening", f"{s.attacker.share:.1%}, {s.location.share:.1%}, {s.opening.share:.1%} of their kind"),
        ("most wording that two passages share", f"{s.overlap.share:.1%} of the word 5-grams of the shorter one"),
        ("two annotations of the same passages, before adjudication", f"{agreement} (F1, {s.agreement.passages} passages)"),
    ]
    return "\n".join(["| what | how many |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows)])


def _listed(found: Counter[str], *order: str) -> str:
    names = order or tuple(sorted(found, key=lambda name: (-found[name], name)))
    return ", ".join(f"{name} {found[name]:,}" for name in names)
