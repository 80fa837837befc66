"""``_manifest.json``: what a job is, by which it is known again, and how far it came."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from conflict_nlp import __version__
from conflict_nlp.batch.errors import BatchError
from conflict_nlp.batch.parts import sync
from conflict_nlp.batch.sources import Fingerprint
from conflict_nlp.formats.files import replacing

FORMAT = 1
NAME = "_manifest.json"

Status = Literal["running", "interrupted", "failed", "done"]


@dataclass(frozen=True)
class Identity:
    """What makes the output: a job with another one in the same folder is refused.

    ``model_hash`` is of the files of the model, ``schema`` its labels, ``settings`` the options that change the result, ``inputs`` the fingerprints.
    """

    model_hash: str
    schema: Mapping[str, Any]
    settings: Mapping[str, Any]
    inputs: tuple[Fingerprint, ...]

    def differences(self, other: Identity) -> list[str]:
        """What tells this job, the earlier, from another."""
        found = []
        if self.model_hash != other.model_hash:
            found.append(f"the model has hash {other.model_hash[:12]}, it was {self.model_hash[:12]}")
        for name in dict.fromkeys([*self.settings, *other.settings]):
            if self.settings.get(name) != other.settings.get(name):
                found.append(f"{name} is {other.settings.get(name)!r}, it was {self.settings.get(name)!r}")
        mine, others = {f.name: f for f in self.inputs}, {f.name: f for f in other.inputs}
        found += [f"input {name} is new" for name in others if name not in mine]
        found += [f"input {name} is not named any more" for name in mine if name not in others]
        changed = [name for name in mine if name in others and mine[name] != others[name]]
        found += [f"input {name} changed ({mine[name].bytes:,} bytes, now {others[name].bytes:,})" for name in changed]
        if not found and list(mine) != list(others):
            found.append("the inputs are named in another order")
        return found


@dataclass(frozen=True)
class Session:
    """One run of a job: when, for how long, on what, and what it got done."""

    started: str
    seconds: float
    documents: int
    tokens: int
    device: str
    workers: int
    engine: str
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Counts:
    """How far a job is: parts written, rows read, documents in the parts, rows that gave none, tokens that the model read."""

    parts: int = 0
    rows: int = 0
    documents: int = 0
    errors: int = 0
    tokens: int = 0


@dataclass(frozen=True)
class Manifest:
    """The manifest; ``model`` and ``given`` are as the command named them, ``seconds`` of all sessions together."""

    status: Status
    model: str
    given: tuple[str, ...]
    identity: Identity
    columns: Mapping[str, str]
    counts: Counts = Counts()
    sessions: tuple[Session, ...] = ()
    seconds: float = 0.0
    format: int = FORMAT

    def write(self, folder: Path) -> None:
        """Write it, whole.

        Raises:
            conflict_nlp.formats.FormatError: it cannot be written.
        """
        with replacing(folder / NAME) as file:
            file.write(json.dumps(asdict(self), indent=1, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
            sync(file)

    @classmethod
    def read(cls, folder: Path) -> Manifest | None:
        """The manifest of a folder, if it has one.

        Raises:
            BatchError: it is not one, or a newer version's.
        """
        path = folder / NAME
        if not path.exists():
            return None
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if data["format"] > FORMAT:
                raise BatchError(f"{path}: written by a newer version of conflict-nlp: update it")
            identity = Identity(**{**data["identity"], "inputs": tuple(Fingerprint(**f) for f in data["identity"]["inputs"])})
            sessions = tuple(Session(**session) for session in data["sessions"])
            return cls(**{**data, "identity": identity, "sessions": sessions, "counts": Counts(**data["counts"]), "given": tuple(data["given"])})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise error if isinstance(error, BatchError) else BatchError(f"{path}: cannot be read: {error}: name another folder") from error

    def ended(self, status: Status, counts: Counts, session: Session) -> Manifest:
        """The manifest behind one more session."""
        sessions = (*self.sessions, session)
        return replace(self, status=status, counts=counts, sessions=sessions, seconds=round(sum(s.seconds for s in sessions), 3))


def hash_model(folder: Path, names: tuple[str, ...] = ("config.json", "model.safetensors", "tokenizer.json")) -> str:
    """SHA-256 of the files of a model."""
    digest = sha256()
    for name in names:
        with (folder / name).open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """The versions of what the result depends on."""
    found = {"conflict-nlp": __version__}
    for name in ("torch", "transformers", "tokenizers", "pyarrow"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found
