"""The files of a model's graphs, made once and kept in the cache."""

from __future__ import annotations

from hashlib import blake2b
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

from conflict_nlp.loading import ModelError, first_line
from conflict_nlp.onnx.processor import saturates

# what decides on the graph beside the weights
CODE = ("attention.py", "heads.py", "modeling.py", "proposal.py", "onnx/export.py", "onnx/smoothing.py", "onnx/calibration.txt")
_EXPORTING = Lock()  # torch's exporter is not made for threads


def graphs(folder: Path, quantised: bool, encoder: str | PathLike[str] | None = None) -> tuple[Path, Path]:
    """The files of a model's graph and of its scorer of pairs of mentions, made if they are not in the cache yet.

    The cache is that of the Hub's client (``HF_ASSETS_CACHE``), the name a hash of weights, configuration and code. A file is written beside and
    then renamed, so that processes that start at once do not disturb one another.

    Args:
        folder: the model's.
        quantised: whether the encoder's matrix products are of 8-bit integers, by ``onnxruntime``'s dynamic quantisation: a scale for each column of
            weights, and one for the activations of a window.
        encoder: that an adapter is over; its hash is part of the configuration.

    Raises:
        ModelError: the model cannot be exported, or the file not be written.
    """
    try:
        kept = _kept(folder)
        # a cache may be that of several machines
        name = "model.onnx" if not quantised else "model_uint8.onnx" if saturates() else "model_int8.onnx"
        files = kept / name, kept / "clusters.onnx"
        with _EXPORTING:
            if not all(file.is_file() for file in files):
                with TemporaryDirectory(dir=kept) as beside:
                    from conflict_nlp.onnx.export import export

                    for made, file in zip(export(folder, Path(beside), quantised, encoder), files, strict=True):
                        made.replace(file)
    except OSError as error:
        raise ModelError(f"the ONNX files of {folder} cannot be kept: {first_line(error)}: set HF_ASSETS_CACHE to a folder, or use runtime 'torch'") from error
    except ModuleNotFoundError as error:
        raise ModelError(f"runtime 'onnx' needs {error.name}: pip install 'conflict-nlp[onnx]', or use runtime 'torch'") from error
    return files


def _kept(folder: Path) -> Path:
    from huggingface_hub import cached_assets_path

    hashed = blake2b(digest_size=16)
    for file in (folder / "config.json", folder / "model.safetensors", *(Path(__file__).parents[1] / name for name in CODE)):
        hashed.update(file.read_bytes())
    try:
        return cached_assets_path("conflict_nlp", "onnx", hashed.hexdigest())
    except ValueError as error:  # a file stands in its way
        raise OSError(first_line(error)) from error
