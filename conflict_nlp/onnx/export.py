"""A trained model -> the files of its graphs, made once and kept in the cache."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import TYPE_CHECKING, Any

from conflict_nlp.loading import ModelError, first_line

if TYPE_CHECKING:
    import torch

    from conflict_nlp.modeling import ConflictModel

CODE = ("heads.py", "modeling.py", "proposal.py", "onnx/export.py")  # what decides on the graph beside the weights
INPUTS = {"input_ids": "tokens", "attention_mask": "tokens", "word_tokens": "words", "word_mask": "words"}
OUTPUTS = ("spans", "labels", "mask", "span_logits", "link_logits", "attribute_logits", "cluster_states")
PAIR = ("left", "right", "distance")
OPSET = 17
_EXPORTING = Lock()  # torch's exporter is not made for threads


def graphs(folder: Path, quantised: bool) -> tuple[Path, Path]:
    """The files of a model's graph and of its scorer of pairs of mentions, made if they are not in the cache yet.

    The cache is that of the Hub's client (``HF_ASSETS_CACHE``), the name a hash of weights, configuration and code. A file is written beside and
    then renamed, so that processes that start at once do not disturb one another.

    Args:
        folder: of a whole model, not an adapter.
        quantised: whether the encoder's matrix products are of 8-bit integers, by ``onnxruntime``'s dynamic quantisation: a scale for each column of
            weights, and one for the activations of a batch.

    Raises:
        ModelError: the model cannot be exported, or the file not be written.
    """
    from huggingface_hub import cached_assets_path

    try:
        kept = cached_assets_path("conflict_nlp", "onnx", _key(folder))  # a ValueError, where a file stands in its way
        files = kept / ("model_int8.onnx" if quantised else "model.onnx"), kept / "clusters.onnx"
        if not all(file.is_file() for file in files):
            with _EXPORTING, TemporaryDirectory(dir=kept) as beside:
                for made, file in zip(_export(folder, Path(beside), quantised), files, strict=True):
                    made.replace(file)
    except (OSError, ValueError) as error:
        raise ModelError(f"the ONNX files of {folder} cannot be kept: {first_line(error)}: set HF_ASSETS_CACHE to a folder, or use runtime 'torch'") from error
    except ModuleNotFoundError as error:
        raise ModelError(f"runtime 'onnx' needs {error.name}: pip install 'conflict-nlp[onnx]', or use runtime 'torch'") from error
    return files


def _key(folder: Path) -> str:
    hashed = blake2b(digest_size=16)
    for file in (folder / "config.json", folder / "model.safetensors", *(Path(__file__).parents[1] / name for name in CODE)):
        hashed.update(file.read_bytes())
    return hashed.hexdigest()


def _export(folder: Path, to: Path, quantised: bool) -> tuple[Path, Path]:
    import onnx  # noqa: F401  # a clear word before the work, if it is not there
    import torch

    from conflict_nlp.loading import load_pretrained

    model = load_pretrained(folder)[0].eval()  # type: ignore[no-untyped-call]
    whole, clusters, int8 = to / "whole.onnx", to / "clusters.onnx", to / "int8.onnx"
    tokens = torch.full((2, 8), 1)
    words = torch.tensor([[1, 2, 3, 4], [1, 3, 4, 5]])
    arguments = (tokens, torch.ones_like(tokens), words, torch.ones_like(words, dtype=torch.bool))
    axes = {name: {0: "windows", 1: axis} for name, axis in INPUTS.items()} | {name: {0: "windows", 1: "candidates"} for name in OUTPUTS}
    axes["link_logits"] = {0: "windows", 1: "candidates", 2: "candidates"}
    _trace(_named(model), arguments, whole, tuple(INPUTS), OUTPUTS, axes)
    states = torch.zeros(2, model.clusters.project.out_features)
    _trace(model.clusters, (states, states, torch.tensor([1, 5])), clusters, PAIR, ("logits",), {name: {0: "pairs"} for name in (*PAIR, "logits")})
    if quantised:
        _quantise(whole, int8)
    return int8 if quantised else whole, clusters


def _named(model: ConflictModel) -> torch.nn.Module:
    from torch import nn

    class Named(nn.Module):
        """The model with its outputs in the order of ``OUTPUTS``."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *arguments: torch.Tensor) -> tuple[torch.Tensor, ...]:
            output = self.model(*arguments)
            return tuple(output[name] for name in OUTPUTS)

    return Named()


def _trace(
    module: torch.nn.Module, arguments: tuple[torch.Tensor, ...], to: Path, inputs: Sequence[str], outputs: Sequence[str], axes: Mapping[str, Any]
) -> None:
    import torch

    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the tracer: what it takes for a constant is one
        options: dict[str, Any] = {"opset_version": OPSET, "input_names": list(inputs), "output_names": list(outputs), "dynamic_axes": dict(axes)}
        # the exporter of traces: how many candidates there are depends on the data, which the newer one does not take
        torch.onnx.export(module.eval(), arguments, str(to), dynamo=False, **options)


def _quantise(whole: Path, to: Path) -> None:
    import logging

    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    products = [node.name for node in onnx.load(whole, load_external_data=False).graph.node if node.op_type == "MatMul" and "/encoder/" in node.name]
    logging.disable(logging.WARNING)  # it advises a step that changes nothing here
    try:
        quantize_dynamic(whole, to, nodes_to_quantize=products, weight_type=QuantType.QInt8, per_channel=True, extra_options={"MatMulConstBOnly": True})
    finally:
        logging.disable(logging.NOTSET)
