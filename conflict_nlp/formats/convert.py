"""Converting a file of one annotation format into another, saying what is lost on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from conflict_nlp.document import Document
from conflict_nlp.formats.base import Format
from conflict_nlp.formats.files import FormatError, encode, is_stream, replacing
from conflict_nlp.formats.labelstudio_config import labeling_config
from conflict_nlp.formats.records import Record
from conflict_nlp.formats.registry import get, guess_input, guess_output
from conflict_nlp.formats.schema_file import read_schema
from conflict_nlp.schema import CONFLICT, Schema

MAX_PROBLEMS = 1_000


@dataclass
class Conversion:
    """What came of a conversion: how many documents, and in how many of them each kind of thing was lost.

    ``lost`` is what the target format cannot carry, ``dropped`` what was in the source and is no part of a document.
    """

    documents: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)

    def lines(self, source: Format, target: Format) -> list[str]:
        """One line a kind."""
        lost = [f"{target.name} cannot carry {kind} (in {count} of {self.documents} documents)" for kind, count in self.lost.items()]
        return [*(f"left out of {source.name}: {kind} ({count} times)" for kind, count in self.dropped.items()), *lost]


def convert_file(source: Path, target: Path, read: Format, write: Format, schema: Schema = CONFLICT, strict: bool = False) -> Conversion:
    """Convert a file, a document at a time.

    Raises:
        FormatError: something in the source is wrong (all of it is listed), or with ``strict``, something would be lost. Nothing is written then.
    """
    conversion = Conversion()
    write.write(target, _documents(read, write, source, schema, conversion, strict), schema)
    return conversion


def _documents(read: Format, write: Format, source: Path, schema: Schema, conversion: Conversion, strict: bool) -> Iterator[Document]:
    """The documents on their way; whatever forbids the conversion is raised at the end, when all of it is known, so that nothing is written."""
    problems: list[str] = []
    for record in read.read(source, schema):
        conversion.dropped.update(record.dropped)
        found = _checked(record, schema)
        if isinstance(found, list):
            problems += found[: MAX_PROBLEMS - len(problems)]
        elif found is not None:
            conversion.documents += 1
            conversion.lost.update(write.losses(found, schema))
            if not problems:
                yield found
    if problems:
        raise FormatError("\n".join(problems) + (f"\nand more: these are the first {MAX_PROBLEMS}" if len(problems) == MAX_PROBLEMS else ""))
    if strict and (kinds := conversion.lines(read, write)):
        raise FormatError("\n".join([*kinds, f"{source}: not converted, since --strict allows no loss"]))


def _checked(record: Record, schema: Schema) -> Document | list[str] | None:
    if record.skipped:
        return None
    return record.all_problems(schema) or record.document(schema)


def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="The file or folder to read.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The file or folder to write.")],
    from_: Annotated[str | None, typer.Option("--from", metavar="FORMAT", help="Its format, where the name does not tell.")] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="FORMAT", help="The format to write, where the name does not tell.")] = None,
    schema: Annotated[Path | None, typer.Option(help="The schema, YAML or JSON; if not given, the one of conflict reports.", dir_okay=False)] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Write nothing if anything would be lost.")] = False,
    config: Annotated[Path | None, typer.Option("--labelling-config", help="Write Label Studio's labelling configuration for the schema here.")] = None,
) -> None:
    """Convert annotated documents between formats.

    Formats: jsonl (the native one), lines, brat, label-studio, prodigy, doccano, uima, conll, spacy, datasets.
    """
    try:
        labels = read_schema(schema)
        write = guess_output(target) if to is None else get(to)
        read = guess_input(source) if from_ is None else get(from_)
        conversion = convert_file(source, target, read, write, labels, strict)
        if config is not None:
            with replacing(config) as file:
                file.write(encode(labeling_config(labels), str(config)))
    except FormatError as error:
        typer.echo(f"{error}", err=True)
        raise typer.Exit(2) from None
    for line in conversion.lines(read, write):
        typer.echo(line, err=True)
    typer.echo(f"{conversion.documents} documents from {source} ({read.name}) to {target} ({write.name})", err=is_stream(target))
