"""The documents of a file before they are checked, each with its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from conflict_nlp.document import Document, document_problems
from conflict_nlp.formats.files import FormatError, PathLike, printable
from conflict_nlp.schema import Schema


@dataclass(frozen=True)
class Record:
    """One document of a file, before it is checked.

    ``where`` is its place (``file.jsonl:12``), ``data`` the document as :meth:`Document.to_dict` would give it, ``None`` where
    the file is too broken to tell, and ``problems`` what went wrong in reading it, each without the place. ``dropped`` names
    what the file has and a document cannot hold, or what was left out on purpose, as kinds ("the annotations of a second annotator"). Of a document
    that was left out, ``text`` may be kept: an annotator has seen it.
    """

    where: str
    data: dict[str, Any] | None = None
    problems: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    text: str | None = None

    @property
    def skipped(self) -> bool:
        """Whether the file has something here that is left out on purpose."""
        return self.data is None and not self.problems

    def all_problems(self, schema: Schema) -> list[str]:
        """What went wrong in reading it and what the schema forbids, each with the place and the document's id."""
        found = [*self.problems, *([] if self.data is None else document_problems(self.data, schema))]
        id = None if self.data is None else self.data.get("id")
        name = f"{self.where}: {printable(id)}: " if isinstance(id, str) else f"{self.where}: "
        return [name + problem for problem in found]

    def document(self, schema: Schema) -> Document:
        """The document.

        Raises:
            FormatError: there are problems.
        """
        if problems := self.all_problems(schema):
            raise FormatError("\n".join(problems))
        if self.data is None:
            raise FormatError(f"{self.where}: there is no document")
        return Document.from_dict(self.data, schema)


def documents_of(records: Iterable[Record], schema: Schema) -> Iterator[Document]:
    """The documents of records, one at a time.

    Raises:
        FormatError: at the first record that has problems, with all of that record's.
    """
    return (record.document(schema) for record in records if not record.skipped)


def collect(records: Iterable[Record], schema: Schema) -> list[Document]:
    """The documents of records.

    Raises:
        FormatError: any record has problems; the message lists those of all records.
    """
    documents: list[Document] = []
    problems: list[str] = []
    for record in records:
        found = record.all_problems(schema)
        problems += found
        if not found and not problems and not record.skipped:
            documents.append(record.document(schema))
    if problems:
        raise FormatError("\n".join(problems))
    return documents


def empty(path: PathLike, records: Iterable[Record]) -> Iterator[Record]:
    """The records, or one that says that the file has none."""
    some = False
    for record in records:
        some = True
        yield record
    if not some:
        yield Record(str(path), problems=("the file is empty",))
