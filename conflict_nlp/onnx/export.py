"""A trained model -> graphs, by torch's exporter."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from conflict_nlp.attention import plain
from conflict_nlp.loading import load_pretrained
from conflict_nlp.modeling import ConflictModel
from conflict_nlp.onnx.model import OUTPUTS, PAIR
from conflict_nlp.onnx.processor import saturates
from conflict_nlp.onnx.smoothing import smooth
from conflict_nlp.proposal import Candidates

INPUTS = {"input_ids": "tokens", "word_tokens": "words", "word_mask": "words", "attention_mask": "tokens"}
OPSET = 17
CALIBRATION = Path(__file__).with_name("calibration.txt")
"""Reports of the project's corpus, by which the scales of 8-bit integers are set, one a line."""


def export(folder: Path, to: Path, quantised: bool, encoder: str | PathLike[str] | None = None) -> tuple[Path, Path]:
    """Write the graph of the model in ``folder``, over its ``encoder`` if it is an adapter, and that of its scorer of pairs, into the folder ``to``.

    The graph takes a batch of windows; that of 8-bit integers one window, so that it has no padding to mask.
    """
    model, tokenizer = load_pretrained(folder, encoder)
    model.eval()  # type: ignore[no-untyped-call]
    plain(model.encoder)  # fused attention falls apart in a graph, into more steps over the whole matrix
    if quantised:
        model.links = _OfAnchors(model.links, torch.tensor(model.takes).any(1))  # type: ignore[assignment]
        smooth(model.encoder, (_whole(tokenizer, report, model.config.window) for report in CALIBRATION.read_text(encoding="utf-8").splitlines()))
    whole, clusters, int8 = to / "whole.onnx", to / "clusters.onnx", to / "int8.onnx"
    names = tuple(name for name in INPUTS if not (quantised and name == "attention_mask"))
    windows = {} if quantised else {0: "windows"}
    axes = {name: {**windows, 1: INPUTS[name]} for name in names} | {name: {**windows, 1: "candidates"} for name in OUTPUTS}
    axes["link_logits"][2] = "candidates"
    _trace(_Named(model), tuple(_example(name, 1 if quantised else 2) for name in names), whole, names, OUTPUTS, axes)
    states = torch.zeros(2, model.clusters.project.out_features)
    _trace(model.clusters, (states, states, torch.tensor([1, 5])), clusters, PAIR, ("logits",), {name: {0: "pairs"} for name in (*PAIR, "logits")})
    if quantised:
        _quantise(whole, int8)
    return int8 if quantised else whole, clusters


def _whole(tokenizer: PreTrainedTokenizerFast, report: str, longest: int) -> dict[str, Tensor]:
    """A report as the encoder reads it, up to the length of a window."""
    return {"input_ids": torch.tensor([tokenizer(report)["input_ids"][:longest]])}


def _example(name: str, windows: int) -> Tensor:
    """Inputs to trace with; which ones does not matter, but for their shapes."""
    words = torch.tensor([[1, 2, 3, 4], [1, 3, 4, 5]])
    tokens = torch.ones(2, 8, dtype=torch.long)
    return {"word_tokens": words, "word_mask": torch.ones_like(words, dtype=torch.bool)}.get(name, tokens)[:windows]


class _OfAnchors(nn.Module):
    """A scorer of pairs that, in one window, is asked about the spans alone that take arguments; of the others no link is allowed."""

    def __init__(self, links: nn.Module, takes: Tensor) -> None:
        super().__init__()
        self.links = links
        self.takes = takes

    def forward(self, states: Tensor, candidates: Candidates) -> Tensor:
        rows = self.takes[candidates.labels[0]].nonzero().squeeze(1)
        size = states.shape[1]
        return torch.full((1, size, size), float("-inf")).index_copy(1, rows, self.links(states, candidates, rows))


class _Named(nn.Module):
    """A model with its outputs in the order of ``OUTPUTS``."""

    def __init__(self, model: ConflictModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, word_tokens: Tensor, word_mask: Tensor, attention_mask: Tensor | None = None) -> tuple[Tensor, ...]:
        output = self.model(input_ids, attention_mask, word_tokens, word_mask)
        return tuple(output[name] for name in OUTPUTS)


def _trace(
    module: nn.Module, arguments: tuple[Tensor, ...], to: Path, inputs: Sequence[str], outputs: Sequence[str], axes: Mapping[str, Any]
) -> None:
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the tracer: what it takes for a constant is one
        options: dict[str, Any] = {"opset_version": OPSET, "input_names": list(inputs), "output_names": list(outputs), "dynamic_axes": dict(axes)}
        # the exporter of traces: how many candidates there are depends on the data, which the newer one does not take
        torch.onnx.export(module.eval(), arguments, str(to), dynamo=False, **options)


def _quantise(whole: Path, to: Path) -> None:
    products = [node.name for node in onnx.load(whole, load_external_data=False).graph.node if node.op_type == "MatMul" and "/encoder/" in node.name]
    logging.disable(logging.WARNING)  # it advises a step that changes nothing here
    try:
        kind = QuantType.QUInt8 if saturates() else QuantType.QInt8
        quantize_dynamic(whole, to, nodes_to_quantize=products, weight_type=kind, per_channel=True, extra_options={"MatMulConstBOnly": True})
    finally:
        logging.disable(logging.NOTSET)
