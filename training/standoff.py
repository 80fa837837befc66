"""Annotation apart from its texts: for passages that may be read but not passed on.

python training/standoff.py join training/standoff/annotation.jsonl TEXTS.jsonl OUT.jsonl
python training/standoff.py strip ANNOTATED.jsonl OUT.jsonl

``join`` gives annotated documents, to train with; TEXTS.jsonl has an ``id`` and a ``text`` a line and may hold more than is asked for. ``strip`` leaves of
annotated documents the ids, spans and links, and a hash of each text, by which ``join`` knows it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any

import typer
from refusing import refusing

from conflict_nlp.document import Document
from conflict_nlp.extract import JsonLines
from conflict_nlp.formats.files import FormatError, replacing
from conflict_nlp.formats.jsonl import dump, json_lines, read_all, write_documents

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.command()
def strip(
    annotated: Annotated[Path, typer.Argument(help="Annotated documents with their texts, native JSON Lines.")],
    output: Annotated[Path, typer.Argument(help="Their annotation without a word of the texts.")],
) -> None:
    """Leave the texts away."""
    with refusing(), replacing(output) as file:
        for document in read_all([annotated]):
            file.write((dump(stripped(document)) + "\n").encode())


@app.command()
def join(
    annotation: Annotated[Path, typer.Argument(help="What strip has written.")],
    texts: Annotated[Path, typer.Argument(help="Texts by id, JSON Lines.")],
    output: Annotated[Path, typer.Argument(help="The annotated documents.")],
) -> None:
    """Put the texts back."""
    with refusing():
        documents = list(joined(annotation, texts))
        write_documents(output, documents)
    typer.echo(f"{len(documents)} documents")


def stripped(document: Document) -> dict[str, Any]:
    """The annotation of a document, as plain data without its text.

    Raises:
        FormatError: the document has no id.
    """
    if document.id is None:
        raise FormatError("a document without an id cannot be found again: give each one")
    data = document.to_dict()
    spans = [{name: value for name, value in span.items() if name != "text"} for span in data["spans"]]
    return {"id": document.id, "hash": digest(document.text), "spans": spans, "links": data["links"]}


def joined(annotation: Path, texts: Path) -> Iterator[Document]:
    """The documents that annotation and texts make, in the order of the annotation.

    Raises:
        FormatError: a line is none that ``strip`` has written; or a text is missing, or is not the one that was annotated, and the message names all such ids.
        InputError: a line of the texts is no report.
    """
    wanted = list(_annotation(annotation))
    ids = {data["id"] for data in wanted}
    known = {report.id: report.text for report in JsonLines(texts).reports() if report.id in ids}
    wrong = [data["id"] for data in wanted if data["id"] not in known or digest(known[data["id"]]) != data["hash"]]
    if wrong:
        raise FormatError(f"{texts} lacks these texts, or has others under their ids: {', '.join(wrong)}")
    for data in wanted:
        yield Document.from_dict({"id": data["id"], "text": known[data["id"]], "spans": data["spans"], "links": data["links"]})


def _annotation(path: Path) -> Iterator[dict[str, Any]]:
    for where, data, problem in json_lines(path):
        if data is None or not {"id", "hash", "spans", "links"} <= data.keys():
            raise FormatError(f"{where}: {problem or 'no annotation that strip has written'}")
        yield data


def digest(text: str) -> str:
    """What tells a text from others of its id."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


if __name__ == "__main__":
    app()
