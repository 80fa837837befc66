"""Finding a model: in the package, in a folder, or on the Hub."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from conflict_nlp.schema import Schema, SchemaError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast

    from conflict_nlp.modeling import ConflictModel

WEIGHTS = Path(__file__).parent / "weights"
EMBEDDED = WEIGHTS / "small"
SAVED = ["config.json", "model.safetensors", "tokenizer.json"]
_HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")
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


def locate(name: str | PathLike[str] | None) -> tuple[Path, dict[str, Any]]:
    """The folder of a model (fetched from the Hub if need be) and its ``config.json``, without loading it.

    Raises:
        ModelError: it holds no model that this library can load.
    """
    folder = EMBEDDED if name is None else _folder(fspath(name))
    return folder, _checked_config(folder)


def load_pretrained(
    name: str | PathLike[str] | None,
    encoder: str | PathLike[str] | None = None,
    merged: bool = True,
    changes: Mapping[str, Any] | None = None,
) -> tuple[ConflictModel, PreTrainedTokenizerFast]:
    """The model and its tokenizer, in single precision on the CPU.

    Args:
        name: ``None`` for the embedded model, the name of another one in the package, a folder, or a Hub id.
        encoder: of a model that is saved as an adapter, the encoder's folder or Hub id; without, the Hub id that it was trained over.
        merged: whether an adapter is added to the encoder's weights; if not, it can be trained further.
        changes: fields of its configuration that shall be others, such as a dropout to train further with.

    Raises:
        ModelError: see :func:`conflict_nlp.load`.
    """
    folder, config = locate(name)
    config |= changes or {}
    adapted = config.get("adapter") is not None
    if encoder is not None and not adapted:
        raise ModelError(f"{folder} holds a model with its own encoder: leave out encoder={fspath(encoder)}")

    from safetensors import SafetensorError

    with _silence():
        try:
            model = _adapted(folder, config, encoder, merged) if adapted else _whole(folder, config)
        except ModelError:
            raise
        except (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
            raise ModelError(f"{folder}: the model cannot be read: {first_line(error)}") from error
        except ModuleNotFoundError as error:
            raise ModelError(f"{folder} is an adapter, and {error.name} is not installed: pip install 'conflict-nlp[adapters]'") from error
        return model, load_tokenizer(folder)


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """The tokenizer in a model's folder.

    Raises:
        ModelError: it cannot be read.
    """
    from transformers import PreTrainedTokenizerFast

    try:
        with _silence():
            tokenizer: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
            return tokenizer
    except Exception as error:  # tokenizers raises bare Exceptions
        raise ModelError(f"{folder}: the tokenizer cannot be read: {first_line(error)}") from error


@contextmanager
def _silence() -> Iterator[None]:
    """What transformers has to say of a model is in the exception or in the report."""
    from transformers import logging

    bars, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity(50)
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _whole(folder: Path, config: dict[str, Any]) -> ConflictModel:
    import torch

    from conflict_nlp.modeling import ConflictConfig, ConflictModel

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
    _fit(folder, {*report["missing_keys"], *report["unexpected_keys"], *(k[0] for k in report["mismatched_keys"])})
    return cast("ConflictModel", model)


def _adapted(folder: Path, config: dict[str, Any], encoder: str | PathLike[str] | None, merged: bool) -> ConflictModel:
    """The model over an encoder from elsewhere, which has to be the one that it was trained over."""
    from safetensors.torch import load_file

    from conflict_nlp.adapters import PREFIX, Adapter, attach, digest, merge, restore
    from conflict_nlp.modeling import ConflictConfig, ConflictModel

    settings = ConflictConfig.from_dict(config)
    adapter = Adapter.from_dict(settings.adapter or {})
    model = ConflictModel(settings)
    state = load_file(folder / "model.safetensors")
    own = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith(PREFIX)}
    heads = {name: tensor for name, tensor in state.items() if not name.startswith(PREFIX)}
    _fit(folder, {*(own.keys() ^ heads.keys()), *(n for n in own.keys() & heads.keys() if own[n].shape != heads[n].shape)})
    model.load_state_dict(heads, strict=False)
    source = _encoder(folder, settings.encoder_name, encoder)
    if digest(source) != settings.encoder_digest:
        given = settings.encoder_name if encoder is None else fspath(encoder)
        raise ModelError(f"{given} is not the encoder that {folder} was trained over: give the folder of {settings.encoder_name}, encoder=FOLDER")
    model.encoder.load_state_dict(source.state_dict())
    change = {name.removeprefix(PREFIX): tensor for name, tensor in state.items() if name.startswith(PREFIX)}
    if merged:
        model.encoder = merge(model.encoder, adapter, change)
        model.config.adapter = model.config.encoder_digest = None  # what it would save now is a whole model
    else:
        attach(model.encoder, adapter)
        restore(model.encoder, change)
    model.eval()  # type: ignore[no-untyped-call]
    return model


def _encoder(folder: Path, name: str | None, given: str | PathLike[str] | None) -> Any:
    import torch
    from transformers import AutoModel

    source = name if given is None else fspath(given)
    if not source or (given is not None and not Path(source).is_dir() and not _HUB_ID.fullmatch(source)):
        raise ModelError(f"there is no folder {source}: give the encoder of {folder}, {name}, encoder=FOLDER")
    try:
        encoder: Any = AutoModel.from_pretrained(source, dtype=torch.float32, use_safetensors=True)
    except Exception as error:  # any of the client's, the network's and the file system's errors ends here
        whence = f"the Hub did not give it ({first_line(error)})" if given is None else f"{source} does not hold it ({first_line(error)})"
        raise ModelError(f"{folder} is an adapter over {name}, and {whence}: give that encoder's folder, encoder=FOLDER") from error
    if hasattr(encoder, "pooler"):
        encoder.pooler = None
    return encoder


def _fit(folder: Path, wrong: set[str]) -> None:
    if wrong:
        some = sorted(wrong)
        raise ModelError(f"{folder}: the weights do not fit config.json: {', '.join(some[:3])}{' …' if len(some) > 3 else ''}")


def _folder(name: str) -> Path:
    folder = Path(name)
    if folder.is_dir():
        return folder
    if re.fullmatch(r"\w+", name) and (WEIGHTS / name).is_dir() and not folder.exists():
        return WEIGHTS / name
    if folder.exists():
        raise ModelError(f"{name} is a file: give the folder that holds the model")
    id, _, revision = name.partition("@")
    if not _HUB_ID.fullmatch(id):
        raise ModelError(f"there is no folder {name}")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(id, revision=revision or None, allow_patterns=FILES))
    except Exception as error:  # any of the client's, the network's and the file system's errors ends here
        raise ModelError(f"there is no folder {name}, and the Hub gave no model of that name: {first_line(error)}") from error


def _checked_config(folder: Path) -> dict[str, Any]:
    missing = [name for name in SAVED if not (folder / name).is_file()]
    if missing == SAVED:
        raise ModelError(f"{folder} holds no model")
    if missing:
        raise ModelError(f"{folder} is incomplete, it lacks {', '.join(missing)}")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{folder / 'config.json'} is no JSON: {first_line(error)}") from error
    kind = config.get("model_type") if isinstance(config, dict) else None
    if kind != "conflict_nlp":
        raise ModelError(f"{folder} holds a model of type {kind!r}, not 'conflict_nlp': train one over it with training/train.py --encoder")
    try:
        Schema.from_dict(config.get("schema") or {})
    except SchemaError as error:
        raise ModelError(f"{folder / 'config.json'}: {error}") from error
    return dict(config)


def first_line(error: BaseException) -> str:
    """An exception for a person: the first line of what it says, else its name."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
