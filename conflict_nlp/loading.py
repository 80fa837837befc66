"""Finding a model: in the package, in a folder, or on the Hub."""

from __future__ import annotations

import json
import re
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conflict_nlp.schema import Schema, SchemaError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast

    from conflict_nlp.modeling import ConflictModel

EMBEDDED = Path(__file__).parent / "weights" / "small"
SAVED = ["config.json", "model.safetensors", "tokenizer.json"]
FILES = [*SAVED, "tokenizer_config.json", "special_tokens_map.json"]


class ModelError(ValueError):
    """A model cannot be loaded; the message names it and says what is wrong."""


def resolve_device(device: str) -> torch.device:
    """The torch device of a name; ``auto`` is cuda, else mps, else cpu.

    Raises:
        ModelError: the name is no device, or the machine lacks it.
    """
    import torch

    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu")
    if not re.fullmatch(r"(cpu|mps|cuda)(:\d+)?", device):
        raise ModelError(f"device {device!r} is none of auto, cpu, cuda, cuda:1, mps")
    place = torch.device(device)
    there = {"cpu": 1, "mps": int(torch.backends.mps.is_available()), "cuda": torch.cuda.device_count()}[place.type]
    if (place.index or 0) >= there:
        raise ModelError(f"device {device!r} is not on this machine: use auto or cpu")
    return place


def load_pretrained(name: str | PathLike[str] | None) -> tuple[ConflictModel, PreTrainedTokenizerFast]:
    """The model and its tokenizer, in single precision on the CPU.

    Args:
        name: ``None`` for the embedded model, a folder, or a Hub id.

    Raises:
        ModelError: see :func:`conflict_nlp.load`.
    """
    folder = EMBEDDED if name is None else _folder(fspath(name))
    config = _checked_config(folder)

    import torch
    from safetensors import SafetensorError
    from transformers import PreTrainedTokenizerFast, logging

    from conflict_nlp.modeling import ConflictConfig, ConflictModel

    bars, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity(50)  # what it has to say is in the exception or in the report
    try:
        loaded: Any = ConflictModel.from_pretrained(
            folder,
            config=ConflictConfig.from_dict(config),
            dtype=torch.float32,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            local_files_only=True,
        )
        model, report = loaded
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise ModelError(f"{folder}: the model cannot be read: {_line(error)}") from error
    except Exception as error:  # tokenizers raises bare Exceptions
        raise ModelError(f"{folder}: the tokenizer cannot be read: {_line(error)}") from error
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
    wrong = sorted({*report["missing_keys"], *report["unexpected_keys"], *(k[0] for k in report["mismatched_keys"])})
    if wrong:
        raise ModelError(f"{folder}: the weights do not fit config.json: {', '.join(wrong[:3])}{' …' if len(wrong) > 3 else ''}")
    return model, tokenizer


def _folder(name: str) -> Path:
    folder = Path(name)
    if folder.is_dir():
        return folder
    if folder.exists():
        raise ModelError(f"{name} is a file: give the folder that holds the model")
    if not re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", name):
        raise ModelError(f"there is no folder {name}")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=FILES))
    except Exception as error:  # any of the client's, the network's and the file system's errors ends here
        raise ModelError(f"there is no folder {name}, and the Hub gave no model of that name: {_line(error)}") from error


def _checked_config(folder: Path) -> dict[str, Any]:
    missing = [name for name in SAVED if not (folder / name).is_file()]
    if missing == SAVED:
        raise ModelError(f"{folder} holds no model")
    if missing:
        raise ModelError(f"{folder} is incomplete, it lacks {', '.join(missing)}")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{folder / 'config.json'} is no JSON: {_line(error)}") from error
    kind = config.get("model_type") if isinstance(config, dict) else None
    if kind != "conflict_nlp":
        raise ModelError(f"{folder} holds a model of type {kind!r}, not 'conflict_nlp': train one over it with training/train.py --encoder")
    try:
        Schema.from_dict(config.get("schema") or {})
    except SchemaError as error:
        raise ModelError(f"{folder / 'config.json'}: {error}") from error
    return dict(config)


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
