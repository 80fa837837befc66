"""Count what the authored corpus holds, and check it against the bars that it was written for.

python training/corpus_statistics.py [FOLDER] [--check] [--card]

FOLDER (by default ``training/corpus``) has ``train.jsonl``, ``dev.jsonl``, ``test.jsonl``, and ``first_annotation.jsonl`` and ``second_annotation.jsonl`` of
the passages that were annotated twice. With ``--check`` the exit
status is 1 where a bar fails. ``--card`` brings the counts in the folder's ``README.md`` up to date.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from corpus_bars import bars
from corpus_card import update_card
from corpus_counts import CorpusError, Statistics, measure
from corpus_tables import show
from refusing import refusing

from conflict_nlp.document import Document
from conflict_nlp.evaluation.pairing import MismatchError
from conflict_nlp.formats.files import FormatError
from conflict_nlp.formats.jsonl import read_all

FOLDER = Path(__file__).parent / "corpus"
SPLITS = ("train", "dev", "test")
FIRST, SECOND = "first_annotation.jsonl", "second_annotation.jsonl"
CARD = "README.md"


def read_corpus(folder: Path) -> dict[str, list[Document]]:
    """The passages of every split.

    Raises:
        FormatError: a file cannot be read, or a line is no document.
        CorpusError: a passage lacks id, theme, register or sentences, or an id is there twice.
    """
    splits = {name: read_all([folder / f"{name}.jsonl"]) for name in SPLITS}
    ids: Counter[str | None] = Counter()
    for name, documents in splits.items():
        for number, document in enumerate(documents, 1):
            if lacking := [key for key in ("theme", "register", "sentences") if not document.meta.get(key)]:
                raise CorpusError(f"{folder / name}.jsonl: {document.id or number} has no {' and no '.join(lacking)}")
            ids[document.id] += 1
            if document.id is None or ids[document.id] > 1:
                raise CorpusError(f"{folder / name}.jsonl: passage {number} has {'no id' if document.id is None else f'the id {document.id} of another'}")
    return splits


def read_statistics(folder: Path = FOLDER) -> Statistics:
    """The statistics of a folder with the corpus.

    Raises:
        FormatError, CorpusError, MismatchError: see :func:`read_corpus` and :func:`corpus_counts.measure`.
    """
    return measure(read_corpus(folder), read_all([folder / FIRST]), read_all([folder / SECOND]))


def main(
    folder: Annotated[Path, typer.Argument(help="The folder with the corpus.")] = FOLDER,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 where a bar fails.")] = False,
    card: Annotated[bool, typer.Option("--card", help="Write the counts into the data card.")] = False,
) -> None:
    """Count what the authored corpus holds, and check it."""
    with refusing(FormatError, CorpusError, MismatchError):
        statistics = read_statistics(folder)
        if card:
            update_card(folder / CARD, statistics)
    results = bars(statistics)
    show(statistics, results)
    if check and not all(bar.holds for bar in results):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
