"""Checking annotated files: everything that is wrong, with its place and how to mend it, counts, and agreement.

An *error* keeps a file from being used; a *warning* is what the guidelines forbid or what looks like a slip.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from conflict_nlp.document import Document, Span
from conflict_nlp.formats.files import FormatError, printable
from conflict_nlp.formats.records import Record
from conflict_nlp.formats.registry import guess_input
from conflict_nlp.mending import mend_files, words_cut
from conflict_nlp.schema import CONFLICT, Schema

Signature = tuple[frozenset[tuple[str, int, int, tuple[tuple[str, str], ...]]], frozenset[tuple[tuple[str, int, int], tuple[str, int, int]]]]


@dataclass(frozen=True)
class Finding:
    """Something wrong: ``where`` is the file and line, ``id`` the document's, ``problem`` what it is with its mend."""

    where: str
    id: str | None
    problem: str
    error: bool

    def __str__(self) -> str:
        id = "" if self.id is None else f"{printable(self.id)}: "
        return f"{self.where}: {id}{'' if self.error else 'warning: '}{self.problem}"


@dataclass
class Checked:
    """What is known of some files once :func:`check_files` has read them."""

    findings: list[Finding] = field(default_factory=list)
    mended: list[str] = field(default_factory=list)
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    agreements: dict[tuple[str, str], dict[str, float]] = field(default_factory=dict)


def check_files(paths: Sequence[Path], schema: Schema = CONFLICT, fix: bool = False) -> Checked:
    """Check files of any format.

    With ``fix``, a native file is mended in place: blanks at the edges of spans, offsets that are off from their words where these stand once in
    the text, doubled spans and links, and links that run backwards.

    Raises:
        FormatError: a file cannot be read or written, or is to be mended and is not native.
    """
    checked = Checked(mended=mend_files(paths, schema) if fix else [])
    seen = _Seen()
    for path in paths:
        counts = checked.counts.setdefault(str(path), Counter())
        for record in guess_input(path).read(path, schema):
            if not record.skipped:
                checked.findings += _record_findings(record, schema, seen, str(path), counts)
    checked.findings += seen.across()
    checked.findings += _lacking(checked.counts, schema)
    checked.agreements = _agreements(seen, schema)
    return checked


@dataclass
class _Seen:
    """The documents so far, for what shows only between them."""

    documents: dict[str, dict[str, tuple[str, Document]]] = field(default_factory=dict)
    texts: dict[str, list[tuple[str, str, str | None, Signature]]] = field(default_factory=dict)

    def add(self, path: str, where: str, document: Document) -> Iterator[Finding]:
        known = self.documents.setdefault(path, {})
        if document.id is not None and document.id in known:
            yield Finding(where, document.id, f"the id is used before, at {known[document.id][0]}: give each document its own", True)
        elif document.id is not None:
            known[document.id] = (where, document)
        for others in (others for name, others in self.documents.items() if name != path):
            if document.id in others and others[document.id][1].text != document.text:
                yield Finding(where, document.id, f"the id has another text at {others[document.id][0]}: give each document its own id", False)
        key = " ".join(document.text.split())
        if key:
            self.texts.setdefault(key, []).append((path, where, document.id, _signature(document)))

    def across(self) -> Iterator[Finding]:
        for same in self.texts.values():
            first_path, first, first_id, signature = same[0]
            for path, where, id, other in same[1:]:
                if path != first_path and id is not None and id == first_id:
                    continue  # two annotators of one document: their agreement is told
                if other != signature:
                    yield Finding(where, id, f"the same text is annotated differently at {first}: make them equal, or keep one", False)
                else:
                    what = "is in two files" if path != first_path else "stands twice in the file"
                    yield Finding(where, id, f"the same text with the same annotation {what}, also at {first}: keep one", False)


def _record_findings(record: Record, schema: Schema, seen: _Seen, path: str, counts: Counter[str]) -> Iterator[Finding]:
    id = record.data.get("id") if record.data is not None else None
    id = id if isinstance(id, str) else None
    prefix = f"{record.where}: " + (f"{printable(id)}: " if id is not None else "")
    problems = [Finding(record.where, id, problem.removeprefix(prefix), True) for problem in record.all_problems(schema)]
    yield from problems
    if problems:
        return
    document = record.document(schema)
    counts.update(span.label for span in document.spans)
    counts.update({"documents": 1, "links": len(document.links)})
    yield from seen.add(path, record.where, document)
    for problem in document_warnings(document, schema):
        yield Finding(record.where, id, problem, False)


def document_warnings(document: Document, schema: Schema = CONFLICT) -> Iterator[str]:
    """What in a valid document the guidelines forbid, or what looks like a slip; each with its mend."""
    if not document.text.strip():
        yield "the text is blank: take the document out"
    linked = {end for link in document.links for end in (link.anchor, link.argument)}
    places: dict[tuple[str, int, int, tuple[str, ...]], str] = {}
    for span in document.spans:
        name = f"span {span.id} {span.label} {span.text!r}"
        yield from (f"{name} {problem}" for problem in _span_warnings(span, document.text, schema))
        if span.label not in schema.heads and span.id not in linked:
            yield f"{name} is linked to no anchor: link it, or take it out"
        # the guidelines mark one victim with two outcomes twice
        choices = tuple(str(span.attributes.get(a.name)) for a in schema[span.label].attributes if a.kind == "choice")
        first = places.setdefault((span.label, span.start, span.end, choices), span.id)
        if first != span.id:
            yield f"{name} stands twice, also as {first}: take one out"
    pairs = Counter((link.anchor, link.argument) for link in document.links)
    for (anchor, argument), count in pairs.items():
        if count > 1:
            yield f"link {anchor} to {argument} stands {count} times: keep one"


def _span_warnings(span: Span, text: str, schema: Schema) -> Iterator[str]:
    if not span.text.strip():
        yield "is blank: take it out"
    elif span.text != span.text.strip():
        yield "begins or ends in blanks: leave them out (--fix does)"
    for whole in words_cut(text, span.start, span.end):
        yield f"cuts the word {whole!r}: mark it whole, or not at all"
    for attribute in schema[span.label].attributes:
        if attribute.kind == "choice" and span.attributes.get(attribute.name) is None:
            yield f"has no {attribute.name}: say which of {', '.join(attribute.values)}"
        elif attribute.kind == "count" and span.attributes.get(attribute.name) is None:
            yield f"has no {attribute.name}: say how many, or ?"
    unknown = set(span.attributes) - {a.name for a in schema[span.label].attributes}
    if unknown:
        yield f"has {', '.join(sorted(unknown))}, which the schema does not declare for {span.label}: take it out, or declare it"


def _lacking(counts: dict[str, Counter[str]], schema: Schema) -> Iterator[Finding]:
    """Labels that one file has and another lacks; with a single file, those of the schema that it lacks."""
    for path, found in counts.items():
        if not found["documents"]:
            continue
        wanted = schema.names if len(counts) == 1 else [name for name in schema.names if any(other[name] for other in counts.values())]
        for name in (name for name in wanted if not found[name]):
            yield Finding(path, None, f"has no {name}: a model cannot learn it here, nor be judged on it; split again, or annotate more", False)


def _agreements(seen: _Seen, schema: Schema) -> dict[tuple[str, str], dict[str, float]]:
    """The agreement of each two files over the documents that both have, by id and text."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    files = list(seen.documents)
    for number, first in enumerate(files):
        for second in files[number + 1 :]:
            ones, others = seen.documents[first], seen.documents[second]
            common = [id for id in ones if id in others and ones[id][1].text == others[id][1].text]
            if common:
                from conflict_nlp.evaluation.agreement import agreement

                scores = agreement([ones[id][1] for id in common], [others[id][1] for id in common], schema)
                found[first, second] = {"documents": float(len(common)), **scores}
    return found


def _signature(document: Document) -> Signature:
    places = {span.id: (span.label, span.start, span.end) for span in document.spans}
    spans = frozenset((s.label, s.start, s.end, tuple(sorted((k, str(v)) for k, v in s.attributes.items()))) for s in document.spans)
    return spans, frozenset((places[link.anchor], places[link.argument]) for link in document.links)


def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Annotated files, in any format; give all splits, or both annotators, at once.")],
    fix: Annotated[bool, typer.Option("--fix", help="Mend in place what is safe to mend (native JSON Lines only), and show it.")] = False,
    schema: Annotated[Path | None, typer.Option(help="The schema, YAML or JSON; if not given, the one of conflict reports.", dir_okay=False)] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
) -> None:
    """Find everything that is wrong in annotated files; exit code 1 if there is an error."""
    from conflict_nlp.formats.schema_file import read_schema

    try:
        labels = read_schema(schema)
        checked = check_files(files, labels, fix)
    except FormatError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    except ModuleNotFoundError as error:
        typer.echo(f"the agreement of files needs {error.name}: pip install 'conflict-nlp[evaluate]', or give them one by one", err=True)
        raise typer.Exit(2) from None
    for line in [*checked.mended, *map(str, checked.findings)]:
        typer.echo(line)
    for line in summary(checked, labels):
        typer.echo(line)
    if any(finding.error or strict for finding in checked.findings):
        raise typer.Exit(1)


def summary(checked: Checked, schema: Schema) -> Iterator[str]:
    """Counts a label for every file, agreement, and how much was found."""
    names = ["documents", *schema.names, "links"]
    width = max(map(len, names))
    columns = [str(path) for path in checked.counts]
    yield " " * width + "".join(f"  {Path(path).name:>12}" for path in columns)
    for name in names:
        yield f"{name:{width}}" + "".join(f"  {checked.counts[path][name]:12,}" for path in columns)
    for (first, second), scores in checked.agreements.items():
        yield f"agreement of {first} and {second} over {scores['documents']:.0f} documents, in percent:"
        shown = ("span_exact_f1", "span_overlap_f1", "link_exact_f1", "link_overlap_f1")
        kept = {n: v for n, v in scores.items() if n in shown or n.endswith("_kappa") or n.startswith("span_exact_f1_")}
        yield from (f"  {name} {value:.1f}" for name, value in kept.items())
    errors = sum(finding.error for finding in checked.findings)
    yield f"{errors} errors, {len(checked.findings) - errors} warnings, {len(checked.mended)} mended"
