"""The extractor: texts in, documents out, in windows and batches, on any device."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from os import PathLike
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, overload

from conflict_nlp.batching import LOOKAHEAD, BatchLimit, Job, Waiting, padded
from conflict_nlp.decoding import Thresholds, WindowOutputs, WindowReading, assemble, read_windows
from conflict_nlp.document import Document
from conflict_nlp.encoding import Windower
from conflict_nlp.loading import ModelError, load_pretrained, load_tokenizer, locate, resolve_device
from conflict_nlp.onnx.choice import chosen, in_integers
from conflict_nlp.onnx.model import OnnxModel
from conflict_nlp.precision import half_of
from conflict_nlp.reading import Batch, InTurn, Reader, SideBySide
from conflict_nlp.schema import Schema

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast

    from conflict_nlp.modeling import ConflictModel

__all__ = ["LOOKAHEAD", "Extractor", "checked", "load"]


class Extractor:
    """Labels texts with a model. Made by :func:`conflict_nlp.load`.

    Args:
        model: the model, on its device already; of torch or of ONNX Runtime.
        tokenizer: the fast tokenizer that it was trained with.
        thresholds: overrides of the model's own, see :meth:`conflict_nlp.decoding.Thresholds.replaced`.

    Attributes:
        half: the precision of the model's forward pass (``torch.bfloat16``, ``torch.float16``); ``None``, as it is made, for single precision.
        tokens_read: tokens that the model has read so far, without padding.

    A batch that does not fit the device's memory is read in halves, and later ones are no larger. Threads may share an extractor.
    """

    def __init__(self, model: ConflictModel | OnnxModel, tokenizer: PreTrainedTokenizerFast, thresholds: Mapping[str, Any] | None = None) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.thresholds = Thresholds(**model.config.thresholds).replaced(thresholds or {}, model.label_schema)
        self.windower = Windower(tokenizer, model.config.window, model.config.overlap)
        self.half: torch.dtype | None = None
        self.tokens_read = 0
        self._start()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_lock", "_reader")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start()

    def _start(self) -> None:
        self._lock = Lock()
        self._reader: Reader = InTurn(self._outputs) if self.model.threads == 1 else SideBySide(self._outputs, self.model.threads)

    @property
    def schema(self) -> Schema:
        """The labels that the model knows."""
        return self.model.label_schema

    @property
    def device(self) -> torch.device:
        """Where the model runs."""
        return self.model.device

    def __call__(self, text: str) -> Document:
        """Label one text; an empty or blank one gives a document without spans.

        Raises:
            TypeError: the text is no ``str``.
        """
        return next(self.pipe([checked(text)]))

    @overload
    def pipe(
        self, texts: Iterable[str], batch_size: int | None = None, batch_tokens: int | None = None, as_tuples: Literal[False] = False
    ) -> Iterator[Document]: ...

    @overload
    def pipe(
        self, texts: Iterable[tuple[str, Any]], batch_size: int | None = None, batch_tokens: int | None = None, *, as_tuples: Literal[True]
    ) -> Iterator[tuple[Document, Any]]: ...

    def pipe(self, texts: Iterable[Any], batch_size: int | None = None, batch_tokens: int | None = None, as_tuples: bool = False) -> Iterator[Any]:
        """Label texts in order, as they come: at most 8 batches of windows are ahead, 16 where they are read side by side, however long a text is.

        What is kept of a text until its last window is read, some 20 kB a window, is in proportion to its length.

        Args:
            texts: any iterable, endless ones too.
            batch_size: windows that the model reads at once, instead of a number of tokens.
            batch_tokens: tokens, padding included, that the model reads at once; by default 1,024 on a CPU, 16,384 on mps and 32,768 on cuda. It counts
                before ``batch_size``.
            as_tuples: ``texts`` are pairs of a text and anything, its id say, and so are the results, a document in the text's place.

        Raises:
            TypeError: a text is no ``str``; the message gives its number.
        """
        if as_tuples:
            return self._with_contexts(texts, batch_size, batch_tokens)
        return (self.assemble(text, readings, self.thresholds) for text, readings in self.read(texts, batch_size, batch_tokens))

    def _with_contexts(self, pairs: Iterable[tuple[str, Any]], batch_size: int | None, batch_tokens: int | None) -> Iterator[tuple[Document, Any]]:
        contexts: deque[Any] = deque()

        def texts() -> Iterator[str]:
            for text, context in pairs:
                contexts.append(context)
                yield text

        for document in self.pipe(texts(), batch_size, batch_tokens):
            yield document, contexts.popleft()

    def read(self, texts: Iterable[str], batch_size: int | None = None, batch_tokens: int | None = None) -> Iterator[tuple[str, list[WindowReading]]]:
        """Each text with what the model saw in its windows, before any threshold; :meth:`assemble` makes the document of it."""
        if isinstance(texts, str | bytes):
            raise TypeError("pipe wants an iterable of texts: call the extractor itself for one text")
        for name, value in (("batch_size", batch_size), ("batch_tokens", batch_tokens)):
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}, it has to be 1 or more")
        if batch_tokens is not None or batch_size is None:
            return self._read(texts, BatchLimit(tokens=batch_tokens or self.model.tokens_at_once, alone=self.model.alone))
        return self._read(texts, BatchLimit(windows=batch_size, alone=self.model.alone))

    def _read(self, texts: Iterable[str], limit: BatchLimit) -> Iterator[tuple[str, list[WindowReading]]]:
        pending: deque[Job] = deque()
        waiting: list[Waiting] = []
        running: deque[Iterator[tuple[Batch, WindowOutputs]]] = deque()
        tokens = 0

        def run() -> None:
            nonlocal tokens
            running.append(self._reader.start(limit.batches(waiting)))
            self._take(running, self._reader.ahead)
            waiting.clear()
            tokens = 0

        def finish() -> Iterator[tuple[str, list[WindowReading]]]:
            run()
            self._take(running, 0)
            return _drain(pending)

        stream = iter(texts)
        for number in count(1):
            try:
                job = Job(checked(next(stream), f"text {number}"))
            except StopIteration:
                break
            except Exception:
                yield from finish()  # what came before is not lost
                raise
            pending.append(job)
            for window in self.windower.windows(job.text):
                waiting.append((job, len(job.readings), window))
                tokens += len(window.input_ids)
                job.readings.append(None)
                job.missing += 1
                if limit.reached(len(waiting), tokens):
                    run()
            if len(pending) >= limit.texts * (1 + len(running)):
                run()
            yield from _drain(pending)
        yield from finish()

    def assemble(self, text: str, readings: Sequence[WindowReading], thresholds: Thresholds) -> Document:
        """The document that the readings of a text make under some thresholds."""
        return assemble(text, readings, self.schema, self.model.slots, thresholds, self.model.cluster_scores)

    def _take(self, running: deque[Iterator[tuple[Batch, WindowOutputs]]], leave: int) -> None:
        """Give their readings to the jobs of all lots of batches under way but the last ones."""
        while len(running) > leave:
            for batch, output in running.popleft():
                windows = [window for _, _, window in batch]
                for (job, index, _), reading in zip(batch, read_windows(output, windows, self.model.slots), strict=True):
                    job.readings[index] = reading
                    job.missing -= 1
                with self._lock:
                    self.tokens_read += sum(len(window.input_ids) for window in windows)

    def _outputs(self, batch: Batch) -> WindowOutputs:
        return self.model.outputs(padded([window for _, _, window in batch], self.tokenizer.pad_token_id or 0), self.half)


def _drain(pending: deque[Job]) -> Iterator[tuple[str, list[WindowReading]]]:
    while pending and not pending[0].missing:
        job = pending.popleft()
        yield job.text, [reading for reading in job.readings if reading is not None]


def checked(text: object, name: str = "the text") -> str:
    """The text itself, if it is one.

    Raises:
        TypeError: it is not; bytes, ``None`` and numbers are no texts.
    """
    if isinstance(text, str):
        return text
    mend = ": decode it first" if isinstance(text, bytes | bytearray) else ": label many with pipe" if isinstance(text, list | tuple) else ""
    raise TypeError(f"{name} is {type(text).__name__}, not str{mend}")


def load(
    model: str | PathLike[str] | None = None,
    *,
    encoder: str | PathLike[str] | None = None,
    device: str | torch.device = "auto",
    thresholds: Mapping[str, Any] | None = None,
    half: bool = False,
    runtime: str = "auto",
    quantised: bool | None = None,
) -> Extractor:
    """An extractor, ready to label texts.

    Args:
        model: nothing for the model that is part of the package, or the name of one there (``small``); or a folder that
            ``training/train.py`` wrote; or a Hub id, with ``@`` and a tag or commit where it shall stay the same: ``group/model@v1``.
        encoder: for a model that is an adapter, the folder of the encoder that it was trained over; without, it comes from the Hub.
        device: ``auto`` takes a GPU where there is one; or ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        thresholds: probabilities to use instead of the model's, a threshold or a label each: ``{"ATTACK": 0.4, "link": 0.6}``.
        half: compute in half precision where the device has it, at least twice as fast. Scores then change in the second decimal, and with them one text in
            some dozens, also with the texts that are read beside it; a CPU without bfloat16 computes in single precision all the same.
        runtime: ``torch``; ``onnx`` for ONNX Runtime, on the CPU, which finds the same and starts without torch once its files are made, at the first
            use of a model; ``auto`` for ``onnx`` where that is installed (the extra ``onnx``) and can serve the call, else ``torch``.
        quantised: with ONNX Runtime, the encoder in 8-bit integers: twice as fast, and scores change a little; what else is read beside a text changes
            nothing. If not said, ``auto`` does so, except for an adapter, and ``onnx`` does not.

    Raises:
        conflict_nlp.ModelError: the folder or Hub id holds no model that this library can load, or the device or runtime is not there.
        ValueError: a threshold is unknown or no probability.
    """
    read: ConflictModel | OnnxModel | None = None
    precision = None
    folder, config = locate(model)
    lone = config.get("adapter") is None and encoder is not None  # which load_pretrained refuses
    if chosen(runtime, folder, str(device), half, quantised or False) == "onnx" and not lone:
        try:
            integers = runtime == "auto" and in_integers(config) if quantised is None else quantised
            read, tokenizer = OnnxModel(folder, config, integers, encoder), load_tokenizer(folder)
        except ModelError:
            if runtime != "auto" or quantised:
                raise
    if read is None:
        place = resolve_device(str(device))
        read, tokenizer = load_pretrained(folder, encoder)
        read.to(place)  # type: ignore[arg-type]  # the stub of transformers takes no device
        precision = half_of(place) if half else None
    try:
        extractor = Extractor(read, tokenizer)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{model or 'the embedded model'}: config.json is not usable: {error}") from error
    extractor.thresholds = extractor.thresholds.replaced(thresholds or {}, extractor.schema)
    extractor.half = precision
    return extractor
