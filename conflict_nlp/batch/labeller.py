"""The callable that labels a batch of rows: for this package's jobs, Ray, Spark, Dask and ``datasets.map``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Any

from conflict_nlp.batch.engine import Chunk, Labelled
from conflict_nlp.batch.errors import read_text
from conflict_nlp.batch.tables import output_fields, output_row
from conflict_nlp.document import Document
from conflict_nlp.schema import Schema

if TYPE_CHECKING:
    import pyarrow

    from conflict_nlp.extractor import Extractor

MAX_CHARS = 1_000_000

_extractors: dict[str, Extractor] = {}  # a process loads a model once, however many copies of a labeller reach it
_loading = Lock()


@dataclass(frozen=True)
class Labeller:
    """Labels the rows of a table, a data frame or a dict of columns; picklable, the model is loaded once in each process that calls it.

    Args:
        model: see :func:`conflict_nlp.load`.
        device: see :func:`conflict_nlp.load`.
        text: the column with the texts.
        thresholds: see :func:`conflict_nlp.load`.
        batch_tokens: tokens, padding included, that the model reads at once; by default as :meth:`conflict_nlp.Extractor.pipe` has it.
        max_chars: a longer text is an error.
        half: whether to compute in half precision, see :func:`conflict_nlp.load`; if not said, a GPU does and a CPU does not.
        views: whether the views of :mod:`conflict_nlp.batch.tables` are added too.
        encoder: see :func:`conflict_nlp.load`.
        runtime: see :func:`conflict_nlp.load`; torch if not said, so that a job gives the same on every machine that it goes on on.
        quantised: see :func:`conflict_nlp.load`.
    """

    model: str | None = None
    device: str = "auto"
    text: str = "text"
    thresholds: Mapping[str, Any] | None = None
    batch_tokens: int | None = None
    max_chars: int = MAX_CHARS
    half: bool | None = None
    views: bool = False
    encoder: str | None = None
    runtime: str = "torch"
    quantised: bool | None = None

    def __call__(self, batch: Any) -> Any:
        """Label a batch.

        Args:
            batch: a pyarrow ``Table`` or ``RecordBatch``, a pandas ``DataFrame``, or a mapping of columns (lists or numpy arrays).

        Returns:
            The same kind with the columns ``spans``, ``links`` (see :mod:`conflict_nlp.batch.tables`) and ``error``: ``None`` or why the row could
            not be labelled, where the others are null.

        Raises:
            ValueError: there is no column of texts, or it is a single row.
            conflict_nlp.ModelError: the model cannot be loaded.
        """
        columns, add = _adapted(batch)
        if self.text not in columns:
            raise ValueError(f"there is no column {self.text!r}, only {', '.join(map(str, columns))}: name the texts' column with text=")
        texts = columns[self.text]()
        if isinstance(texts, str | bytes):
            raise ValueError(f"{self.text!r} is one text, not a column of them: give rows in batches, as datasets does with batched=True")
        return add(self._label(texts))

    def in_pandas(self, frames: Iterator[Any]) -> Iterator[Any]:
        """Label data frames as they come, for Spark's ``mapInPandas``."""
        return map(self, frames)

    def output_schema(self, schema: pyarrow.Schema) -> pyarrow.Schema:
        """The Arrow schema of a table of this schema, once it is labelled."""
        import pyarrow as pa

        added = {**output_fields(self.schema, self.views), "error": pa.string()}
        kept = [field for field in schema if field.name not in added]
        return pa.schema([*kept, *(pa.field(name, kind) for name, kind in added.items())])

    def label(self, chunk: Chunk) -> Labelled:
        """Label a chunk of a job."""
        table = replace(self, text="text", views=True)(chunk.table)
        with _loading:
            tokens, self.extractor.tokens_read = self.extractor.tokens_read, 0
        return Labelled(replace(chunk, table=chunk.table.schema.empty_table()), table, tokens)

    @property
    def schema(self) -> Schema:
        """The labels that the model knows."""
        return self.extractor.schema

    @property
    def in_half(self) -> bool:
        """Whether it computes in half precision: as ``half`` says, else on a GPU."""
        from conflict_nlp.loading import resolve_device

        return resolve_device(self.device).type == "cuda" if self.half is None else self.half

    @property
    def extractor(self) -> Extractor:
        """The model of this process; loaded on first use."""
        key = repr((self.model, self.encoder, self.device, self.thresholds, self.half, self.runtime, self.quantised))
        extractor = _extractors.get(key)
        return extractor if extractor is not None else self._loaded(key)

    def _loaded(self, key: str) -> Extractor:
        with _loading:
            if key not in _extractors:
                from conflict_nlp.extractor import load

                _extractors[key] = load(
                    self.model,
                    encoder=self.encoder,
                    device=self.device,
                    thresholds=self.thresholds,
                    half=self.in_half,
                    runtime=self.runtime,
                    quantised=self.quantised,
                )
            return _extractors[key]

    def _label(self, values: Sequence[Any]) -> dict[str, pyarrow.Array]:
        import pyarrow as pa

        read = [read_text(value, self.max_chars) for value in values]
        documents = iter(self._documents([text for text, _ in read if text is not None]))
        rows: list[dict[str, Any] | None] = []
        errors: list[str | None] = []
        for text, problem in read:
            document = problem if text is None else next(documents)
            rows.append(None if isinstance(document, str) else output_row(document, self.schema, self.views))
            errors.append(document if isinstance(document, str) else None)
        columns = {name: pa.array([row and row[name] for row in rows], kind) for name, kind in output_fields(self.schema, self.views).items()}
        return {**columns, "error": pa.array(errors, pa.string())}

    def _documents(self, texts: Sequence[str]) -> list[Document | str]:
        """Their documents; where a text breaks something, what it was, and the others are labelled all the same."""
        try:
            return list(self.extractor.pipe(texts, batch_tokens=self.batch_tokens))
        except Exception as error:
            if _not_the_texts_fault(error):
                raise
        found: list[Document | str] = []
        for text in texts:
            try:
                found += self.extractor.pipe([text], batch_tokens=self.batch_tokens)
            except Exception as error:
                if _not_the_texts_fault(error):
                    raise
                found.append(f"labelling failed: {type(error).__name__}: {' '.join(str(error).split())[:200]}")
        return found


def _not_the_texts_fault(error: Exception) -> bool:
    """Whether another text would fail as well: memory, or an error of the device, after which nothing works."""
    return isinstance(error, MemoryError) or "memory" in str(error) or "CUDA" in str(error)


Columns = dict[str, Callable[[], Sequence[Any]]]
Add = Callable[[dict[str, "pyarrow.Array"]], Any]


def _adapted(batch: Any) -> tuple[Columns, Add]:
    """How to read the columns of a batch, and how to give it back with more of them."""
    if isinstance(batch, Mapping):
        return {name: lambda v=values: v for name, values in batch.items()}, lambda added: {**batch, **_as_in(batch, added)}  # type: ignore[misc]
    if hasattr(batch, "assign"):
        return {name: batch[name].tolist for name in batch.columns}, lambda added: batch.assign(**{k: _series(batch, v) for k, v in added.items()})
    import pyarrow as pa

    if not isinstance(batch, pa.Table | pa.RecordBatch):
        raise ValueError(f"a batch is a pyarrow table, a pandas data frame or a dict of columns, not {type(batch).__name__}")

    def add(added: dict[str, pa.Array]) -> Any:
        kept = {name: batch[name] for name in batch.schema.names if name not in added}
        return type(batch).from_pydict({**kept, **added})

    return {name: lambda n=name: cells(batch[n]) for name in batch.schema.names}, add  # type: ignore[misc]


def _as_in(batch: Mapping[str, Any], added: Mapping[str, pyarrow.Array]) -> dict[str, Any]:
    arrays = any(type(values).__module__ == "numpy" for values in batch.values())
    return {name: _objects(column) if arrays else column.to_pylist() for name, column in added.items()}


def _objects(column: pyarrow.Array) -> Any:
    import numpy as np

    array = np.empty(len(column), dtype=object)
    for i, value in enumerate(column.to_pylist()):
        array[i] = value
    return array


def _series(frame: Any, column: pyarrow.Array) -> Any:
    import pandas as pd

    return pd.Series(_objects(column), index=frame.index, dtype=object)


def cells(column: Any) -> list[Any]:
    """An Arrow column as Python values; strings as bytes, since Arrow does not promise that they are UTF-8."""
    import pyarrow as pa
    import pyarrow.types as kinds

    if kinds.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if kinds.is_string(column.type) or kinds.is_large_string(column.type):
        column = column.cast(pa.large_binary() if kinds.is_large_string(column.type) else pa.binary())
    values: list[Any] = column.to_pylist()
    return values
