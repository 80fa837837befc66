"""The command ``extract``: files of reports in, documents out, for a person or a program."""

from __future__ import annotations

import csv
import io
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import typer

from conflict_nlp.document import Document
from conflict_nlp.flat import FlatTable
from conflict_nlp.formats.files import decode, lines_of, read_bytes
from conflict_nlp.formats.jsonl import dump, json_lines, json_objects
from conflict_nlp.onnx.choice import Runtime
from conflict_nlp.schema import Schema


class InputError(ValueError):
    """A file cannot be read as reports; the message names it, the line, and the mend."""


class OutputFormat(str, Enum):
    """How documents are printed."""

    pretty = "pretty"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"


@dataclass(frozen=True)
class Report:
    """A text to label, and what came with it."""

    text: str
    id: str | None
    meta: dict[str, Any]


def extract(
    inputs: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE… | -]", help=".txt: one report; .jsonl: `text` and perhaps `id` a line; -: standard input.")
    ] = None,
    example: Annotated[bool, typer.Option("--example", help="Label the report that comes with the package.")] = False,
    model: Annotated[str | None, typer.Option(help="A model's folder or Hub id, instead of the embedded model.")] = None,
    encoder: Annotated[str | None, typer.Option(help="The folder of the encoder, for a --model that is an adapter.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    half: Annotated[bool, typer.Option("--half", help="Compute in half precision where the device has it: faster, and scores change a little.")] = False,
    runtime: Annotated[Runtime, typer.Option(help="torch, onnx (ONNX Runtime on the CPU), or auto, the faster one that is there.")] = Runtime.auto,
    quantised: Annotated[
        bool | None, typer.Option("--quantised/--full-precision", help="8-bit integers or not, of ONNX Runtime. [default: only where the runtime is auto]")
    ] = None,
    format: Annotated[
        OutputFormat,
        typer.Option(help="pretty for a person; json an object, or a list of several; jsonl a document a line; csv a row an anchor."),
    ] = OutputFormat.pretty,
) -> None:
    """Label reports: who attacked whom, with what, where and when, who was hurt, and who claims whose sovereignty was breached."""
    if example == bool(inputs):
        raise InputError("give files, - for standard input, or --example" if not example else "--example takes no files")
    if inputs and inputs.count("-") > 1:
        raise InputError("standard input (-) can be read once only")
    sources = [Example()] if example else _told_apart([source(name) for name in inputs or []])
    total = sum(s.count() for s in sources)  # every input is read once before any is labelled: a bad one stops all

    from conflict_nlp.extractor import load

    nlp = load(model, encoder=encoder, device=device, half=half, runtime=runtime.value, quantised=quantised)
    labelled = _labelled(nlp, (report for s in sources for report in s.reports()))
    write = {OutputFormat.pretty: _pretty, OutputFormat.json: _json, OutputFormat.jsonl: _jsonl, OutputFormat.csv: _csv}[format]
    write(_with_progress(labelled, total), nlp.schema, total)


def _told_apart(sources: Sequence[Source]) -> list[Source]:
    """Texts of one name in different folders are called by their paths."""
    names = Counter(s.id for s in sources if isinstance(s, TextFile))
    return [replace(s, id=str(s.path)) if isinstance(s, TextFile) and names[s.id] > 1 else s for s in sources]


class Source:
    """Where reports come from."""

    def reports(self) -> Iterator[Report]:
        """The reports, one at a time.

        Raises:
            InputError: one cannot be read.
        """
        raise NotImplementedError

    def count(self) -> int:
        """How many there are; reads all of them, and so finds every mistake."""
        return sum(1 for _ in self.reports())


class Example(Source):
    """The report that is part of the package."""

    def reports(self) -> Iterator[Report]:
        """The one report."""
        yield Report((resources.files("conflict_nlp") / "example.txt").read_text(encoding="utf-8").strip(), "example", {})


class Stream(Source):
    """Standard input or a pipe, which can be read once only: JSON Lines where the first line is one with a text, else one report."""

    def __init__(self, name: str, content: bytes) -> None:
        self.name, self.content, self.text = name, content, _decoded(content, name)

    def reports(self) -> Iterator[Report]:
        """The one report, or one a line."""
        _, first, _ = next(self._rows(), ("", None, ""))
        if first is not None and isinstance(first.get("text"), str):
            yield from (_report(*row) for row in self._rows())
        else:
            yield Report(self.text, None, {})

    def _rows(self) -> Iterator[tuple[str, dict[str, Any] | None, str]]:
        return json_objects(lines_of(io.BytesIO(self.content), self.name), self.name)


@dataclass(frozen=True)
class TextFile(Source):
    """A file that is one report."""

    path: Path
    id: str

    def reports(self) -> Iterator[Report]:
        """The one report."""
        yield Report(_decoded(read_bytes(self.path), str(self.path)), self.id, {})


@dataclass(frozen=True)
class JsonLines(Source):
    """A file with a report a line, as a JSON object with ``text``."""

    path: Path

    def reports(self) -> Iterator[Report]:
        """A report for each line that is not blank; what the line holds besides goes with it, but for an annotation."""
        yield from (_report(where, data, problem) for where, data, problem in json_lines(self.path))


def _report(where: str, data: dict[str, Any] | None, problem: str) -> Report:
    if data is None:
        raise InputError(f"{where}: {problem}")
    if not isinstance(data.get("text"), str):
        raise InputError(f"{where}: text is {'missing' if 'text' not in data else 'not a string'}")
    id = data.get("id")
    meta = {k: v for k, v in data.items() if k not in ("id", "text", "spans", "links")}
    return Report(data["text"], None if id is None else str(id), meta)


NO_TEXT = (".json", ".csv", ".tsv", ".parquet", ".html", ".htm")
"""Files that would be labelled with their markup."""


def source(name: str) -> Source:
    """The source that a command-line argument names.

    Raises:
        InputError: it is missing, a folder, or known not to be text.
    """
    if name == "-":
        if sys.stdin is None:
            raise InputError("standard input is closed")
        return Stream("standard input", sys.stdin.buffer.read())
    path = Path(name)
    if not path.exists():
        raise InputError(f"{name}: no such file")
    if path.is_dir():
        raise InputError(f"{name} is a folder: name the files in it, {name.rstrip('/')}/*.txt")
    if not path.is_file():
        return Stream(name, path.read_bytes())
    if path.suffix.lower() in NO_TEXT:
        raise InputError(f"{name} is no plain text: give a report as .txt or reports as .jsonl; conflict-nlp batch takes .csv, .tsv and .parquet too")
    return JsonLines(path) if path.name.lower().removesuffix(".gz").endswith((".jsonl", ".ndjson")) else TextFile(path, path.stem)


def _decoded(data: bytes, name: str) -> str:
    try:
        return decode(data)
    except ValueError as error:
        raise InputError(f"{name}: {error}") from error


def _labelled(nlp: Any, reports: Iterable[Report]) -> Iterator[Document]:
    for document, report in nlp.pipe(((report.text, report) for report in reports), as_tuples=True):
        yield replace(document, id=report.id, meta=report.meta)


def _with_progress(documents: Iterator[Document], total: int) -> Iterator[Document]:
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    hidden = total < 2 or not console.is_terminal or sys.stdout.isatty()
    return iter(track(documents, "labelling", total=total, console=console, transient=True, disable=hidden))


def _pretty(documents: Iterator[Document], schema: Schema, total: int) -> None:
    from rich.console import Console

    from conflict_nlp.pretty import render

    console = Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else 160)
    for document in documents:
        console.print(render(document, schema))


def _json(documents: Iterator[Document], schema: Schema, total: int) -> None:
    found = [d.to_dict() for d in documents]
    print(dump(found[0] if total == 1 else found, indent=2))


def _jsonl(documents: Iterator[Document], schema: Schema, total: int) -> None:
    for document in documents:
        print(dump(document.to_dict()))


def _csv(documents: Iterator[Document], schema: Schema, total: int) -> None:
    table = FlatTable.of(schema, schema.heads)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(table.header)
    for number, document in enumerate(documents, 1):
        writer.writerows(table.rows(document if document.id else replace(document, id=str(number))))
        print(_encodable(out.getvalue()), end="")
        out.seek(0)
        out.truncate()
    print(_encodable(out.getvalue()), end="")


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
