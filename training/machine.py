"""Figures with what they were measured on: the machine, without its name, and the versions."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from conflict_nlp import __version__
from conflict_nlp.cores import cores
from conflict_nlp.formats.files import replacing


def report(figures: Mapping[str, Any], packages: Iterable[str], to: Path | None) -> None:
    """Print figures with machine and versions, and store them if there is a file ``to``."""
    text = json.dumps({**figures, "machine": machine(), "versions": {"conflict-nlp": __version__, **versions(packages)}}, indent=1)
    print(text)
    if to is not None:
        with replacing(to) as file:
            file.write(text.encode() + b"\n")


def machine() -> dict[str, Any]:
    """Processor, cores that this process may use, memory in GB, system and Python."""
    return {
        "processor": _processor(),
        "cores": len(cores()),
        "memory_gigabytes": round(psutil.virtual_memory().total / 1e9, 1),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def versions(packages: Iterable[str]) -> dict[str, str]:
    """The versions of those packages that are installed."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8", errors="replace").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
