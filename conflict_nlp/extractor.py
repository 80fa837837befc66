"""The extractor: texts in, documents out, in windows and batches, on any device."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from conflict_nlp.collation import collate
from conflict_nlp.decoding import Thresholds, WindowReading, assemble, read_windows
from conflict_nlp.document import Document
from conflict_nlp.encoding import Window, Windower
from conflict_nlp.loading import ModelError, load_pretrained, resolve_device
from conflict_nlp.schema import Schema

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from conflict_nlp.modeling import ConflictModel

BATCH_SIZE = 16
LOOKAHEAD = 8  # batches that are read ahead, so that windows of one length can share a batch


@dataclass
class _Job:
    """A text under way: its windows' readings, in order, as they arrive."""

    text: str
    readings: list[WindowReading | None] = field(default_factory=list)
    missing: int = 0


class Extractor:
    """Labels texts with a model. Made by :func:`conflict_nlp.load`.

    Args:
        model: the model, on its device already.
        tokenizer: the fast tokenizer that it was trained with.
        thresholds: overrides of the model's own, see :meth:`conflict_nlp.decoding.Thresholds.replaced`.
    """

    def __init__(self, model: ConflictModel, tokenizer: PreTrainedTokenizerFast, thresholds: Mapping[str, Any] | None = None) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.thresholds = Thresholds(**model.config.thresholds).replaced(thresholds or {}, model.label_schema)
        self.windower = Windower(tokenizer, model.config.window, model.config.overlap)

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

    def pipe(self, texts: Iterable[str], batch_size: int = BATCH_SIZE) -> Iterator[Document]:
        """Label texts in order, as they come: at most ``8 * batch_size`` windows wait for the model, however long the stream or a text is.

        Args:
            texts: any iterable, endless ones too.
            batch_size: windows that the model reads at once.

        Raises:
            TypeError: a text is no ``str``; the message gives its number.
        """
        return (self.assemble(text, readings, self.thresholds) for text, readings in self.read(texts, batch_size))

    def read(self, texts: Iterable[str], batch_size: int = BATCH_SIZE) -> Iterator[tuple[str, list[WindowReading]]]:
        """Each text with what the model saw in its windows, before any threshold; :meth:`assemble` makes the document of it."""
        if isinstance(texts, str | bytes):
            raise TypeError("pipe wants an iterable of texts: call the extractor itself for one text")
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}, it has to be 1 or more")
        return self._read(texts, batch_size)

    def _read(self, texts: Iterable[str], batch_size: int) -> Iterator[tuple[str, list[WindowReading]]]:
        pending: deque[_Job] = deque()
        waiting: list[tuple[_Job, int, Window]] = []
        limit = batch_size * LOOKAHEAD
        stream = iter(texts)
        for number in count(1):
            try:
                job = _Job(checked(next(stream), f"text {number}"))
            except StopIteration:
                break
            except Exception:
                self._run(waiting, batch_size)  # what came before is not lost
                yield from _drain(pending)
                raise
            pending.append(job)
            for window in self.windower.windows(job.text):
                waiting.append((job, len(job.readings), window))
                job.readings.append(None)
                job.missing += 1
                if len(waiting) >= limit:
                    self._run(waiting, batch_size)
                    waiting = []
            if len(pending) >= limit:
                self._run(waiting, batch_size)
                waiting = []
            yield from _drain(pending)
        self._run(waiting, batch_size)
        yield from _drain(pending)

    def assemble(self, text: str, readings: Sequence[WindowReading], thresholds: Thresholds) -> Document:
        """The document that the readings of a text make under some thresholds."""
        return assemble(text, readings, self.schema, self.model.slots, thresholds, self._cluster_score)

    @torch.inference_mode()
    def _run(self, waiting: list[tuple[_Job, int, Window]], batch_size: int) -> None:
        waiting = sorted(waiting, key=lambda item: -len(item[2].input_ids))
        for start in range(0, len(waiting), batch_size):
            batch = waiting[start : start + batch_size]
            windows = [window for _, _, window in batch]
            tensors = {name: tensor.to(self.device) for name, tensor in collate(windows, self.tokenizer.pad_token_id or 0).items()}
            for (job, index, _), reading in zip(batch, read_windows(self.model(**tensors), windows, self.model.slots), strict=True):
                job.readings[index] = reading
                job.missing -= 1

    @torch.inference_mode()
    def _cluster_score(self, left: npt.NDArray[np.float32], right: npt.NDArray[np.float32], distance: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        arrays = (torch.from_numpy(array).to(self.device) for array in (left, right, distance))
        scores: npt.NDArray[np.float32] = self.model.cluster_logits(*arrays).sigmoid().cpu().numpy()
        return scores


def _drain(pending: deque[_Job]) -> Iterator[tuple[str, list[WindowReading]]]:
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
    device: str | torch.device = "auto",
    thresholds: Mapping[str, Any] | None = None,
) -> Extractor:
    """An extractor, ready to label texts.

    Args:
        model: nothing for the model that is part of the package; or a folder that ``training/train.py`` wrote; or a Hub id.
        device: ``auto`` takes a GPU where there is one; or ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        thresholds: probabilities to use instead of the model's, a threshold or a label each: ``{"ATTACK": 0.4, "link": 0.6}``.

    Raises:
        conflict_nlp.ModelError: the folder or Hub id holds no model that this library can load, or the device is not there.
        ValueError: a threshold is unknown or no probability.
    """
    place = resolve_device(str(device))
    pretrained, tokenizer = load_pretrained(model)
    pretrained.to(place)  # type: ignore[arg-type]  # the stub of transformers takes no device
    try:
        extractor = Extractor(pretrained, tokenizer)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{model or 'the embedded model'}: config.json is not usable: {error}") from error
    extractor.thresholds = extractor.thresholds.replaced(thresholds or {}, extractor.schema)
    return extractor
