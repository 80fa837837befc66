"""spaCy's ``DocBin``: spans in the span group ``conflict``, where they may overlap, and the rest in the document's user data.

Tokens are cut wherever a span begins or ends, so that every span is one of spaCy's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from conflict_nlp.document import Document
from conflict_nlp.formats.base import Carries, Format, declared_only
from conflict_nlp.formats.files import FormatError, encode, printable, read_bytes, replacing
from conflict_nlp.formats.jsonl import dump, load
from conflict_nlp.formats.records import Record, empty
from conflict_nlp.schema import Schema

GROUP = "conflict"
_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")


def read(path: Path, schema: Schema) -> Iterator[Record]:
    """The documents of a ``.spacy`` file: the span group ``conflict``, else ``sc``, else the entities.

    Raises:
        FormatError: spaCy is not installed, or the file is no DocBin.
    """
    spacy_tokens, vocab = _spacy(path)
    content = read_bytes(path)
    try:
        docs = list(spacy_tokens.DocBin(store_user_data=True).from_bytes(content).get_docs(vocab))
    except Exception as error:
        # zlib, msgpack and spaCy raise whatever they meet
        raise FormatError(f"{path}: no DocBin of spaCy: {' '.join(str(error).split())[:200]}") from None
    return empty(path, (_record(f"{path}: document {number}", doc, schema) for number, doc in enumerate(docs, 1)))


def write(path: Path, documents: Iterable[Document], schema: Schema) -> None:
    """Write a DocBin; it is held in memory, packed, until it is whole.

    Raises:
        FormatError: spaCy is not installed, or a text has a lone surrogate.
    """
    spacy_tokens, vocab = _spacy(path)
    bin = spacy_tokens.DocBin(store_user_data=True)
    for document in documents:
        encode(document.text, f"document {printable(document.id or '')}")
        bin.add(to_doc(declared_only(document, schema), vocab))
    with replacing(path) as file:
        file.write(bin.to_bytes())


def to_doc(document: Document, vocab: Any) -> Any:
    """A document as a ``spacy.tokens.Doc``, with ``user_data["conflict"]``, in JSON, for ids, attributes, scores and links."""
    from spacy.tokens import Doc

    words, spaces = _words(document)
    doc = Doc(vocab, words=words, spaces=spaces)
    doc.spans[GROUP] = [doc.char_span(span.start, span.end, label=span.label, alignment_mode="strict") for span in document.spans]
    # msgpack would give lists back as tuples
    doc.user_data[GROUP] = dump({key: value for key, value in document.to_dict().items() if key != "text"})
    return doc


def _words(document: Document) -> tuple[list[str], list[bool]]:
    """Words that join to the text. A blank after a word is the word's ``space``, as spaCy has it, unless a span begins or ends with that blank."""
    text = document.text
    starts, ends = {span.start for span in document.spans}, {span.end for span in document.spans}
    edges = sorted({0, len(text), *starts, *ends, *(m.end() for m in _TOKEN.finditer(text))})
    words: list[str] = []
    spaces: list[bool] = []
    for start, end in pairwise(edges):
        after_word = bool(words) and not spaces[-1] and not words[-1].isspace()
        if text[start:end] == " " and after_word and start not in starts and end not in ends:
            spaces[-1] = True
        else:
            words.append(text[start:end])
            spaces.append(False)
    return words, spaces


def _record(where: str, doc: Any, schema: Schema) -> Record:
    group = doc.spans.get(GROUP) or doc.spans.get("sc") or doc.ents
    found = [{"label": span.label_, "start": span.start_char, "end": span.end_char} for span in group]
    kept = _kept(doc.user_data.get(GROUP))
    if not isinstance(kept, dict) or not isinstance(kept.get("spans"), list):
        spans = [{"id": f"T{n}", **span} for n, span in enumerate(found, 1)]
        return Record(where, {"text": doc.text, "spans": spans, "links": []})
    places = {(s["label"], s["start"], s["end"]) for s in found}
    spans = [s for s in kept["spans"] if isinstance(s, dict) and (s.get("label"), s.get("start"), s.get("end")) in places]
    known = {(s["label"], s["start"], s["end"]) for s in spans}
    taken = {s.get("id") for s in spans}
    fresh = (f"T{n}" for n in range(1, len(found) + len(taken) + 1) if f"T{n}" not in taken)
    spans += [{"id": next(fresh), **s} for s in found if (s["label"], s["start"], s["end"]) not in known]
    ids = {s.get("id") for s in spans}
    links = [link for link in kept.get("links") or [] if isinstance(link, dict) and link.get("anchor") in ids and link.get("argument") in ids]
    fields = {key: value for key, value in kept.items() if key not in ("spans", "links", "text")}
    return Record(where, {"text": doc.text, "spans": spans, "links": links, **fields})


def _kept(stored: Any) -> Any:
    try:
        return load(stored) if isinstance(stored, str) else None
    except ValueError:
        return None


def _spacy(path: Path) -> tuple[Any, Any]:
    try:
        from spacy import tokens
        from spacy.vocab import Vocab
    except ImportError as error:
        raise FormatError(f"{path}: this needs spaCy: pip install 'conflict-nlp[spacy]' ({error})") from None
    return tokens, Vocab()


FORMAT = Format("spacy", "spaCy's DocBin", (".spacy",), read, write, Carries())
