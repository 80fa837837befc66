"""CoNLL columns: a token a line, a column a label, ``B-`` and ``I-`` at the tokens of a span, a blank line between documents.

A span that overlaps another of its label goes into a further column of that label. Comments as in CoNLL-U give a document's id and its text, so
that reading gives the text back; files without them are read as tokens joined by blanks. Links, attributes and scores are not carried.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from conflict_nlp.document import Document, Span
from conflict_nlp.formats.base import Carries, Format, text_order
from conflict_nlp.formats.files import Line, encode, lines, printable, replacing
from conflict_nlp.formats.records import Record, empty
from conflict_nlp.formats.tokens import covered, tokenize
from conflict_nlp.schema import Schema

_TAG = re.compile(r"O|[BIESLUM]-(.+)")
_NUMBER = re.compile(r"\d+(?:[-.]\d+)?")  # of a token in CoNLL-U
_FIELD = re.compile(r"#\s*[\w:.-]+(?: id)?\s*=\s")
_NUMERALS = ("CD", "NUM")  # parts of speech
_COMMENT = re.compile(r"#\s*(text|id|newdoc id|sent_id)\s*=\s*(.*)")


def read(path: Path, schema: Schema) -> Iterator[Record]:
    """The documents of a file: parted by ``-DOCSTART-`` or ``# newdoc`` where the file has them, else by blank lines.

    Raises:
        FormatError: the file cannot be read.
    """
    return empty(path, (block.record(path, schema) for block in _blocks(path)))


def write(path: Path, documents: Iterable[Document], schema: Schema) -> None:
    """Write columns parted by tabs."""
    with replacing(path) as file:
        for document in documents:
            what = f"document {printable(document.id or '')}"
            encode(document.text, what)
            file.write(encode("".join(f"{row}\n" for row in _rows(document, schema)) + "\n", what))


def _rows(document: Document, schema: Schema) -> Iterator[str]:
    spans = sorted(document.spans, key=text_order)
    tokens = tokenize(document.text, spans)
    columns: list[tuple[str, list[str]]] = [(name, ["O"] * len(tokens)) for name in schema.names]
    for span in spans:
        place = covered(tokens, span)
        if place is None:
            continue
        inside = range(place[0], place[1] + 1)
        tags = next((tags for name, tags in columns if name == span.label and all(tags[n] == "O" for n in inside)), None)
        if tags is None:
            tags = ["O"] * len(tokens)
            columns.append((span.label, tags))
        for n in inside:
            tags[n] = f"{'B' if n == place[0] else 'I'}-{span.label}"
    yield "# newdoc" if document.id is None else f"# newdoc id = {json.dumps(document.id, ensure_ascii=False)}"
    yield f"# text = {json.dumps(document.text, ensure_ascii=False)}"
    yield "# columns = " + " ".join(["TOKEN", *(name for name, _ in columns)])
    for n, (start, end) in enumerate(tokens):
        yield "\t".join([document.text[start:end], *(tags[n] for _, tags in columns)])


@dataclass
class _Block:
    """The lines of one document."""

    first: int
    id: str | None = None
    text: str | None = None
    texts: list[str] = field(default_factory=list)
    own: bool = False
    headed: bool = False
    rows: list[list[str]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    breaks: set[int] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    def record(self, path: Path, schema: Schema) -> Record:
        where = f"{path}:{self.first}"
        widths = {len(row) for row in self.rows}
        if len(widths) > 1:
            odd = next(n for n, row in zip(self.numbers, self.rows, strict=True) if len(row) != len(self.rows[0]))
            self.problems.append(f"line {odd} has other columns than line {self.numbers[0]}")
        if self.problems:
            return Record(where, problems=tuple(self.problems))
        if not self.headed:
            self._take_numbers()
        else:  # a file of ours, in which texts and ids are quoted
            self.texts = [_unquoted(text) for text in self.texts]
            self.id = None if self.id is None else _unquoted(self.id)
        self.text = " ".join(self.texts) if self.texts else None
        places = self._places()
        if places is None:
            return Record(where, problems=("the tokens are not those of the text in the comment",))
        if self.text is None:
            self.text = " ".join(row[0] for row in self.rows)
        found = [span for column in self._tagged(schema) for span in _spans([row[column] for row in self.rows], places, self.breaks)]
        order = {name: n for n, name in enumerate(schema.names)}
        found.sort(key=lambda s: (s["start"], -s["end"], order.get(s["label"], len(order))))
        spans = [{"id": f"T{n}", **span} for n, span in enumerate(found, 1)]
        head = {} if self.id is None else {"id": self.id}
        return Record(where, {**head, "text": self.text, "spans": spans, "links": []}, tuple(self.problems))

    def _take_numbers(self) -> None:
        """Take off the first column where it has the numbers of CoNLL-U, from 1 in each sentence; of a token that is two words the words go, of an empty
        one all.
        """
        if not self.rows or not all(len(row) > 2 and _NUMBER.fullmatch(row[0]) for row in self.rows):
            return
        numbers = [int(row[0]) for row in self.rows if row[0].isdigit()]
        if numbers[:1] != [1] or not all(after in (before + 1, 1) for before, after in pairwise(numbers)):
            return
        if len(numbers) == 1 and (_TAG.fullmatch(self.rows[0][1]) or self.rows[0][1] in _NUMERALS):  # the one token is a 1
            return
        rows: list[list[str]] = []
        lines: list[int] = []
        breaks: set[int] = set()
        last = 0
        for n, (row, line) in enumerate(zip(self.rows, self.numbers, strict=True)):
            if n in self.breaks:
                breaks.add(len(rows))
                last = 0
            first, _, end = row[0].partition("-")
            if "." in first or int(first) <= last:
                continue
            last = int(end or 0)
            rows.append(row[1:])
            lines.append(line)
        self.rows, self.numbers, self.breaks = rows, lines, breaks

    def _places(self) -> list[tuple[int, int]] | None:
        places, position = [], 0
        for row in self.rows:
            start = position if self.text is None else self.text.find(row[0], position)
            if start < 0:
                return None
            places.append((start, start + len(row[0])))
            position = start + len(row[0]) + (self.text is None)
        return places

    def _tagged(self, schema: Schema) -> list[int]:
        """The columns of tags: those with labels of the schema; without any, the last, so that its unknown labels are told."""
        width = len(self.rows[0]) if self.rows else 0
        matches = {c: [_TAG.fullmatch(row[c]) for row in self.rows] for c in range(1, width)}
        good = {c: {m[1] for m in found if m and m[1]} for c, found in matches.items() if all(found)}
        odd = [c for c in matches if c not in good]
        if odd and (self.headed or not good):
            column = odd[0] if self.headed else odd[-1]
            row = matches[column].index(None)
            self.problems.append(f"line {self.numbers[row]}: {printable(self.rows[row][column])} is no tag like O, B-{schema.names[0]} or I-{schema.names[0]}")
        ours = [c for c, labels in good.items() if labels and labels <= set(schema.names)]
        return list(good) if self.own else ours or list(good)[-1:]


def _blocks(path: Path) -> Iterator[_Block]:
    block: _Block | None = None
    parted = False
    for line in lines(path):
        if line.text is None:
            yield _Block(line.number, problems=[line.problem])
            continue
        text = line.text
        starts = text.startswith(("-DOCSTART-", "# newdoc"))
        parted = parted or starts
        if starts or (not text.strip() and not parted):
            if block is not None and (block.rows or block.own):
                yield block
            block = None
        if block is not None and not text.strip():
            block.breaks.add(len(block.rows))
        if text.strip() and not text.startswith("-DOCSTART-"):
            block = block or _Block(line.number)
            _take(block, line, text)
    if block is not None and (block.rows or block.own):
        yield block


def _take(block: _Block, line: Line, text: str) -> None:
    # a token may begin with "#": what has no columns and no tag is a comment
    comment = _COMMENT.match(text)
    said = comment or _FIELD.match(text) or text.startswith("# newdoc")
    if text.startswith("#") and "\t" not in text and (said or not any(map(_TAG.fullmatch, text.split()[1:]))):
        block.own = block.own or text.startswith("# newdoc")
        block.headed = block.headed or text.startswith("# columns")
        if comment is not None and comment[1] == "text":  # in CoNLL-U that of a sentence
            block.texts.append(comment[2])
        elif comment is not None and block.id is None:
            block.id = comment[2]
        return
    block.rows.append(text.split("\t") if "\t" in text else text.split())
    block.numbers.append(line.number)


def _unquoted(value: str) -> str:
    try:
        content = json.loads(value)
    except ValueError:
        return value
    return content if isinstance(content, str) else value


def _spans(tags: list[str], places: list[tuple[int, int]], breaks: set[int]) -> Iterator[dict[str, Any]]:
    """The spans of a column, in IOB1, IOB2, BIOES, BMES and BILOU; none goes on over a break, the row at which a sentence begins."""
    label, start, end = None, 0, 0
    for row, (tag, place) in enumerate(zip([*tags, "O"], [*places, (0, 0)], strict=True)):
        mark, _, name = tag.partition("-")
        if label is not None and (row in breaks or mark not in ("I", "M", "E", "L") or name != label):
            yield {"label": label, "start": start, "end": end}
            label = None
        if mark != "O":
            label, start, end = name, start if label is not None else place[0], place[1]
        if mark in ("E", "S", "L", "U"):
            yield {"label": label, "start": start, "end": end}
            label = None


def _lost(document: Document, schema: Schema) -> Iterator[str]:
    tokens = tokenize(document.text, document.spans)
    if any(covered(tokens, span) is None for span in document.spans):
        yield "spans that begin or end in blanks"
    same: dict[tuple[int, int], list[Span]] = {}
    for span in document.spans:
        same.setdefault(text_order(span), []).append(span)
    order = {name: n for n, name in enumerate(schema.names)}
    if any([order[s.label] for s in group] != sorted(order[s.label] for s in group) for group in same.values()):
        yield "the order of spans that stand at one place"


FORMAT = Format(
    "conll",
    "CoNLL columns (spans only)",
    (".conll", ".iob", ".bio", ".iob2"),
    read,
    write,
    Carries(links=False, attributes=False, scores=False, link_scores=False, span_ids=False, meta=False, order=False),
    lost=_lost,
)
