"""Which prediction belongs to which gold document; files that do not fit each other are refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from conflict_nlp.document import Document
from conflict_nlp.formats.files import printable

_SHOWN = 10


class MismatchError(ValueError):
    """Gold and predictions are not about the same documents; the message names the ids."""


def pair_documents(gold: Sequence[Document], predicted: Sequence[Document]) -> list[tuple[Document, Document]]:
    """Gold documents with their predictions, in the order of the gold.

    Documents are paired by id, or by position where neither side has ids.

    Raises:
        MismatchError: an id is missing on one side or used twice, or the text under one id differs.
    """
    if all(d.id is None for d in (*gold, *predicted)):
        if len(gold) != len(predicted):
            raise MismatchError(f"{len(gold)} gold documents and {len(predicted)} predictions: without ids both sides need the same documents in one order")
        pairs = list(zip(gold, predicted, strict=True))
        if differing := [str(n) for n, (g, p) in enumerate(pairs, 1) if g.text != p.text]:
            raise MismatchError(f"gold and predictions have another text at document {listed(differing)}: without ids both sides need one order")
        return pairs
    for side, documents in (("gold", gold), ("predictions", predicted)):
        _check_ids(side, documents)
    by_id = {d.id: d for d in predicted}
    gold_ids = {d.id for d in gold}
    problems = []
    if missing := [str(d.id) for d in gold if d.id not in by_id]:
        problems.append(f"the predictions lack {listed(missing)}")
    if extra := [str(d.id) for d in predicted if d.id not in gold_ids]:
        problems.append(f"the gold lacks {listed(extra)}")
    if differing := [str(d.id) for d in gold if d.id in by_id and by_id[d.id].text != d.text]:
        problems.append(f"gold and predictions have another text under {listed(differing)}")
    if problems:
        raise MismatchError("; ".join(problems))
    return [(d, by_id[d.id]) for d in gold]


def document_name(document: Document, number: int) -> str:
    """A document's id, or its number (from 1) where it has none."""
    return f"document {number}" if document.id is None else document.id


def _check_ids(side: str, documents: Sequence[Document]) -> None:
    if without := [str(n) for n, d in enumerate(documents, 1) if d.id is None]:
        raise MismatchError(f"{side}: document {listed(without)} has no id, while others have: give every document an id, or none")
    if twice := [str(id) for id, number in Counter(d.id for d in documents).items() if number > 1]:
        raise MismatchError(f"{side}: the id {listed(twice)} is used more than once")


def listed(names: Iterable[str]) -> str:
    """Names for a message: the first ten, and how many more there are."""
    names = [printable(name) for name in names]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
