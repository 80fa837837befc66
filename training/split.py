"""Split annotated documents into parts, such that no document is on both sides and every label has its share in each.

python training/split.py DATA.jsonl [MORE.jsonl] --output FOLDER [--parts train=0.8,dev=0.1,test=0.1] [--group-field report | --group-pattern PATTERN]

Passages of one document stay together: they share the value of a field, or what is left of their id when the pattern is taken off its end (by
default the second of two numbers, so that ``satp-135-0`` and ``satp-135-1`` are one group and ``ceha-12`` and ``ceha-13`` are two). Groups are
dealt out one by one, those with the rarest labels first (iterative stratification; Sechidis, Tsoumakas and Vlahavas 2011), to the part that
lacks most of what they have over all labels. Equal input and seed give equal parts.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from refusing import refusing

from conflict_nlp.document import Document
from conflict_nlp.formats.files import FormatError
from conflict_nlp.formats.jsonl import read_all, write_documents
from conflict_nlp.formats.schema_file import read_schema

GROUP_PATTERN = r"(?<=\d)[-_]\d+$"
_SIZE, _EMPTY = "(documents)", "(nothing marked)"


class SplitError(ValueError):
    """The documents cannot be split as asked."""


@dataclass
class Part:
    """One side of a split: what share of everything it wants, and what it has."""

    name: str
    share: float
    documents: list[Document] = field(default_factory=list)
    have: Counter[str] = field(default_factory=Counter)


def split(documents: Sequence[Document], shares: dict[str, float], group_field: str | None = None, pattern: str = GROUP_PATTERN, seed: int = 0) -> list[Part]:
    """Split documents by group, stratified by label, by the number of documents, and by how many have nothing marked.

    Args:
        documents: what to split.
        shares: the share of every part, by name; they are scaled to add up to 1.
        group_field: the field of a document whose value names its group; without it, the id less what ``pattern`` matches.
        pattern: a regular expression for the part of an id that tells the passages of one document apart.
        seed: decides between parts and groups that are equally good.

    Returns:
        The parts in the order of ``shares``, each with its documents in the order of ``documents``.

    Raises:
        SplitError: a share is not above zero, a document has no id or field, or there are fewer groups than parts.
    """
    if not shares or any(not 0 < share < float("inf") for share in shares.values()):
        raise SplitError("every part needs a share above zero, like train=0.8,dev=0.2")
    total = sum(shares.values())
    parts = [Part(name, share / total) for name, share in shares.items()]
    groups = _groups(documents, group_field, pattern)
    if len(groups) < len(parts):
        raise SplitError(f"{len(groups)} groups cannot fill {len(parts)} parts, since no group is parted: see --group-field and --group-pattern")
    contents = {key: _contents([documents[n] for n in members]) for key, members in groups.items()}
    everything = sum(contents.values(), Counter[str]())
    chance = random.Random(seed)
    keys = sorted(groups)
    chance.shuffle(keys)
    side = _deal(keys, contents, everything, parts, chance)
    part_of = {number: side[key] for key, members in groups.items() for number in members}
    for number, document in enumerate(documents):
        parts[part_of[number]].documents.append(document)
    return parts


def _deal(keys: list[str], contents: dict[str, Counter[str]], everything: Counter[str], parts: list[Part], chance: random.Random) -> dict[str, int]:
    """The part of every group: the label that is rarest in what is left first, its largest groups first, each to the part that wants it most."""
    side: dict[str, int] = {}
    left = Counter(everything)
    while len(side) < len(keys):
        label = min((name for name in left if left[name] > 0), key=lambda name: (left[name], name))
        open_keys = [key for key in keys if key not in side and contents[key][label]]
        for key in sorted(open_keys, key=lambda k: -contents[k][label]):
            lack = [(_wanted(part, contents[key], everything), chance.random()) for part in parts]
            side[key] = max(range(len(parts)), key=lambda n: lack[n])
            parts[side[key]].have.update(contents[key])
            left.subtract(contents[key])
    return side


def _wanted(part: Part, group: Counter[str], everything: Counter[str]) -> float:
    """How much of what a group has is still lacking in a part: over the labels, the group's share of all times what the part lacks of its own share."""
    return sum(count / everything[name] * (1 - part.have[name] / (part.share * everything[name])) for name, count in group.items() if count)


def _groups(documents: Sequence[Document], group_field: str | None, pattern: str) -> dict[str, list[int]]:
    try:
        end = re.compile(pattern)
    except re.error as error:
        raise SplitError(f"--group-pattern {pattern!r} is no regular expression: {error}") from None
    groups: dict[str, list[int]] = {}
    for number, document in enumerate(documents):
        if group_field is not None:
            value = document.meta.get(group_field)
            if value is None:
                raise SplitError(f"document {document.id or number + 1} has no field {group_field!r}")
            key = str(value)
        elif document.id is None:
            raise SplitError(f"document {number + 1} has no id to tell its group by: give it one, or name a --group-field")
        else:
            key = end.sub("", document.id)
        groups.setdefault(key, []).append(number)
    return groups


def _contents(documents: Sequence[Document]) -> Counter[str]:
    counts = Counter(span.label for document in documents for span in document.spans)
    counts[_SIZE] = len(documents)
    counts[_EMPTY] = sum(not document.spans for document in documents)
    return counts


def _shares(text: str) -> dict[str, float]:
    shares: dict[str, float] = {}
    for item in text.split(","):
        name, _, share = item.strip().partition("=")
        if not re.fullmatch(r"[\w-]+", name) or name in shares or not re.fullmatch(r"\d*\.?\d+", share):
            raise SplitError(f"--parts {text!r}: write it like train=0.8,dev=0.1,test=0.1")
        shares[name] = float(share)
    return shares


def main(
    data: Annotated[list[Path], typer.Argument(help="Annotated documents, native JSON Lines.")],
    output: Annotated[Path, typer.Option(help="The folder for the parts, NAME.jsonl each.")],
    parts: Annotated[str, typer.Option(help="The parts and their shares.")] = "train=0.8,dev=0.1,test=0.1",
    group_field: Annotated[str | None, typer.Option(help="The field that names a passage's document.")] = None,
    group_pattern: Annotated[str, typer.Option(help="Without a field: what to take off an id to get its document's.")] = GROUP_PATTERN,
    seed: Annotated[int, typer.Option(help="Decides between equally good splits.")] = 0,
    schema: Annotated[Path | None, typer.Option(help="The schema, YAML or JSON; if not given, the one of conflict reports.")] = None,
) -> None:
    """Split annotated documents by group, stratified by label."""
    with refusing(FormatError, SplitError, OSError):
        labels = read_schema(schema)
        documents = read_all(data, labels)
        result = split(documents, _shares(parts), group_field, group_pattern, seed)
        output.mkdir(parents=True, exist_ok=True)
        for part in result:
            write_documents(output / f"{part.name}.jsonl", part.documents)
    typer.echo(" " * 18 + "".join(f"{part.name:>16}" for part in result))
    for name in ["(documents)", "(nothing marked)", *labels.names]:
        total = sum(part.have[name] for part in result)
        cells = (f"{part.have[name]:,} ({part.have[name] / total:.1%})" if total else "0" for part in result)
        typer.echo(f"{name:18}" + "".join(f"{cell:>16}" for cell in cells))
    smallest = min(len(part.documents) for part in result)
    for key, members in _groups(documents, group_field, group_pattern).items():
        if len(members) > max(10, smallest // 2):
            typer.echo(f"note: the group {key!r} has {len(members)} documents, all on one side: see --group-field and --group-pattern", err=True)


if __name__ == "__main__":
    typer.run(main)
