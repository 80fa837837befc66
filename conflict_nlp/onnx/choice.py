"""Whether ONNX Runtime or torch computes."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from conflict_nlp.loading import ModelError


class Runtime(str, Enum):
    """What computes a model."""

    auto = "auto"
    torch = "torch"
    onnx = "onnx"


def chosen(runtime: str, folder: Path, device: str, half: bool, quantised: bool) -> str:
    """``torch`` or ``onnx`` for a model.

    Args:
        runtime: what the user wants; ``auto`` takes ``onnx`` where nothing speaks against it, and never for an ``auto`` device where there may be a GPU.
        folder: the model's.
        device: where it shall run.
        half: whether in half precision, which is torch's.
        quantised: whether in 8-bit integers, which are ONNX Runtime's.

    Raises:
        ModelError: there is no such runtime, or it cannot do what is asked of it.
    """
    if runtime not in (known := [name.value for name in Runtime]):
        raise ModelError(f"runtime {runtime!r} is none of {', '.join(known)}")
    against = _against(device, half)
    if runtime == "onnx" and against:
        raise ModelError(f"{folder}: runtime 'onnx' {against}, or use runtime 'torch'")
    missing = [package for package in ("onnx", "onnxruntime") if find_spec(package) is None]
    fits = runtime == "onnx" or (runtime == "auto" and not against and not missing and (device == "cpu" or not _gpu()))
    if quantised and not fits:
        mend = f"{missing[0]} is not installed, pip install 'conflict-nlp[onnx]'" if missing else "use runtime 'onnx'"
        raise ModelError(f"8-bit integers are ONNX Runtime's, on the CPU: {mend}")
    return "onnx" if fits else "torch"


def in_integers(config: Mapping[str, Any]) -> bool:
    """Whether a model computes in 8-bit integers where that is left to choose: an adapter's encoder, which has learnt less for the task, loses more by them."""
    return config.get("adapter") is None


def _against(device: str, half: bool) -> str | None:
    if device not in ("auto", "cpu"):
        return f"computes on the CPU, not on {device}: give device cpu"
    if half:
        return "has no half precision: leave out half, or have 8-bit integers"
    return None


def _gpu() -> bool:
    """Whether torch may find one; asking torch would take as long as the start that is to be saved."""
    return sys.platform == "darwin" or shutil.which("nvidia-smi") is not None or any(Path(p).exists() for p in ("/proc/driver/nvidia", "/dev/kfd"))
