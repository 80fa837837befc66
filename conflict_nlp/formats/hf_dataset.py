"""A Hugging Face ``datasets.Dataset`` with declared features: in memory, as a folder of ``save_to_disk``, or as Parquet.

A span has a column for every attribute of the schema, null where it has no value; ``label`` is a ``ClassLabel``. The further fields of a document are
one column of JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conflict_nlp.batch.tables import view_name
from conflict_nlp.document import Document
from conflict_nlp.formats.base import Carries, Format, declared_only
from conflict_nlp.formats.files import FormatError, encode, printable, replacing, replacing_folder
from conflict_nlp.formats.jsonl import dump
from conflict_nlp.formats.records import Record
from conflict_nlp.schema import CONFLICT, Schema

if TYPE_CHECKING:
    from datasets import Dataset, Features

_BATCH = 500


def features(schema: Schema = CONFLICT) -> Features:
    """The features of a dataset of documents under a schema; flags are ``bool`` and all other attributes strings."""
    from datasets import ClassLabel, Features, Value

    span: dict[str, Any] = {"id": Value("string"), "label": ClassLabel(names=list(schema.names)), "start": Value("int32"), "end": Value("int32")}
    span |= {"text": Value("string"), "score": Value("float64")}
    flags = _flags(schema)
    span |= {name: Value("bool" if name in flags else "string") for name in _attribute_names(schema)}
    link = {"anchor": Value("string"), "argument": Value("string"), "score": Value("float64")}
    return Features({"id": Value("string"), "text": Value("string"), "spans": [span], "links": [link], "meta": Value("string")})


def to_dataset(documents: Iterable[Document], schema: Schema = CONFLICT) -> Dataset:
    """Documents as a dataset in memory.

    Raises:
        FormatError: a text has a lone surrogate, which Arrow cannot carry.
    """
    from datasets import Dataset

    rows = [row(document, schema) for document in documents]
    declared = features(schema)
    return Dataset.from_dict({name: [r[name] for r in rows] for name in declared}, features=declared)


def from_dataset(dataset: Iterable[Any], schema: Schema = CONFLICT) -> Iterator[Document]:
    """The documents of a dataset as :func:`to_dataset` makes them.

    Raises:
        FormatError: a row is no document of the schema.
    """
    names = _label_names(dataset, schema)
    for number, given in enumerate(dataset, 1):
        yield _record(f"row {number}", given, names, schema).document(schema)


def row(document: Document, schema: Schema = CONFLICT) -> dict[str, Any]:
    """A document as a row with the columns of :func:`features`."""
    what = f"document {printable(document.id or '')}"
    encode(document.text, what)
    names, flags = _attribute_names(schema), _flags(schema)
    spans = []
    for span in declared_only(document, schema).spans:
        values = {name: _stored(span.attributes.get(name), name in flags) for name in names}
        spans.append({"id": span.id, "label": schema.index(span.label), "start": span.start, "end": span.end, "text": span.text, "score": span.score, **values})
    links = [{"anchor": link.anchor, "argument": link.argument, "score": link.score} for link in document.links]
    return {"id": document.id, "text": document.text, "spans": spans, "links": links, "meta": dump(dict(document.meta))}


def read(path: Path, schema: Schema) -> Iterator[Record]:
    """The rows of a folder that ``save_to_disk`` wrote, or of a Parquet file, from disk a batch at a time.

    Raises:
        FormatError: there is no dataset, it is broken, or ``datasets`` is not installed.
    """
    dataset = _load(path)
    if not len(dataset):
        yield Record(str(path), problems=("the dataset is empty",))
    number = 0
    try:
        names = _label_names(dataset, schema)
        for number, given in enumerate(dataset, 1):
            yield _record(f"{path}: row {number}", given, names, schema)
    except (OSError, ValueError, NotImplementedError) as error:
        raise FormatError(f"{path}: cannot be read after row {number}: {' '.join(str(error).split())[:200]}") from None


def write(path: Path, documents: Iterable[Document], schema: Schema) -> None:
    """Write Parquet where the name ends so, else a folder for ``datasets.load_from_disk``; in memory bounded by a batch.

    Raises:
        FormatError: ``datasets`` is not installed, or the folder exists.
    """
    try:
        import pyarrow
        import pyarrow.parquet
        from datasets.arrow_writer import ArrowWriter
    except ImportError as error:
        raise _missing(path, error) from None
    declared = features(schema)
    if path.suffix == ".parquet":
        with replacing(path) as file, pyarrow.parquet.ParquetWriter(file, declared.arrow_schema) as writer:
            for batch in _batches(documents):
                writer.write_table(pyarrow.Table.from_pylist([row(document, schema) for document in batch], schema=declared.arrow_schema))
        return
    with replacing_folder(path) as folder:
        with ArrowWriter(path=str(folder / "data-00000-of-00001.arrow"), features=declared, writer_batch_size=_BATCH) as arrow:
            for document in documents:
                arrow.write(declared.encode_example(row(document, schema)))
            arrow.finalize()
        info = {"features": declared.to_dict(), "dataset_name": "conflict-nlp"}
        state: dict[str, Any] = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_fingerprint": "0" * 16}
        state |= {"_format_columns": None, "_format_kwargs": {}, "_format_type": None, "_output_all_columns": False, "_split": None}
        (folder / "dataset_info.json").write_text(json.dumps(info), encoding="utf-8")
        (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")


def _load(path: Path) -> Any:
    try:
        import pyarrow
        from datasets import Dataset, load_from_disk
    except ImportError as error:
        raise _missing(path, error) from None
    try:
        if path.is_dir():
            dataset = load_from_disk(str(path))
            if not isinstance(dataset, Dataset):
                raise FormatError(f"{path}: several splits: name the folder of one, {', '.join(map(str, dataset))}")
            return dataset
        return _Parquet(path)
    except (OSError, ValueError, KeyError, TypeError, pyarrow.ArrowException) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"{path}: no readable dataset: {' '.join(str(error).split())[:200]}") from None


class _Parquet:
    """The rows of a Parquet file, read a batch at a time."""

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet

        self._file = pyarrow.parquet.ParquetFile(path)

    @property
    def features(self) -> Mapping[str, Any]:
        """The feature of the spans, as ``datasets`` wrote it beside the rows; nothing where this version of it cannot read that."""
        import pyarrow
        from datasets import Features

        schema = self._file.schema_arrow
        try:
            spans = pyarrow.schema([field for field in schema if field.name == "spans"], metadata=schema.metadata)
            found: Mapping[str, Any] = Features.from_arrow_schema(spans)
        except (ValueError, TypeError, KeyError, NotImplementedError):
            return {}
        return found

    def __len__(self) -> int:
        return int(self._file.metadata.num_rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for batch in self._file.iter_batches(batch_size=_BATCH):
            yield from batch.to_pylist()


def _label_names(dataset: Any, schema: Schema) -> Sequence[str]:
    """The labels in the order of the dataset's own ``ClassLabel``, which may be another than that of the schema."""
    spans = (getattr(dataset, "features", None) or {}).get("spans")
    span = spans[0] if isinstance(spans, list) else getattr(spans, "feature", None)
    return (getattr(span["label"], "names", None) if isinstance(span, dict) and "label" in span else None) or schema.names


def _record(where: str, given: dict[str, Any], names: Sequence[str], schema: Schema) -> Record:
    try:
        meta, dropped = _fields(given, schema)
        spans = [_native(span, names, schema) for span in given.get("spans") or ()]
        links = [{key: value for key, value in link.items() if value is not None} for link in given.get("links") or ()]
        head = {} if given.get("id") is None else {"id": given["id"]}
        return Record(where, {**head, "text": given.get("text"), "spans": spans, "links": links, **meta}, dropped=dropped)
    except (ValueError, TypeError, AttributeError, IndexError) as error:
        return Record(where, problems=(f"not a row of documents: {error}",))


def _fields(given: Mapping[str, Any], schema: Schema) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The fields of a document that the other columns of a row make, and what they cannot hold."""
    meta = given.get("meta")
    fields = json.loads(meta or "{}") if isinstance(meta, str | None) else {"meta": meta}
    derived = {"id", "text", "spans", "links", "meta", "incidents", *map(view_name, schema.anchors)}  # the latter of a batch job
    dropped = []
    for name, value in given.items():
        if name in derived or value is None:
            continue
        try:
            dump(value)
            fields[name] = value
        except FormatError:
            dropped.append(f"the column {name!r}")
    return fields, tuple(dropped)


def _native(span: dict[str, Any], names: Sequence[str], schema: Schema) -> dict[str, Any]:
    label = span.get("label")
    name = names[label] if isinstance(label, int) and 0 <= label < len(names) else label
    kinds = {a.name: a.kind for a in schema[name].attributes} if isinstance(name, str) and name in schema else {}
    return {
        **{key: value == "true" if kinds.get(key) == "flag" and isinstance(value, str) else value for key, value in span.items() if value is not None},
        "label": name,
    }


def _attribute_names(schema: Schema) -> list[str]:
    return list(dict.fromkeys(a.name for label in schema.labels for a in label.attributes))


def _flags(schema: Schema) -> set[str]:
    """The attributes that are flags wherever they occur."""
    kinds = [(a.name, a.kind) for label in schema.labels for a in label.attributes]
    return {name for name, _ in kinds} - {name for name, kind in kinds if kind != "flag"}


def _stored(value: Any, flag: bool) -> Any:
    return str(value).lower() if isinstance(value, bool) and not flag else value


def _batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    batch: list[Document] = []
    for document in documents:
        batch.append(document)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _missing(path: Path, error: ImportError) -> FormatError:
    return FormatError(f"{path}: this needs datasets: pip install 'conflict-nlp[evaluate]' ({error})")


FORMAT = Format("datasets", "a Hugging Face dataset (a folder, or .parquet)", (".parquet", ".dataset"), read, write, Carries())
