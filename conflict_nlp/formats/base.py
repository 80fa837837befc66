"""What a format is: a name, a reader to records, a writer of documents, and what it cannot carry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from conflict_nlp.document import Document
from conflict_nlp.formats.files import FormatError
from conflict_nlp.formats.records import Record
from conflict_nlp.schema import Schema

Reader = Callable[[Path, Schema], Iterator[Record]]
Writer = Callable[[Path, Iterable[Document], Schema], None]


@dataclass(frozen=True)
class Carries:
    """What a format has room for beside the text and the labelled spans."""

    links: bool = True
    attributes: bool = True
    scores: bool = True
    link_scores: bool = True
    span_ids: bool = True
    document_id: bool = True
    needs_id: bool = False
    meta: bool = True
    order: bool = True
    undeclared: bool = False


def read_only(path: Path, documents: Iterable[Document], schema: Schema) -> None:
    """The ``write`` of a format that is only read, such as that of a public corpus.

    Raises:
        FormatError: always.
    """
    raise FormatError(f"{path}: the format is one that is only read: write another one, .jsonl say")


def _nothing(document: Document, schema: Schema) -> Iterable[str]:
    return ()


@dataclass(frozen=True)
class Format:
    """An annotation format. A module of ``conflict_nlp.formats`` that has one as ``FORMAT`` is found by :mod:`conflict_nlp.formats.registry`.

    ``read`` gives the documents of a file as they stand, in memory bounded by the largest document wherever the format allows it; ``write``
    drops what the format cannot carry. ``suffixes`` are the ends of file names that mean this format. ``recognises`` tells from the first
    object of a JSON Lines file whether it is of this format. ``lost`` names what beyond ``carries`` a document would lose, as kinds.
    A format that is only read has :func:`read_only` as ``write``.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    read: Reader
    write: Writer
    carries: Carries = Carries()
    recognises: Callable[[Mapping[str, Any]], bool] | None = None
    lost: Callable[[Document, Schema], Iterable[str]] = _nothing

    @property
    def writes(self) -> bool:
        """Whether documents can be written in this format."""
        return self.write is not read_only

    def losses(self, document: Document, schema: Schema) -> list[str]:
        """The kinds of things that a document has and this format cannot carry; empty when reading gives the same document back."""
        return [*_losses(document, schema, self.carries), *self.lost(document, schema)]


def _losses(document: Document, schema: Schema, carries: Carries) -> Iterator[str]:
    if document.id is not None and not carries.document_id:
        yield "ids of documents"
    if not document.id and carries.needs_id:
        yield "documents without an id (they are numbered)"
    if not carries.span_ids and [span.id for span in document.spans] != [f"T{n}" for n in range(1, len(document.spans) + 1)]:
        yield "ids of spans (they are numbered anew)"
    if not carries.order and list(document.spans) != sorted(document.spans, key=text_order):
        yield "the order of spans (they are put in the order of the text)"
    if document.links and not carries.links:
        yield "links"
    if any(span.attributes for span in document.spans) and not carries.attributes:
        yield "attributes"
    if carries.attributes and not carries.undeclared and any(set(span.attributes) - declared(schema, span.label) for span in document.spans):
        yield "attributes that the schema does not declare"
    if not carries.scores and any(span.score is not None for span in document.spans):
        yield "scores of spans"
    if carries.links and not carries.link_scores and any(link.score is not None for link in document.links):
        yield "scores of links"
    if not carries.meta:
        yield from (f"the field {key!r} of documents" for key in sorted(document.meta))


def named(document: Document, number: int) -> str:
    """The id of a document, or for one without an id its number in the file."""
    return document.id or f"document-{number}"


def text_order(span: Any) -> tuple[int, int]:
    """The order of the text: by start, the longer one first."""
    return span.start, -span.end


def declared(schema: Schema, label: str) -> set[str]:
    """The names of a label's attributes."""
    return {attribute.name for attribute in schema[label].attributes}


def declared_only(document: Document, schema: Schema) -> Document:
    """The document without attributes that the schema does not declare."""
    if all(set(span.attributes) <= declared(schema, span.label) for span in document.spans):
        return document
    spans = (replace(s, attributes={k: v for k, v in s.attributes.items() if k in declared(schema, s.label)}) for s in document.spans)
    return replace(document, spans=tuple(spans))
