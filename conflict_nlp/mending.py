"""Mending annotation where only one mend is possible, on a document's data before it is checked."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Any

from conflict_nlp.formats.files import FormatError, printable, replacing
from conflict_nlp.formats.jsonl import dump, read_records
from conflict_nlp.formats.registry import guess_input
from conflict_nlp.schema import CONFLICT, Schema


def mend_files(paths: Iterable[Path], schema: Schema = CONFLICT) -> list[str]:
    """Mend native files in place, a document at a time; a file is replaced only if anything is to be mended, and none before all are known to be fit.

    Returns:
        A line for every mend, with the file, the line and the document's id.

    Raises:
        FormatError: a file is not native, or has lines that are no documents, which could not be written back.
    """
    found = {path: _mends(path, schema) for path in paths}
    for path in (path for path, done in found.items() if done):
        with replacing(path) as file:
            for record in read_records(path, schema):
                data = record.data or {}
                for _ in mend(data, schema):
                    pass
                file.write(dump(data).encode() + b"\n")
    return [line for done in found.values() for line in done]


def _mends(path: Path, schema: Schema) -> list[str]:
    if guess_input(path).name != "jsonl":
        raise FormatError(f"{path}: only native JSON Lines are mended in place: convert it first")
    done: list[str] = []
    for record in read_records(path, schema):
        if record.data is None:
            raise FormatError(f"{record.where}: {'; '.join(record.problems)}: mend this line by hand first")
        id = record.data.get("id")
        name = f"{record.where}: " + (f"{printable(id)}: " if isinstance(id, str) else "")
        done += [f"{name}mended: {line}" for line in mend(record.data, schema)]
    return done


def mend(data: dict[str, Any], schema: Schema = CONFLICT) -> Iterator[str]:
    """Mend a document's data in place, saying what is done. What is not as it should be, and has no single mend, stays as it is."""
    text, spans, links = data.get("text"), data.get("spans"), data.get("links")
    if not isinstance(text, str) or not isinstance(spans, list) or not all(isinstance(span, dict) for span in spans):
        return
    for span in spans:
        yield from _mend_place(span, text)
    same = yield from _merge(spans)
    if isinstance(links, list) and all(isinstance(link, dict) for link in links):
        yield from _mend_links(links, spans, same, schema)


def words_cut(text: str, start: int, end: int) -> Iterator[str]:
    """The words of which a span has only a part."""
    for edge in (start, end):
        if 0 < edge < len(text) and text[edge - 1].isalnum() and text[edge].isalnum():
            first, last = edge, edge
            while first and text[first - 1].isalnum():
                first -= 1
            while last < len(text) and text[last].isalnum():
                last += 1
            yield text[first:last]


def _mend_place(span: dict[str, Any], text: str) -> Iterator[str]:
    start, end, words = span.get("start"), span.get("end"), span.get("text")
    name = f"span {span.get('id')}"
    inside = isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= len(text)
    if isinstance(words, str) and words and (not inside or text[start:end] != words) and text.count(words) == 1:
        span["start"] = start = text.index(words)
        span["end"] = end = start + len(words)
        yield f"{name} {words!r} is moved to {start}-{end}, where its words stand"
        inside = True
    if inside and isinstance(start, int) and isinstance(end, int) and (not isinstance(words, str) or text[start:end] == words):
        there = text[start:end]
        if there.strip() and there != there.strip():
            span["start"] = start + len(there) - len(there.lstrip())
            span["end"] = end - len(there) + len(there.rstrip())
            if isinstance(words, str):
                span["text"] = there.strip()
            yield f"{name} {there!r} is now {there.strip()!r}, without the blanks"


def _merge(spans: list[dict[str, Any]]) -> Generator[str, None, dict[str, str]]:
    """Take out spans that repeat another in all but the id and the score; gives the ids that stand for others."""
    first: dict[str, str] = {}
    same: dict[str, str] = {}
    kept = []
    for span in spans:
        key = dump({name: span[name] for name in sorted(span) if name not in ("id", "score")})
        id, known = span.get("id"), first.get(key)
        if isinstance(id, str) and known is not None and known != id:
            same[id] = known
            yield f"span {id} is taken out, since it repeats {known}"
            continue
        if isinstance(id, str):
            first.setdefault(key, id)
        kept.append(span)
    spans[:] = kept
    return same


def _mend_links(links: list[dict[str, Any]], spans: list[dict[str, Any]], same: dict[str, str], schema: Schema) -> Iterator[str]:
    labels = {span["id"]: span.get("label") for span in spans if isinstance(span.get("id"), str)}
    kept, seen = [], set()
    for link in links:
        before = link.get("anchor"), link.get("argument")
        for end in ("anchor", "argument"):
            if isinstance(link.get(end), str):
                link[end] = same.get(link[end], link[end])
        anchor, argument = link.get("anchor"), link.get("argument")
        if not isinstance(anchor, str) or not isinstance(argument, str):
            kept.append(link)
            continue
        if anchor == argument and before[0] != before[1]:
            yield f"link {before[0]} to {before[1]} is taken out, since both are now {anchor}"
            continue
        ends = str(labels.get(anchor)), str(labels.get(argument))
        if not schema.takes(*ends) and schema.takes(*reversed(ends)):
            link["anchor"], link["argument"] = anchor, argument = argument, anchor
            yield f"link {argument} to {anchor} is turned round, since {ends[1]} is the anchor"
        if (anchor, argument) in seen:
            yield f"link {anchor} to {argument} is taken out, since it stands before"
            continue
        seen.add((anchor, argument))
        kept.append(link)
    links[:] = kept
