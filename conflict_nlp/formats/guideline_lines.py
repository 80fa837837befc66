"""The line format of the annotation guidelines, for annotating in a text editor.

The lines hold words, not the text: the passages stand beside them, for ``x.lines`` in ``x.passages.jsonl``, as ``{"id", "sents"}`` a line. The text
of a passage is its sentences joined by one space. A document's own ``sentences`` (start and end of each) are used where they part the text so;
else it is parted after ``.``, ``!`` or ``?`` where one space follows, but inside no span, and the passage says so under ``split``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conflict_nlp.document import Document, Span
from conflict_nlp.formats.base import Carries, Format, named
from conflict_nlp.formats.files import FormatError, encode, lines, printable, replacing
from conflict_nlp.formats.jsonl import dump, json_lines
from conflict_nlp.formats.line_attributes import parse_attributes, token
from conflict_nlp.formats.records import Record, empty
from conflict_nlp.schema import Schema

SPLIT = "after . ! ? where one space follows and no span is cut"
_SPAN = re.compile(r"(T\d+) (\S+) s(\d+)(?:#(\d+))? (.+?)(?: \| (.*))?")


def passages_path(path: Path) -> Path:
    """Where the passages of a file of lines stand."""
    return path.with_name(re.sub(r"(\.lines\.txt|\.lines|\.txt)$", "", path.name) + ".passages.jsonl")


def read(path: Path, schema: Schema) -> Iterator[Record]:
    """The passages of a file of lines. The passages file is held in memory.

    Raises:
        FormatError: one of the two files cannot be read, or the passages are none.
    """
    beside = passages_path(path)
    if not beside.is_file():
        raise FormatError(f"{path}: the passages are missing: {beside.name} must stand beside it, with {{'id', 'sents'}} a line")
    passages: dict[str, Mapping[str, Any]] = {}
    for where, data, problem in json_lines(beside):
        if data is None or not isinstance(data.get("id"), str) or not _strings(data.get("sents")):
            raise FormatError(f"{where}: {problem or 'a passage has an id and a list of sentences, sents'}")
        passages[data["id"]] = data
    return empty(path, _records(path, passages, schema))


def write(path: Path, documents: Iterable[Document], schema: Schema) -> None:
    """Write the lines, and the passages beside them.

    Raises:
        FormatError: two documents have one id.
    """
    seen: set[str] = set()
    with replacing(passages_path(path)) as passages, replacing(path) as file:
        for number, document in enumerate(documents, 1):
            id = _one_line(named(document, number))
            if id in seen:
                raise FormatError(f"document {printable(id)}: the id is used twice, and the lines find their passage by it")
            seen.add(id)
            rendered = _render(document, schema)
            sents = [document.text[start:end] for start, end in rendered.sentences]
            split = {} if rendered.kept else {"split": SPLIT}
            fields = {k: v for k, v in document.meta.items() if k not in ("sentences", "sents", "split", "id")}
            passages.write(dump({"id": id, "sents": sents, **split, **fields}).encode() + b"\n")
            file.write(encode("\n".join([f"DOC {id}", *rendered.lines, "END", "", ""]), f"document {printable(id)}"))


@dataclass
class _Rendered:
    sentences: list[tuple[int, int]]
    kept: bool
    lines: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def _render(document: Document, schema: Schema) -> _Rendered:
    own = _own_sentences(document)
    rendered = _Rendered(own or _split(document), own is not None)
    if own is None and "sentences" in document.meta:
        rendered.lost.append("the field 'sentences' where it does not part the text at single spaces, or a span crosses it")
    numbered = not all(re.fullmatch(r"T\d+", span.id) for span in document.spans)
    if numbered:
        rendered.lost.append("ids of spans that are not T and a number (all of that document are numbered anew)")
    ids: dict[str, str] = {}
    for number, span in enumerate(document.spans, 1):
        id = f"T{number}" if numbered else span.id
        line = _line(id, span, document.text, rendered.sentences, schema)
        if line is None:
            rendered.lost.append("spans that words cannot point to (they cut a word that stands whole beside it, have a line break, or end in blanks)")
            continue
        ids[span.id] = id
        rendered.lines.append(line)
        match = _SPAN.fullmatch(line)
        if match and parse_attributes(schema, span.label, match[6] or "", []) != dict(span.attributes):
            rendered.lost.append("attributes that the line cannot give (a flag that is absent is false)")
    anchor, row = "", ""
    for link in document.links:
        if link.anchor in ids and link.argument in ids:
            if row and link.anchor == anchor:
                rendered.lines[-1] += f" {ids[link.argument]}"
            else:
                rendered.lines.append(row := f"R {ids[link.anchor]} {ids[link.argument]}")
            anchor = link.anchor
    rendered.lost = list(dict.fromkeys(rendered.lost))
    return rendered


def _line(id: str, span: Span, text: str, sentences: list[tuple[int, int]], schema: Schema) -> str | None:
    number, (start, end) = next((n, s) for n, s in enumerate(sentences) if s[0] <= span.start and span.end <= s[1])
    sentence, at = text[start:end], span.start - start
    values = [token(a, span.attributes.get(a.name)) for a in schema[span.label].attributes]
    attributes = " | " + " ".join(v for v in values if v) if any(values) else ""
    for nth in ("", *(f"#{n}" for n in range(2, sentence.count(span.text) + 1))):
        line = f"{id} {span.label} s{number}{nth} {span.text}{attributes}"
        match = _SPAN.fullmatch(line.rstrip()) if not re.search(r"[\r\n]", line) else None
        if match and match[5] == span.text and _find(sentence, span.text, match[4]) == at:
            return line
    return None


def _find(sentence: str, words: str, nth: str | None) -> int | None:
    """Where the words stand: the nth time as whole words, else, where they never do, the first time at all."""
    whole = [m.start() for m in re.finditer(r"(?<!\w)" + re.escape(words) + r"(?!\w)", sentence)]
    if len(whole) >= int(nth or 1) > 0:
        return whole[int(nth or 1) - 1]
    at = sentence.find(words)
    return at if not nth and at >= 0 else None


def _own_sentences(document: Document) -> list[tuple[int, int]] | None:
    given, text = document.meta.get("sentences"), document.text
    if not isinstance(given, list) or not given or not all(isinstance(s, list | tuple) and len(s) == 2 and all(type(o) is int for o in s) for s in given):
        return None
    sentences = [(int(start), int(end)) for start, end in given]
    ends = [-1, *(end for _, end in sentences)]
    fits = all(start == before + 1 and end >= start for before, (start, end) in zip(ends, sentences, strict=False)) and ends[-1] == len(text)
    fits = fits and all(text[end] == " " for _, end in sentences[:-1])
    return sentences if fits and all(any(a <= s.start and s.end <= b for a, b in sentences) for s in document.spans) else None


def _split(document: Document) -> list[tuple[int, int]]:
    cuts = [m.start() for m in re.finditer(r"(?<=[.!?]) (?=\S)", document.text)]
    cuts = [cut for cut in cuts if not any(span.start <= cut < span.end for span in document.spans)]
    return list(zip([0, *(cut + 1 for cut in cuts)], [*cuts, len(document.text)], strict=True))


def _records(path: Path, passages: Mapping[str, Mapping[str, Any]], schema: Schema) -> Iterator[Record]:
    passage: _Passage | None = None
    for line in lines(path):
        text = (line.text or "").rstrip()
        if line.text is None:
            yield Record(f"{path}:{line.number}", problems=(line.problem,))
        elif not text or text.startswith(("```", "//")):
            continue
        elif text.startswith("DOC "):
            if passage is not None:
                passage.problems.append("no END")
                yield passage.record()
            passage = _Passage(f"{path}:{line.number}", text[4:].strip(), passages.get(text[4:].strip()), schema)
        elif passage is None:
            yield Record(f"{path}:{line.number}", problems=(f"{text[:60]!r} stands outside a DOC",))
        elif text == "END":
            yield passage.record()
            passage = None
        else:
            passage.add(line.number, text)
    if passage is not None:
        passage.problems.append("no END")
        yield passage.record()


class _Passage:
    """Gathers the lines of one passage."""

    def __init__(self, where: str, id: str, passage: Mapping[str, Any] | None, schema: Schema) -> None:
        self.where, self.id, self.schema, self.passage = where, id, schema, passage or {}
        self.sents: list[str] = list(self.passage.get("sents", ()))
        self.spans: list[dict[str, Any]] = []
        self.links: list[dict[str, Any]] = []
        self.problems = [] if passage is not None else [f"there is no passage {printable(id)}"]
        self.starts = [sum(len(s) + 1 for s in self.sents[:n]) for n in range(len(self.sents))]

    def add(self, number: int, text: str) -> None:
        if text.startswith("R "):
            anchor, *arguments = text.split()[1:] or [""]
            self.links += [{"anchor": anchor, "argument": argument} for argument in arguments]
            if not arguments:
                self._complain(number, "R links nothing")
            return
        match = _SPAN.fullmatch(text)
        if match is None:
            self._complain(number, f"not a DOC, T, R or END line: {text[:60]!r}")
        elif self.passage and int(match[3]) >= len(self.sents):
            self._complain(number, f"there is no sentence s{match[3]}")
        elif self.passage:
            self._span(number, match)

    def _span(self, number: int, match: re.Match[str]) -> None:
        id, label, sentence, nth, words, tokens = match.groups()
        at = _find(self.sents[int(sentence)], words, nth)
        if at is None:
            self._complain(number, f"the words {words!r} do not stand in s{sentence}" + (f" {nth} times" if nth else ""))
            return
        start, problems = self.starts[int(sentence)] + at, list[str]()
        attributes = parse_attributes(self.schema, label, tokens or "", problems)
        self.problems += [f"line {number}: {problem}" for problem in problems]
        self.spans.append({"id": id, "label": label, "start": start, "end": start + len(words), "text": words, **attributes})

    def _complain(self, number: int, problem: str) -> None:
        self.problems.append(f"line {number}: {problem}")

    def record(self) -> Record:
        if not self.passage:
            return Record(self.where, problems=tuple(self.problems))
        kept = {} if "split" in self.passage else {"sentences": [[a, a + len(s)] for a, s in zip(self.starts, self.sents, strict=True)]}
        fields = {k: v for k, v in self.passage.items() if k not in ("id", "sents", "split", "sentences", "text", "spans", "links")}
        data = {"id": self.id, "text": " ".join(self.sents), "spans": self.spans, "links": self.links, **kept, **fields}
        return Record(self.where, data, tuple(self.problems))


def _strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _one_line(id: str) -> str:
    return " ".join(id.split()) or "-"


def _lost(document: Document, schema: Schema) -> Iterator[str]:
    yield from _render(document, schema).lost
    if document.id and _one_line(document.id) != document.id:
        yield "blanks in ids of documents"
    yield from (f"the field {key!r} of documents, a name that the passages use themselves" for key in sorted({"sents", "split"} & set(document.meta)))


FORMAT = Format(
    "lines", "the line format of the guidelines", (".lines", ".lines.txt"), read, write, Carries(scores=False, link_scores=False, needs_id=True), lost=_lost
)
