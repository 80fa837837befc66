"""Inputs and runs for the tests of batch jobs."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

from conftest import REPORT

_random = random.Random(5)
TEXTS = [" ".join(_random.sample(REPORT.split(), _random.randint(3, 30))) for _ in range(60)]


def write_jsonl(path: Path, rows: list[Any]) -> Path:
    """A file with a line for each row; bytes are written as they are."""
    path.write_bytes(b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in rows))
    return path


def reports(count: int = len(TEXTS)) -> list[dict[str, Any]]:
    return [{"id": f"r{i}", "text": TEXTS[i % len(TEXTS)], "source": "wire", "year": 2000 + i} for i in range(count)]


def batch(model: Path, *arguments: object) -> int | str:
    """The exit code of the command, in this process, or the line with which it fails."""
    from conflict_nlp.cli import app

    one = [] if "--engine" in arguments else ["--workers", "1"]  # what a test patches holds in this process alone, and parts come in order
    try:
        return app(["batch", *one, *map(str, arguments), "--model", str(model), "--device", "cpu", "--threads", "1"], standalone_mode=False) or 0
    except (ValueError, OSError) as error:
        return str(error)


def start(model: Path, *arguments: object) -> subprocess.Popen[bytes]:
    """The command in a process of its own."""
    command = [sys.executable, "-c", "from conflict_nlp.cli import main; main()", "batch", *map(str, arguments), "--model", str(model), "--device", "cpu"]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return subprocess.Popen([*command, "--threads", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)


def documents(folder: Path) -> list[dict[str, Any]]:
    """The rows of the parts, read as anyone would."""
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pq.read_table(folder).to_pylist()
    return rows


def errors(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "_errors.jsonl").read_text().splitlines()]
