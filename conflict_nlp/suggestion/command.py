"""The command ``suggest``: from a pool of reports, those to annotate next, labelled already as the model would."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from conflict_nlp.document import Document
from conflict_nlp.extract import InputError, JsonLines, source
from conflict_nlp.formats.base import Format
from conflict_nlp.formats.convert import Conversion
from conflict_nlp.formats.files import FormatError, is_stream
from conflict_nlp.formats.registry import get, guess_input, guess_output
from conflict_nlp.schema import CONFLICT


def suggest(
    pool: Annotated[str, typer.Argument(metavar="POOL.jsonl", help="Reports: `text` and perhaps `id` a line; annotation in it is ignored.")],
    number: Annotated[int, typer.Option(min=1, help="How many passages to choose.")] = 50,
    to: Annotated[str | None, typer.Option("--to", metavar="FORMAT", help="The format to write; label-studio, where the output's name does not tell.")] = None,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to; if not given and the format is JSON, beside the pool.")] = None,
    known: Annotated[list[Path] | None, typer.Option(metavar="FILE", help="What is annotated already, in any format; may be given more than once.")] = None,
    model: Annotated[str | None, typer.Option(help="The name, folder or Hub id of the model to teach, instead of the embedded one.")] = None,
    encoder: Annotated[str | None, typer.Option(help="The folder of the encoder, for a --model that is an adapter.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Of the clustering.")] = 0,
) -> None:
    """Choose the reports whose annotation would teach the model most, and label them for correction: uncertain, different, none twice."""
    if importlib.util.find_spec("sklearn") is None:
        raise InputError("scikit-learn is not installed: pip install 'conflict-nlp[suggest]'")
    reports = source(pool)
    if not isinstance(reports, JsonLines):
        raise InputError(f"{pool}: a pool is a .jsonl file, with a `text` a line")
    write = guess_output(output) if to is None and output is not None else get(to or "label-studio")
    target = output if output is not None else _beside(reports.path, write)
    _check(target, reports.path, known or [], write)
    total = reports.count()  # a bad line stops it before any work is done
    annotated = [text for path in known or [] for text in _texts(path)]

    from conflict_nlp.extractor import load
    from conflict_nlp.suggestion.selection import suggest

    nlp = load(model, encoder=encoder, device=device, runtime="torch")
    chosen = suggest(nlp, _passages(reports), number, annotated, seed)
    if not chosen:
        raise InputError(f"{pool}: nothing to suggest: all {total} texts are blank, or annotated already")
    conversion = Conversion(len(chosen))
    for suggestion in chosen:
        conversion.lost.update(write.losses(suggestion.document, nlp.schema))
    write.write(target, (suggestion.document for suggestion in chosen), nlp.schema)
    for line in conversion.lines(write, write):
        typer.echo(line, err=True)
    typer.echo(f"{len(chosen)} of {total} passages from {pool} to {target} ({write.name})", err=is_stream(target))


def _beside(pool: Path, write: Format) -> Path:
    suffix = next((suffix for suffix in write.suffixes if suffix.endswith((".json", ".jsonl"))), None)
    if suffix is None:  # it may be a folder
        raise InputError(f"--to {write.name} needs an --output")
    return pool.with_name(f"{Path(pool.name.removesuffix('.gz')).stem}.suggested{suffix}")


def _check(target: Path, pool: Path, known: Sequence[Path], write: Format) -> None:
    """Find what would keep the suggestions from being written, before the pool is read."""
    if not write.writes:
        raise FormatError(f"{write.name} is a format that is only read: write another one, label-studio say")
    if not target.parent.is_dir():
        raise FormatError(f"{target.parent}: no such folder: make it first")
    if target.exists() and target.samefile(pool):
        raise FormatError(f"{target} is the pool: name another --output")
    if target.exists() and any(path.exists() and target.samefile(path) for path in known):
        raise FormatError(f"{target} is given as --known, and would be lost: name another --output")


def _passages(reports: JsonLines) -> Iterator[Document]:
    """The reports as documents; one without an id is numbered, so that its annotation can be told from that of others."""
    for number, report in enumerate(reports.reports(), 1):
        yield Document(report.text, id=report.id or f"{reports.path.stem}-{number}", meta=report.meta)


def _texts(path: Path) -> Iterator[str]:
    """The texts of an annotated file, whatever may be wrong with its annotation; those that an annotator rejected too."""
    for record in guess_input(path).read(path, CONFLICT):
        text = record.text if record.data is None else record.data.get("text")
        if isinstance(text, str):
            yield text
        elif not record.skipped:
            raise FormatError(f"{record.where}: {'; '.join(record.problems) or 'text is missing'}")
