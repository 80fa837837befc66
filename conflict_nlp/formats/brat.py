"""brat standoff: a folder with a ``.txt`` and an ``.ann`` for every document, and an ``annotation.conf`` for the schema.

Choices and true flags are attributes of brat; links are relations from the anchor to the argument, named by the argument's label. A count, a
cluster and a score are written as ``name=value`` in the note of the span, which an annotator can edit. On reading, events (``E``) are links
too, ``Equiv`` makes clusters, and fragments are one span where a line break alone parts them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote, unquote

from conflict_nlp.document import Document, Span
from conflict_nlp.formats.base import Carries, Format, declared_only, named
from conflict_nlp.formats.brat_standoff import Standoff
from conflict_nlp.formats.files import MAX_RECORD, FormatError, decode, encode, lines, printable, read_bytes, replacing_folder
from conflict_nlp.formats.records import Record, empty
from conflict_nlp.schema import Schema

_NAME = re.compile(r"[^\s;%=]+")


def read(path: Path, schema: Schema) -> Iterator[Record]:
    """The documents of a folder (and the folders in it), in the order of their names, or the one of an ``.ann`` file.

    Raises:
        FormatError: there is nothing to read.
    """
    if path.is_dir():
        files = sorted(path.rglob("*.ann"))
        return empty(path, (_record(file, unquote(file.relative_to(path).with_suffix("").as_posix()), schema, path) for file in files))
    if not path.is_file():
        raise FormatError(f"{path}: there is no such file or folder")
    return iter([_record(path.with_suffix(".ann"), unquote(path.stem), schema, path.parent)])


def write(path: Path, documents: Iterable[Document], schema: Schema) -> None:
    """Write a new folder.

    Raises:
        FormatError: the folder exists and is not empty, a name cannot stand in brat, or two documents have one id.
    """
    if path.suffix in (".ann", ".txt"):
        raise FormatError(f"{path}: brat is written as a folder: name one")
    attributes = [attribute.name for label in schema.labels for attribute in label.attributes]
    if odd := [name for name in (*schema.names, *attributes) if not _NAME.fullmatch(name)]:
        raise FormatError(f"{path}: brat cannot carry a label or an attribute like {odd[0]!r}: rename it")
    with replacing_folder(path) as folder:
        (folder / "annotation.conf").write_text(configuration(schema), encoding="utf-8")
        for number, document in enumerate(documents, 1):
            name = _file_name(named(document, number))
            long = len(encode(name, f"document {printable(name)}")) > 200
            if long or (folder / f"{name}.ann").exists():
                raise FormatError(f"document {printable(name)}: the id is {'too long for the name of a file' if long else 'used twice'}")
            (folder / f"{name}.txt").write_bytes(encode(document.text, f"document {printable(name)}"))
            (folder / f"{name}.ann").write_bytes(encode(_standoff(declared_only(document, schema), schema), f"document {printable(name)}"))


def configuration(schema: Schema) -> str:
    """The ``annotation.conf`` for a schema."""
    attributes = [(label.name, a) for label in schema.labels for a in label.attributes if a.kind in ("choice", "flag")]
    relations = [f"{role}\tArg1:{'|'.join(anchors)}, Arg2:{role}" for role in schema.names if (anchors := [a for a in schema.anchors if schema.takes(a, role)])]
    values = [f"{a.name}\tArg:{label}" + (f", Value:{'|'.join(a.values)}" if a.values else "") for label, a in attributes]
    parts = {"entities": schema.names, "relations": relations, "events": (), "attributes": values}
    return "\n".join(f"[{name}]\n" + "".join(f"{line}\n" for line in content) for name, content in parts.items())


def _standoff(document: Document, schema: Schema) -> str:
    kept = [span.id for span in document.spans if re.fullmatch(r"T[1-9]\d{0,8}", span.id)]
    fresh = (f"T{n}" for n in range(1, 2 * len(document.spans) + 1) if f"T{n}" not in kept)
    ids = {span.id: span.id if span.id in kept else next(fresh) for span in document.spans}
    labels = {span.id: span.label for span in document.spans}
    rows, attributes, notes = [], 0, 0
    for span in document.spans:
        rows.append(f"{ids[span.id]}\t{span.label} {_fragments(span)}\t" + re.sub(r"[\r\n\t]", " ", span.text))
        note = {} if ids[span.id] == span.id else {"id": span.id}
        for attribute in schema[span.label].attributes:
            value = span.attributes.get(attribute.name)
            if (attribute.kind == "flag" and value is True) or (attribute.kind == "choice" and isinstance(value, str) and _NAME.fullmatch(value)):
                attributes += 1
                rows.append(f"A{attributes}\t{attribute.name} {ids[span.id]}" + ("" if value is True else f" {value}"))
            elif value is not None:
                note[attribute.name] = str(value).lower() if isinstance(value, bool) else value
        if span.score is not None:
            note["score"] = repr(span.score)
        if note:
            notes += 1
            rows.append(f"#{notes}\tAnnotatorNotes {ids[span.id]}\t{_note(note)}")
    for number, link in enumerate(document.links, 1):
        rows.append(f"R{number}\t{labels[link.argument]} Arg1:{ids[link.anchor]} Arg2:{ids[link.argument]}")
        if link.score is not None:
            notes += 1
            rows.append(f"#{notes}\tAnnotatorNotes R{number}\t{_note({'score': repr(link.score)})}")
    return "".join(f"{row}\n" for row in rows)


def _fragments(span: Span) -> str:
    """brat parts a span at line breaks; one that begins or ends with a break has no such form and stays whole."""
    if "\n" not in span.text or span.text.strip("\n") != span.text:
        return f"{span.start} {span.end}"
    return ";".join(f"{span.start + m.start()} {span.start + m.end()}" for m in re.finditer(r"[^\n]+", span.text))


def _note(values: dict[str, str]) -> str:
    quoted = ((key, re.sub(r"[%;\x00-\x1f\x7f]", lambda m: quote(m[0]), value)) for key, value in values.items())
    return "; ".join(f"{key}={value}" for key, value in quoted)


def _file_name(id: str) -> str:
    """A document's id as the name of a file: nothing in it climbs out of the folder, and :func:`urllib.parse.unquote` gives it back."""
    name = re.sub(r'[%/\\:*?"<>|\x00-\x1f\x7f]', lambda m: quote(m[0], safe=""), id)
    return re.sub(r"^\.|\.$", "%2E", name)


def _record(file: Path, id: str, schema: Schema, root: Path) -> Record:
    text_file = file.with_suffix(".txt")
    for one in (file, text_file):
        if not one.is_file():
            return Record(str(file), problems=(f"{one.name} is missing: brat wants a .txt and an .ann of one name",))
        if not one.resolve().is_relative_to(root.resolve()):
            return Record(str(file), problems=(f"{one.name} is a link that leads out of the folder",))
    try:
        # a byte order mark counts as a character in brat
        text = decode(read_bytes(text_file, MAX_RECORD), mark=False)
    except ValueError as error:
        return Record(str(text_file), problems=(str(error).removeprefix(f"{text_file}: "),))
    standoff = Standoff(text, schema)
    for line in lines(file):
        standoff.add(line)
    return Record(str(file), {"id": id, **standoff.data()}, tuple(standoff.problems), tuple(sorted(standoff.dropped)))


FORMAT = Format("brat", "brat standoff (a folder of .txt and .ann)", (".ann", ".brat"), read, write, Carries(meta=False, needs_id=True))
