"""UIMA CAS in XMI, as INCEpTION exports and imports it, through ``dkpro-cassis``.

A schema becomes a span layer with a feature ``label`` and a feature an attribute, and a relation layer from the anchor (``Governor``) to the
argument (``Dependent``). Sentences are DKPro's; further fields of a document are DKPro's metadata fields, strings as they are and the rest as JSON.
CAS counts in UTF-16 code units, which cassis converts.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import chain, count
from pathlib import Path, PurePosixPath
from typing import Any

from conflict_nlp.document import Document
from conflict_nlp.formats.base import Carries, Format, declared_only, named
from conflict_nlp.formats.files import FormatError, decode, encode, printable, read_bytes, replacing, replacing_folder
from conflict_nlp.formats.records import Record, empty
from conflict_nlp.formats.uima_layers import Layers
from conflict_nlp.schema import Schema

_LIMIT = 256 * 2**20
_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read(path: Path, schema: Schema) -> Iterator[Record]:
    """The CAS of an ``.xmi`` file with ``TypeSystem.xml`` beside it, of a ``.zip`` with both, or of a folder of them.

    Nothing is unpacked to disk, and XML with a document type is refused, so that no entity is ever expanded.

    Raises:
        FormatError: the file cannot be read, is no zip, holds a name that climbs out, or is too large when unpacked.
    """
    if path.is_dir():
        return empty(path, _folder(path, schema))
    if path.suffix.lower() == ".zip":
        return empty(path, _zip(path, schema))
    return iter([_record(str(path), path.stem, read_bytes(path), _type_system(path.parent, path), schema)])


def write(path: Path, documents: Iterable[Document], schema: Schema) -> None:
    """Write a ``.zip``, or a new folder, with an ``.xmi`` a document and the ``TypeSystem.xml`` of the layers.

    Raises:
        FormatError: a text has characters that XML cannot carry, or two documents have one id.
    """
    if path.suffix.lower() == ".xmi":
        raise FormatError(f"{path}: CAS is written as a .zip or a folder, since every document is a file: name one")
    try:
        layers = Layers.of(schema)
    except ImportError as error:
        raise _missing(str(path), error) from None
    ids: set[str] = set()
    names: set[str] = set()
    with ExitStack() as stack:
        archive = zipfile.ZipFile(stack.enter_context(replacing(path)), "w", zipfile.ZIP_DEFLATED) if path.suffix.lower() == ".zip" else None
        folder = stack.enter_context(replacing_folder(path)) if archive is None else path
        if archive is not None:
            stack.enter_context(archive)

        def put(name: str, content: bytes) -> None:
            if archive is None:
                (folder / name).write_bytes(content)
            else:
                archive.writestr(name, content)

        put("TypeSystem.xml", layers.types.to_xml().encode())
        for number, document in enumerate(documents, 1):
            id = named(document, number)
            if id in ids:
                raise FormatError(f"document {printable(id)}: the id is used twice: give each document its own")
            ids.add(id)
            stem = re.sub(r"[^\w.-]", "_", id)[:80].lstrip(".") or f"document-{number}"
            name = next(name for name in chain([stem], (f"{stem}-{n}" for n in count(2))) if name not in names)
            names.add(name)
            put(f"{name}.xmi", encode(_xmi(declared_only(document, schema), id, layers), f"document {printable(name)}"))


def _xmi(document: Document, id: str, layers: Layers) -> str:
    values = [*document.meta.values(), *(value for span in document.spans for value in span.attributes.values())]
    texts = [id, document.text, *document.meta, *(span.id for span in document.spans), *(value for value in values if isinstance(value, str))]
    for text in texts:
        if match := _UNFIT.search(text):
            raise FormatError(f"document {printable(id)}: the character {match[0]!r} cannot stand in XML: take it out")
    return layers.xmi(document, id)


def _folder(path: Path, schema: Schema) -> Iterator[Record]:
    files = sorted(path.glob("*.xmi"))
    types = _type_system(path, path) if files else b""
    for file in files:
        if not file.resolve().is_relative_to(path.resolve()):
            yield Record(str(file), problems=("a link that leads out of the folder",))
        else:
            yield _record(str(file), file.stem, read_bytes(file), types, schema)


def _type_system(folder: Path, what: Path) -> bytes:
    for name in ("TypeSystem.xml", "typesystem.xml"):
        if (folder / name).is_file():
            return read_bytes(folder / name)
    raise FormatError(f"{what}: TypeSystem.xml is missing: export the project's type system, and put it beside the .xmi")


def _zip(path: Path, schema: Schema) -> Iterator[Record]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(read_bytes(path)))
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise FormatError(f"{path}: no zip: {error}") from None
    with archive:
        members = [info for info in archive.infolist() if not info.is_dir()]
        for info in members:
            parts = PurePosixPath(info.filename.replace("\\", "/"))
            if parts.is_absolute() or ".." in parts.parts or ":" in parts.parts[0]:
                raise FormatError(f"{path}: the zip has the name {info.filename!r}, which leads out of it")
        if sum(info.file_size for info in members) > _LIMIT:
            raise FormatError(f"{path}: larger than {_LIMIT >> 20} MiB when unpacked: split it")
        types = next((info for info in members if info.filename.lower().endswith("typesystem.xml")), None)
        if types is None:
            raise FormatError(f"{path}: the zip has no TypeSystem.xml: export as UIMA CAS XMI")
        described = _member(path, archive, types)
        for info in members:
            if info.filename.lower().endswith(".xmi"):
                yield _record(f"{path}: {info.filename}", PurePosixPath(info.filename).stem, _member(path, archive, info), described, schema)


def _member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    try:
        with archive.open(info) as file:
            # a zip may understate a size: what is read is bounded all the same
            content = file.read(info.file_size + 1)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError, zlib.error) as error:
        raise FormatError(f"{path}: {info.filename} cannot be unpacked: {error}") from None
    return content


def _safe(content: bytes) -> bytes:
    """XML in UTF-8 without a document type, since only there entities can be declared."""
    text = decode(content)
    if re.search(r"<!(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise ValueError("it has a document type (<!DOCTYPE), which CAS never has: refused, since entities can be declared there")
    declared = re.match(r"""\s*<\?xml[^>]*encoding\s*=\s*["']([^"']*)""", text)
    if declared and declared[1].lower() not in ("utf-8", "utf8", "us-ascii", "ascii"):
        raise ValueError(f"it is declared to be in {declared[1]}: export it as UTF-8")
    return text.encode()


def _record(where: str, stem: str, content: bytes, types: bytes, schema: Schema) -> Record:
    try:
        data, dropped = Layers.read(_safe(content), _safe(types), schema)
    except ImportError as error:
        raise _missing(where, error) from None
    except Exception as error:
        # cassis and lxml raise whatever they meet; for the user all of it means one thing
        return Record(where, problems=(f"no readable CAS: {' '.join(str(error).split())[:200] or type(error).__name__}",))
    data.setdefault("id", stem)
    return Record(where, _plain(data), dropped=tuple(sorted(dropped)))


def _missing(where: str, error: ImportError) -> FormatError:
    return FormatError(f"{where}: CAS needs dkpro-cassis: pip install 'conflict-nlp[formats]' ({error})")


def _plain(data: dict[str, Any]) -> dict[str, Any]:
    return {"id": data.pop("id"), **data}


FORMAT = Format("uima", "UIMA CAS XMI, as of INCEpTION (a .zip, or a folder)", (".zip", ".xmi", ".uima"), read, write, Carries(needs_id=True))
