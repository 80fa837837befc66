"""The inputs of a job: files, folders, globs and URLs -> sources, each with a name, a size and a fingerprint."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from conflict_nlp.batch.errors import BatchError
from conflict_nlp.loading import first_line

Kind = Literal["parquet", "jsonl", "csv", "dataset", "texts"]

SUFFIXES: dict[str, Kind] = {".parquet": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "csv", ".txt": "texts"}
PACKED = {".gz": "gzip", ".zst": "zstd"}
SAMPLE = 65_536  # bytes at the beginning, middle and end that a fingerprint reads


@dataclass(frozen=True)
class Source:
    """Rows to read: a file, a ``datasets`` folder, or all text files of the input together.

    ``name`` is what stands in ids, errors and the manifest, and does not depend on where the input lies; ``paths`` are as ``files`` (an fsspec file
    system) takes them: one, or one a text.
    """

    name: str
    kind: Kind
    files: Any
    paths: tuple[str, ...]
    names: tuple[str, ...]
    size: int

    @property
    def path(self) -> str:
        """The one path of a source that is not a collection of texts."""
        return self.paths[0]


@dataclass(frozen=True)
class Fingerprint:
    """What tells an input from another: its size in bytes and a digest. For one file, of samples of its content; for many texts, of names and sizes."""

    name: str
    bytes: int
    digest: str


def find_sources(inputs: Sequence[str], apart: Path | None = None) -> list[Source]:
    """The sources that the command's arguments name, in that order, the files of a folder or glob in the order of their names.

    A glob passes over what lies in the folder ``apart``, the output of a job that it may reach.

    Raises:
        BatchError: there is nothing, or something that cannot be read.
    """
    found: list[tuple[Any, str]] = []
    for given in inputs:
        found += _expand(given, apart)
    if len({path for _, path in found}) < len(found):
        twice = next(path for i, (_, path) in enumerate(found) if any(path == other for _, other in found[:i]))
        raise BatchError(f"{twice}: named twice")
    kinds = [_kind(files, path) for files, path in found]
    names = _short_names([path for _, path in found])
    sources: list[Source] = []
    texts: list[int] = []
    for i, (files, path) in enumerate(found):
        if kinds[i] == "texts":
            texts.append(i)
        else:
            sources.append(Source(names[i], kinds[i], files, (path,), (names[i],), _size(files, path)))
    if texts:
        files = found[texts[0]][0]
        if any(found[i][0] is not files for i in texts):
            raise BatchError("the texts lie on several file systems: make a job of each")
        paths = tuple(found[i][1] for i in texts)
        sources.append(Source("texts", "texts", files, paths, tuple(names[i] for i in texts), sum(_size(files, path) for path in paths)))
    return sources


def fingerprint(source: Source) -> Fingerprint:
    """The fingerprint of a source as it is now.

    Raises:
        BatchError: it is not there any more.
    """
    digest, size = blake2b(digest_size=16), 0
    if source.kind == "texts":
        for name, path in zip(source.names, source.paths, strict=True):
            bytes = _size(source.files, path)
            digest.update(f"{name}\0{bytes}\0".encode("utf-8", "surrogateescape"))
            size += bytes
        return Fingerprint(source.name, size, digest.hexdigest())
    for path in _files_of(source):
        bytes = _size(source.files, path)
        size += bytes
        try:
            with source.files.open(path, "rb", block_size=SAMPLE) as file:
                for at in sorted({0, max(0, bytes // 2 - SAMPLE // 2), max(0, bytes - SAMPLE)}):
                    file.seek(at)
                    digest.update(file.read(SAMPLE))
        except OSError as error:
            raise BatchError(f"{path}: cannot be read: {error.strerror or error}") from error
    return Fingerprint(source.name, size, digest.hexdigest())


def state(source: Source) -> tuple[float, int] | None:
    """When a local file was changed last, and its size: cheap to look up while it is read. ``None`` for anything else.

    Raises:
        BatchError: it is gone.
    """
    if source.kind in ("dataset", "texts") or not is_local(source.files):
        return None
    try:
        found = Path(source.path).stat()
    except OSError as error:
        raise BatchError(f"{source.path}: is gone or cannot be read: {error.strerror or error}") from error
    return found.st_mtime_ns, found.st_size


def is_local(files: Any) -> bool:
    """Whether a file system is this machine's."""
    return "file" in ((files.protocol,) if isinstance(files.protocol, str) else files.protocol)


def packing(path: str) -> str | None:
    """How a file is packed, by its name: ``gzip``, ``zstd`` or not at all."""
    return PACKED.get(PurePosixPath(path).suffix.lower())


def would_read(folder: Path, other: Path) -> bool:
    """Whether another local folder lies in this one where its files are input."""
    try:
        parts = other.resolve().relative_to(folder.resolve()).parts
    except ValueError:
        return False
    return all(map(_is_data, parts))


def _expand(given: str, apart: Path | None) -> list[tuple[Any, str]]:
    from fsspec.core import url_to_fs

    try:
        files, path = url_to_fs(given)
    except (ImportError, ValueError, OSError) as error:
        raise BatchError(f"{given}: cannot be reached: {error}") from error
    try:
        if files.isdir(path):
            return [(files, found) for found in _in_folder(files, path, given)]
        if files.exists(path):
            return [(files, path)]
        globbed = sorted(files.glob(path)) if any(c in path for c in "*?[") else []
        own = apart if is_local(files) else None
        others = [match for match in globbed if not _lies_in(match, own)]
        matches = [(files, found) for match in others for found in (_in_folder(files, match, match, own) if files.isdir(match) else [match])]
    except BatchError:
        raise
    except Exception as error:  # those of a bucket's client are of its own kinds
        raise BatchError(f"{given}: cannot be reached: {getattr(error, 'strerror', None) or first_line(error)}") from error
    if not matches:
        raise BatchError(f"{given}: no such file or folder" if path == path.replace("*", "") else f"{given}: matches no file")
    return matches


def _lies_in(path: str, folder: Path | None) -> bool:
    return folder is not None and Path(path).resolve().is_relative_to(folder.resolve())


def _in_folder(files: Any, folder: str, given: str, apart: Path | None = None) -> list[str]:
    if files.exists(f"{folder}/dataset_dict.json"):
        splits = sorted(PurePosixPath(p).name for p in files.ls(folder, detail=False) if files.isdir(p))
        raise BatchError(f"{given}: several splits: name the folder of one, {', '.join(splits)}")
    if files.exists(f"{folder}/state.json") and files.exists(f"{folder}/dataset_info.json"):
        return [folder]
    paths = sorted(path for path in _walk(files, folder) if _suffix(path) in SUFFIXES and not _lies_in(path, apart))
    if not paths:
        raise BatchError(f"{given}: no {', '.join(SUFFIXES)} in the folder")
    if len({_suffix(path) == ".txt" for path in paths}) > 1:
        raise BatchError(f"{given}: .txt beside other files: name those that you mean, {given.rstrip('/')}/*.txt say")
    return paths


def _walk(files: Any, folder: str) -> Iterator[str]:
    """All files below a folder that are data, in links too; each folder once, under the first of its names."""
    if not is_local(files):
        yield from (path for path in files.find(folder) if all(map(_is_data, PurePosixPath(path).relative_to(folder).parts)))
        return

    def failed(error: OSError) -> None:
        raise BatchError(f"{error.filename}: cannot be read: {error.strerror}") from error

    been: set[str] = set()
    for top, folders, names in os.walk(folder, onerror=failed, followlinks=True):
        place = os.path.realpath(top)
        if place in been:  # a link led back
            folders.clear()
            continue
        been.add(place)
        folders[:] = sorted(filter(_is_data, folders))
        yield from (f"{top}/{name}" for name in names if _is_data(name))


def _is_data(name: str) -> bool:
    """Names that begin with ``.`` or ``_`` are none by the custom of Spark and Arrow, and what a file system keeps for itself is none."""
    return name[0] not in "._" and name not in ("lost+found", "System Volume Information")


def _suffix(path: str) -> str:
    name = PurePosixPath(path)
    return (PurePosixPath(name.stem) if name.suffix.lower() in PACKED else name).suffix.lower()


def _kind(files: Any, path: str) -> Kind:
    if files.isdir(path):
        return "dataset"
    if _suffix(path) not in SUFFIXES:
        raise BatchError(f"{path}: no input: it has to be {', '.join(SUFFIXES)} (also with .gz or .zst), or a folder")
    return SUFFIXES[_suffix(path)]


def _files_of(source: Source) -> list[str]:
    return sorted(source.files.find(source.path)) if source.kind == "dataset" else [source.path]


def _size(files: Any, path: str) -> int:
    try:
        if is_local(files):
            return Path(path).stat().st_size if not Path(path).is_dir() else sum(f.stat().st_size for f in Path(path).rglob("*"))
        return int(files.du(path) if files.isdir(path) else files.size(path) or 0)
    except OSError as error:
        raise BatchError(f"{path}: is gone or cannot be read: {error.strerror or error}") from error


def _short_names(given: Sequence[str]) -> list[str]:
    """The paths below the folder that all of them share, with what is no character of Unicode written out."""
    paths = [path.encode("utf-8", "backslashreplace").decode() for path in given]
    if len(paths) == 1:
        return [PurePosixPath(paths[0]).name]
    try:
        shared = PurePosixPath(os.path.commonpath([str(PurePosixPath(path).parent) for path in paths]))
    except ValueError:  # of a bucket and of this machine
        return paths
    return [str(PurePosixPath(path).relative_to(shared)) for path in paths]
