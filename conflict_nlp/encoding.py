"""Text -> windows of token ids with offsets; gold annotation -> label arrays over the words of a window.

The unit of every decision is the word as the tokenizer splits it (its pre-tokens), represented by its first token:
spans start and end at words, so that none can cut one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from conflict_nlp.counts import Count, parse
from conflict_nlp.document import Document, Span
from conflict_nlp.schema import Attribute, Schema

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

Ints = npt.NDArray[np.int64]

WINDOW, OVERLAP = 320, 80  # tokens of a window, and those that neighbours share, where a model says nothing else
MAX_WORD_TOKENS = 16  # a longer "word" is noise; its tail would fill windows by itself
CHUNK = 16_384  # characters tokenized at a time, so that memory does not grow with the text

COUNT_CLASSES = ("stated", "one", "none", "open")
"""How the count of a span is found: what :func:`conflict_nlp.counts.parse` reads, 1, 0, or not stated."""

O, B, I = 0, 1, 2  # noqa: E741
IGNORE = -100


@dataclass(frozen=True)
class Window:
    """A stretch of a text that fits the encoder.

    ``input_ids`` [T] with special tokens; ``word_tokens`` [W] the position of each word's first token in it;
    ``starts`` and ``ends`` [W] the words' offsets in the text, in characters; ``first`` the number of its first word
    in the text; of the words ``own[0] <= word < own[1]`` (numbers in the text) this window, and no other, decides.
    """

    input_ids: Ints
    word_tokens: Ints
    starts: Ints
    ends: Ints
    first: int
    own: tuple[int, int]


class Windower:
    """Cuts texts into overlapping windows.

    Args:
        tokenizer: a fast tokenizer.
        size: tokens in a window at most, special tokens included.
        overlap: tokens that two neighbouring windows share, about.

    Raises:
        ValueError: the tokenizer gives no offsets, or the window is too small for its overlap.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast, size: int, overlap: int) -> None:
        if not tokenizer.is_fast:
            raise ValueError(f"{type(tokenizer).__name__} gives no offsets: use a fast tokenizer")
        # with all options as they are used later: to change them is not safe where threads share a tokenizer
        special = tokenizer("a", return_special_tokens_mask=True, split_special_tokens=True, truncation=False, padding=False)
        inside = [i for i, mask in enumerate(special["special_tokens_mask"]) if not mask]
        self.prefix = np.array(special["input_ids"][: inside[0]], dtype=np.int64)
        self.suffix = np.array(special["input_ids"][inside[-1] + 1 :], dtype=np.int64)
        self.tokenizer = tokenizer
        self.room = size - len(self.prefix) - len(self.suffix)
        self.overlap = overlap
        if self.room < MAX_WORD_TOKENS or overlap > self.room // 2:
            raise ValueError(f"a window of {size} tokens is too small for an overlap of {overlap}")

    def windows(self, text: str) -> Iterator[Window]:
        """The windows of a text, in order; a text without words has none."""
        words = _Words.empty()
        first = 0  # number in the text of words[0]
        own = 0
        for chunk in self._chunks(text):
            words = words.joined(chunk)
            while words.token_count > self.room:
                window, step, own = self._cut(words, first, own, last=False)
                yield window
                words, first = words.after(step), first + step
        if len(words.starts) and (own < first + len(words.starts)):
            yield self._cut(words, first, own, last=True)[0]

    def _cut(self, words: _Words, first: int, own: int, last: bool) -> tuple[Window, int, int]:
        before = words.tokens_before
        stop = len(words.starts) if last else int(np.searchsorted(before, self.room, side="right")) - 1
        step = max(1, int(np.searchsorted(before, before[stop] - self.overlap)))
        border = len(words.starts) if last else max(1, int(np.searchsorted(before, before[stop] - self.overlap // 2)))
        window = Window(
            input_ids=np.concatenate([self.prefix, words.ids[: before[stop]], self.suffix]),
            word_tokens=before[:stop] + len(self.prefix),
            starts=words.starts[:stop],
            ends=words.ends[:stop],
            first=first,
            own=(own, first + border),
        )
        return window, step, first + border

    def _chunks(self, text: str) -> Iterator[_Words]:
        at = 0
        while at < len(text):
            end = min(len(text), at + CHUNK)
            if end < len(text):
                # the last blank of the chunk, or a hard cut where there is none
                end = next((i for i in range(end, at + CHUNK // 2, -1) if text[i].isspace()), end)
            yield self._words(text[at:end], at)
            at = end

    def _words(self, text: str, offset: int) -> _Words:
        # a lone surrogate cannot be encoded; any other character keeps the offsets
        clean = text if text.isascii() else "".join("�" if "\ud800" <= c <= "\udfff" else c for c in text)
        # a report that says [SEP] means the word
        options = {"add_special_tokens": False, "split_special_tokens": True, "truncation": False, "padding": False, "verbose": False}
        encoded = self.tokenizer(clean, return_offsets_mapping=True, **options)
        ids: list[int] = []
        starts: list[int] = []
        ends: list[int] = []
        lengths: list[int] = []
        previous: int | None = None
        for token, (start, end), word in zip(encoded["input_ids"], encoded["offset_mapping"], encoded.word_ids(), strict=True):
            while start < end and clean[start].isspace():  # byte-level tokenizers count the blank before a word to it
                start += 1
            while end > start and clean[end - 1].isspace():
                end -= 1
            if start == end:
                continue
            while end < len(clean) and _is_mark(clean[end]):  # an accent that the tokenizer strips belongs to the letter before it
                end += 1
            # a tokenizer without pre-tokens keeps "town." in one word: split where letters meet other characters
            inside = bool(starts) and start < ends[-1]
            goes_on = inside or (word == previous and starts and start == ends[-1] and clean[start].isalnum() and _in_word(clean[start - 1]))
            previous = word
            if not goes_on:
                starts.append(start)
                ends.append(end)
                lengths.append(1)
                ids.append(token)
            else:
                ends[-1] = max(ends[-1], end)
                if lengths[-1] < MAX_WORD_TOKENS:
                    lengths[-1] += 1
                    ids.append(token)
        return _Words(
            ids=np.array(ids, dtype=np.int64),
            starts=np.array(starts, dtype=np.int64) + offset,
            ends=np.array(ends, dtype=np.int64) + offset,
            lengths=np.array(lengths, dtype=np.int64),
        )


def _is_mark(character: str) -> bool:
    return not character.isascii() and unicodedata.category(character) in ("Mn", "Me")


def _in_word(character: str) -> bool:
    return character.isalnum() or _is_mark(character)


@dataclass(frozen=True)
class _Words:
    """Words in order: ``ids`` are the tokens of all of them, ``lengths`` how many each has."""

    ids: Ints
    starts: Ints
    ends: Ints
    lengths: Ints

    @classmethod
    def empty(cls) -> _Words:
        none = np.zeros(0, dtype=np.int64)
        return cls(none, none, none, none)

    @property
    def token_count(self) -> int:
        return len(self.ids)

    @property
    def tokens_before(self) -> Ints:
        return np.concatenate([[0], np.cumsum(self.lengths)])

    def joined(self, other: _Words) -> _Words:
        return _Words(*(np.concatenate(pair) for pair in zip(self._arrays, other._arrays, strict=True)))

    def after(self, words: int) -> _Words:
        tokens = int(self.lengths[:words].sum())
        return _Words(self.ids[tokens:], self.starts[words:], self.ends[words:], self.lengths[words:])

    @property
    def _arrays(self) -> tuple[Ints, Ints, Ints, Ints]:
        return self.ids, self.starts, self.ends, self.lengths


@dataclass(frozen=True)
class WindowLabels:
    """The gold of one window, over its words.

    ``tags`` [W, L] O, B or I a label; ``spans`` [G, 2] first and last word; ``labels`` [G] indices into ``schema.names``;
    ``links`` [G, G] whether row takes column as argument; ``attributes`` [G, A] class indices in the order of
    :func:`attribute_slots`, ``IGNORE`` where unset; ``clusters`` [G] -1 where a span has none.
    """

    tags: Ints
    spans: Ints
    labels: Ints
    links: npt.NDArray[np.bool_]
    attributes: Ints
    clusters: Ints


@dataclass(frozen=True)
class AttributeSlot:
    """Where the logits of one label's attribute stand: ``offset`` and ``size`` in the last axis of the attribute logits."""

    label: str
    attribute: Attribute
    classes: tuple[str, ...]
    offset: int

    @property
    def size(self) -> int:
        """The number of classes."""
        return len(self.classes)


def attribute_slots(schema: Schema) -> tuple[AttributeSlot, ...]:
    """The attributes that a model classifies, in the order of the schema; clusters are scored in pairs instead."""
    slots: list[AttributeSlot] = []
    offset = 0
    for label in schema.labels:
        for attribute in label.attributes:
            if attribute.kind == "cluster":
                continue
            classes = {"choice": attribute.values, "flag": ("false", "true"), "count": COUNT_CLASSES}[attribute.kind]
            slots.append(AttributeSlot(label.name, attribute, classes, offset))
            offset += len(classes)
    return tuple(slots)


def window_labels(window: Window, document: Document, schema: Schema) -> WindowLabels:
    """The spans and links of a document that lie whole inside a window, as arrays."""
    placed: list[tuple[Span, int, int]] = []
    for span in document.spans:
        first = int(np.searchsorted(window.ends, span.start, side="right"))
        last = int(np.searchsorted(window.starts, span.end, side="left")) - 1
        inside = len(window.starts) and window.starts[0] <= span.start and span.end <= window.ends[-1]
        if inside and first <= last:
            placed.append((span, first, last))
    index = {span.id: i for i, (span, _, _) in enumerate(placed)}
    links = np.zeros((len(placed), len(placed)), dtype=np.bool_)
    for link in document.links:
        if link.anchor in index and link.argument in index:
            links[index[link.anchor], index[link.argument]] = True
    tags = np.zeros((len(window.starts), len(schema.names)), dtype=np.int64)
    # of spans of one label that overlap, B/I/O holds the longest
    for span, first, last in sorted(placed, key=lambda p: p[1] - p[2]):
        column = tags[first : last + 1, schema.index(span.label)]
        if not column.any():
            column[0], column[1:] = B, I
    slots = attribute_slots(schema)
    identifiers: dict[Any, int] = {}
    return WindowLabels(
        tags=tags,
        spans=np.array([[first, last] for _, first, last in placed], dtype=np.int64).reshape(-1, 2),
        labels=np.array([schema.index(span.label) for span, _, _ in placed], dtype=np.int64),
        links=links,
        attributes=np.array([[_class(span, slot) for slot in slots] for span, _, _ in placed], dtype=np.int64).reshape(len(placed), len(slots)),
        clusters=np.array([_cluster(span, schema, identifiers) for span, _, _ in placed], dtype=np.int64),
    )


def _class(span: Span, slot: AttributeSlot) -> int:
    value = span.attributes.get(slot.attribute.name)
    if span.label != slot.label or value is None:
        return IGNORE
    if isinstance(value, bool):
        return int(value)
    if slot.attribute.kind != "count":
        return slot.classes.index(value)
    gold, stated = Count.from_string(value), parse(span.text)
    if stated.known and gold.bounds == stated.bounds:
        return COUNT_CLASSES.index("stated")
    return {(1, 1): COUNT_CLASSES.index("one"), (0, 0): COUNT_CLASSES.index("none"), (None, None): COUNT_CLASSES.index("open")}.get(gold.bounds, IGNORE)


def _cluster(span: Span, schema: Schema, identifiers: dict[Any, int]) -> int:
    attribute = schema.cluster(span.label)
    value = span.attributes.get(attribute.name) if attribute else None
    return -1 if value is None else identifiers.setdefault((span.label, value), len(identifiers))
