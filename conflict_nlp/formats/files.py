"""Files as the formats read and write them: bounded in memory, lines with their numbers, and no half-written output."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import stat
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, TypeAlias, cast

MAX_RECORD = 8 * 2**20
"""The longest record (a line, a task) that is read, in bytes. A document beyond it is a mistake, and would not fit an annotation tool."""

PathLike: TypeAlias = str | os.PathLike[str]


class FormatError(ValueError):
    """A file is not what it should be; the message has a line a problem, each with the file and its line."""


def open_binary(path: PathLike) -> BinaryIO:
    """Open a file for reading, unpacked on the way if it ends in ``.gz``.

    Raises:
        FormatError: it cannot be opened.
    """
    try:
        return cast(BinaryIO, gzip.open(path)) if Path(path).suffix == ".gz" else Path(path).open("rb")
    except OSError as error:
        raise FormatError(f"{path}: cannot be read: {error.strerror or error}") from error


def read_bytes(path: PathLike, limit: int = 64 * MAX_RECORD) -> bytes:
    """A whole file, for formats that cannot be read in pieces.

    Raises:
        FormatError: it cannot be read, or is larger than ``limit`` bytes.
    """
    with open_binary(path) as file:
        try:
            content = file.read(limit + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise FormatError(f"{path}: cannot be read: {error}") from error
    if len(content) > limit:
        raise FormatError(f"{path}: larger than {limit >> 20} MiB: split it")
    return content


def decode(content: bytes, mark: bool = True) -> str:
    """Bytes as UTF-8, without a byte order mark if there is one and ``mark`` is true.

    Raises:
        ValueError: they are not UTF-8; the message says from where on.
    """
    try:
        return content.decode("utf-8-sig" if mark else "utf-8")
    except UnicodeDecodeError as error:
        hint = ", it looks like UTF-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
        raise ValueError(f"not UTF-8 at byte {error.start + 1}{hint}: save it as UTF-8") from error


@dataclass(frozen=True)
class Line:
    """A line of a file, without its end; ``text`` is ``None`` where ``problem`` says why."""

    number: int
    text: str | None
    problem: str = ""


def lines(path: PathLike) -> Iterator[Line]:
    r"""The lines of a UTF-8 file, split at ``\n`` alone, blank ones too. A line that cannot be read is given with its problem.

    Raises:
        FormatError: the file cannot be read.
    """
    with open_binary(path) as file:
        yield from lines_of(file, path)


def lines_of(file: IO[bytes], name: PathLike) -> Iterator[Line]:
    """The lines of an open file, as :func:`lines` has them.

    Raises:
        FormatError: the file, which ``name`` names, cannot be read on.
    """
    for number, content in raw_lines(file, name):
        yield _line(number, content)


def raw_lines(file: IO[bytes], name: PathLike) -> Iterator[tuple[int, bytes]]:
    r"""The lines of an open file with their numbers from 1, split at ``\n`` alone; one longer than ``MAX_RECORD`` bytes is cut one byte behind that.

    Raises:
        FormatError: the file, which ``name`` names, cannot be read on.
    """
    number = 0
    try:
        while content := file.readline(MAX_RECORD + 1):
            number += 1
            yield number, content
            while len(content) >= MAX_RECORD and not content.endswith(b"\n"):
                content = file.readline(MAX_RECORD)
    except (OSError, EOFError, zlib.error) as error:
        raise FormatError(f"{name}:{number + 1}: cannot be read: {error}") from error


def _line(number: int, content: bytes) -> Line:
    if len(content) > MAX_RECORD:
        return Line(number, None, f"the line is longer than {MAX_RECORD >> 20} MiB: put one document on a line")
    try:
        return Line(number, decode(content, mark=number == 1).rstrip("\r\n"))
    except ValueError as error:
        return Line(number, None, str(error))


_DESCRIPTOR = re.compile(r"/dev/(?P<name>stdout|stderr)|/(?:dev|proc/self)/fd/(?P<number>\d+)")


def is_stream(path: PathLike) -> bool:
    """Whether what is written there goes on elsewhere: a pipe or device, or what a descriptor of the process leads to, ``/dev/stdout`` say."""
    target = Path(path)
    return (target.exists() and not target.is_file() and not target.is_dir()) or _DESCRIPTOR.fullmatch(str(target.absolute())) is not None


@contextmanager
def replacing(path: PathLike) -> Iterator[IO[bytes]]:
    """A file to write that takes the place of ``path`` when all went well; until then, and after an error, ``path`` is as it was.

    What is no file, a pipe or a device, is written as it goes. A file that is there keeps its permissions.

    Raises:
        FormatError: the folder cannot be written to.
    """
    target, packed_up = Path(path), Path(path).suffix == ".gz"
    if is_stream(target):
        try:
            # what is one of the process's own is gone on with where it stands
            own = _DESCRIPTOR.fullmatch(str(target.absolute()))
            number = None if own is None else int(own["number"] or {"stdout": 1, "stderr": 2}[own["name"]])
            with target.open("wb") if number is None else os.fdopen(os.dup(number), "wb") as stream:
                yield stream
        except OSError as error:
            raise FormatError(f"{target}: cannot be written: {error.strerror or error}") from error
        return
    target = target.resolve()  # what a link leads to is replaced, and not the link
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o666 & ~_umask()
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name[:80]}.", suffix=".part", dir=target.parent)
    except OSError as error:
        raise FormatError(f"{target}: cannot be written: {error.strerror or error}") from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as raw:
            if packed_up:
                with gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=0) as packed:
                    yield cast(IO[bytes], packed)
            else:
                yield raw
        temporary.chmod(mode)
        temporary.replace(target)
    except OSError as error:
        _remove(temporary)
        raise FormatError(f"{target}: cannot be written: {error.strerror or error}") from error
    except BaseException:
        _remove(temporary)
        raise


@contextmanager
def replacing_folder(path: PathLike) -> Iterator[Path]:
    """A folder to fill that becomes ``path`` when all went well.

    Raises:
        FormatError: there is a file or a folder with something in it already, or the place cannot be written to.
    """
    target = Path(path)
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise FormatError(f"{target}: exists already: name a new folder")
    try:
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name[:80]}.", suffix=".part", dir=target.parent))
    except OSError as error:
        raise FormatError(f"{target}: cannot be written: {error.strerror or error}") from error
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        temporary.replace(target)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise FormatError(f"{target}: cannot be written: {error.strerror or error}") from error
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def encode(text: str, what: str) -> bytes:
    """Text as UTF-8.

    Raises:
        FormatError: it has a lone surrogate; ``what`` names the text.
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise FormatError(f"{what}: character {error.start + 1} is a lone surrogate, which only JSON can carry") from None


def printable(id: str) -> str:
    """An id for a message: quoted where it has characters that would break the line."""
    return id if id.isprintable() and id else repr(id)
