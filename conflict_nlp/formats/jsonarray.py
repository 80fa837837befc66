"""The elements of a JSON array, one at a time, so that an export of any size is read in memory bounded by one element."""

from __future__ import annotations

import codecs
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from conflict_nlp.formats.files import MAX_RECORD, FormatError, PathLike, open_binary
from conflict_nlp.formats.jsonl import finite, refuse_constant

_BLANK = " \t\r\n"
_DECODER = json.JSONDecoder(parse_float=finite, parse_constant=refuse_constant)


@dataclass(frozen=True)
class Element:
    """One element of the array, with the line on which it begins and its number, both from 1."""

    line: int
    number: int
    value: Any


def elements(path: PathLike) -> Iterator[Element]:
    """The elements of the array that a file holds; a single object counts as an array of one.

    Raises:
        FormatError: the file cannot be read, is not UTF-8, no JSON, no array, or an element is too long; the message says on which line.
    """
    with open_binary(path) as file:
        yield from _Parser(path, file).elements()


class _Parser:
    """A window over the file's text: filled at its end, cut at its start when an element is done."""

    def __init__(self, path: PathLike, file: BinaryIO) -> None:
        self.path, self.file = path, file
        self.decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self.window, self.at, self.line, self.done = "", 0, 1, False

    def elements(self) -> Iterator[Element]:
        first = self.peek()
        if first == "":
            return
        if first == "{":
            yield Element(self.line, 1, self.value())
            self.end()
            return
        if first != "[":
            raise self.error("neither a JSON array nor an object")
        self.step()
        number = 0
        while (character := self.peek()) != "]":
            if number:
                if character != ",":
                    raise self.error("not JSON: a comma or ] is missing after an element" if character else "not JSON: the file ends inside the array")
                self.step()
                self.peek()
            number += 1
            line = self.line
            yield Element(line, number, self.value())
        self.step()
        self.end()

    def value(self) -> Any:
        """Parse the value at hand, reading on until it is whole."""
        size = 1 << 16
        while True:
            value: Any
            try:
                value, end = _DECODER.raw_decode(self.window, self.at)
                # a number may go on in what is not read yet
                if end < len(self.window) or self.done:
                    break
            except RecursionError:
                raise self.error("not readable JSON: it nests too deeply") from None
            except json.JSONDecodeError as error:
                if self.done:
                    raise self.error(f"not JSON: {error.msg}") from None
            except ValueError as error:
                raise self.error("not readable JSON: a number is too long" if "digits" in str(error) else str(error)) from None
            if len(self.window) - self.at > MAX_RECORD:
                raise self.error(f"an element is longer than {MAX_RECORD >> 20} MiB, or not JSON")
            self.fill(size)
            size = min(size * 2, MAX_RECORD)
        if end - self.at > MAX_RECORD:
            raise self.error(f"an element is longer than {MAX_RECORD >> 20} MiB")
        self.line += self.window.count("\n", self.at, end)
        self.at = end
        return value

    def peek(self) -> str:
        """The next character that is no blank; empty at the end of the file."""
        while True:
            while self.at < len(self.window) and self.window[self.at] in _BLANK:
                self.step()
            if self.at < len(self.window):
                return self.window[self.at]
            if self.done:
                return ""
            self.fill(1 << 16)

    def step(self) -> None:
        self.line += self.window[self.at] == "\n"
        self.at += 1

    def end(self) -> None:
        if self.peek():
            raise self.error("not JSON: there is more after the end")

    def fill(self, size: int) -> None:
        try:
            content = self.file.read(size)
            self.done = not content
            self.window = self.window[self.at :] + self.decoder.decode(content, final=self.done)
        except UnicodeDecodeError:
            raise self.error("not UTF-8: save it as UTF-8") from None
        except (OSError, EOFError, zlib.error) as error:
            raise self.error(f"cannot be read: {error}") from error
        self.at = 0

    def error(self, problem: str) -> FormatError:
        return FormatError(f"{self.path}:{self.line}: {problem}")
