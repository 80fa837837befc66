"""A model that ONNX Runtime computes, in the place of a :class:`conflict_nlp.modeling.ConflictModel` in an extractor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from conflict_nlp.batching import BATCH_TOKENS, LOOKAHEAD
from conflict_nlp.cores import cores
from conflict_nlp.decoding import WindowOutputs, sigmoid
from conflict_nlp.encoding import OVERLAP, WINDOW, attribute_slots
from conflict_nlp.loading import ModelError, first_line
from conflict_nlp.onnx.files import graphs
from conflict_nlp.schema import Schema

if TYPE_CHECKING:
    import torch

OUTPUTS = tuple(field.name for field in fields(WindowOutputs))
PAIR = ("left", "right", "distance")


@dataclass(frozen=True)
class Settings:
    """Of a model's configuration what an extractor asks for."""

    window: int
    overlap: int
    thresholds: Mapping[str, Any]


class OnnxModel:
    """The graphs of a model, and what its configuration says.

    Args:
        folder: the model's.
        config: its ``config.json``.
        quantised: whether the encoder computes in 8-bit integers.
        encoder: of an adapter, the encoder's folder or Hub id; it is not asked for once the graphs are there.

    Raises:
        ModelError: ``onnxruntime`` is not installed, or the model cannot be exported.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any], quantised: bool = False, encoder: str | PathLike[str] | None = None) -> None:
        self.folder, self.quantised, self.encoder_source = folder.absolute(), quantised, encoder  # a copy may start elsewhere
        self.config = Settings(config.get("window", WINDOW), config.get("overlap", OVERLAP), dict(config.get("thresholds") or {}))
        self.label_schema = Schema.from_dict(config["schema"])
        self.slots = attribute_slots(self.label_schema)
        self._start()

    def _start(self) -> None:
        try:
            import onnxruntime
        except ModuleNotFoundError as error:
            raise ModelError("runtime 'onnx' needs onnxruntime: pip install 'conflict-nlp[onnx]', or use runtime 'torch'") from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = len(cores()) // self.threads
        try:
            files = graphs(self.folder, self.quantised, self.encoder_source)
            self._model, self._pairs = (onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"]) for file in files)
            self._inputs = [given.name for given in self._model.get_inputs()]
        except ModelError:
            raise
        except Exception as error:  # the exporter's and the runtime's are of many kinds
            raise ModelError(f"{self.folder} cannot be run by ONNX Runtime: {first_line(error)}: use runtime 'torch'") from error

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_model", "_pairs")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start()

    @property
    def device(self) -> torch.device:
        """The CPU, always."""
        import torch

        return torch.device("cpu")

    @property
    def alone(self) -> bool:
        """Whether it reads each window for itself, so that a scale of 8-bit integers is never that of another text."""
        return self.quantised

    @property
    def threads(self) -> int:
        """Batches that it reads beside one another: cores that work on one each wait less than cores that share one."""
        return min(LOOKAHEAD, len(cores()))

    @property
    def tokens_at_once(self) -> int:
        """How many it reads best."""
        return BATCH_TOKENS["cpu"]

    def outputs(self, batch: Mapping[str, npt.NDArray[Any]], half: torch.dtype | None = None) -> WindowOutputs:
        """As of :meth:`conflict_nlp.modeling.ConflictModel.outputs`; there is no half precision, and in 8-bit integers a batch is one window."""
        return WindowOutputs(*self._model.run(OUTPUTS, {name: batch[name] for name in self._inputs}))

    def cluster_scores(self, left: npt.NDArray[np.float32], right: npt.NDArray[np.float32], distance: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """As of :meth:`conflict_nlp.modeling.ConflictModel.cluster_scores`."""
        (logits,) = self._pairs.run(None, dict(zip(PAIR, (left, right, distance), strict=True)))
        return sigmoid(logits)
