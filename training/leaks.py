"""Passages that are on both sides of a split: a model that has learnt one of them is scored too well on it.

python training/leaks.py DATA.jsonl --against OTHER.jsonl [--against MORE.jsonl] --output CLEAN.jsonl [--schema SCHEMA]

CLEAN.jsonl gets DATA without the passages whose wording OTHER has, under whatever id. ``training/train.py`` and ``training/distill.py`` warn of such
passages.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from corpus_overlap import grams, holders
from refusing import refusing

from conflict_nlp.document import Document
from conflict_nlp.formats.jsonl import read_all, write_documents
from conflict_nlp.formats.schema_file import read_schema

SHARE = 0.2
"""Of the shorter passage's runs of five words; passages of different reports that quote one resolution or casualty form have less in common."""


def main(
    data: Annotated[Path, typer.Argument(help="Annotated documents, native JSON Lines.")],
    against: Annotated[list[Path], typer.Option(help="Documents whose wording DATA may not have; may be given more than once.")],
    output: Annotated[Path, typer.Option(help="What is left of DATA.")],
    schema: Annotated[Path | None, typer.Option(help="The schema, YAML or JSON; if not given, the one of conflict reports.")] = None,
) -> None:
    """Write what is left, and say how much."""
    with refusing():
        labels = read_schema(schema)
        documents = read_all([data], labels)
        found = leaks(documents, read_all(against, labels))
        write_documents(output, [document for number, document in enumerate(documents) if number not in found])
    typer.echo(f"{len(documents) - len(found)} of {len(documents)} documents")


def warn(training: Sequence[Document], held_out: Sequence[Document]) -> None:
    """Say on standard error how many documents are trained on whose wording is held out."""
    if found := leaks(training, held_out):
        number, other = next(iter(found.items()))
        pair = f"{training[number].id or f'document {number + 1}'} that of {held_out[other].id or f'document {other + 1}'}"
        print(
            f"warning: {len(found)} of {len(training)} training documents have the wording of held-out ones, {pair} for one, "
            "and the scores will be too good: leave them out with training/leaks.py",
            file=sys.stderr,
        )


def leaks(documents: Sequence[Document], others: Sequence[Document]) -> dict[int, int]:
    """The numbers of the documents that share :data:`SHARE` or more of the shorter one's 5-grams with another, and of that other.

    A text of less than five words is never one of them.
    """
    sets = [grams(other.text) for other in others]
    index = holders(sets)
    found: dict[int, int] = {}
    for number, document in enumerate(documents):
        own = grams(document.text)
        shared = Counter(holder for gram in own for holder in index.get(gram, ()))
        shares = {holder: count / min(len(own), len(sets[holder])) for holder, count in shared.items()}
        likest = max(shares, key=shares.__getitem__, default=None)
        if likest is not None and shares[likest] >= SHARE:
            found[number] = likest
    return found


if __name__ == "__main__":
    typer.run(main)
