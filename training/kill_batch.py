"""Kill a batch job at random moments, go on each time, and compare with a run that was left alone.

python training/kill_batch.py [MODEL] --documents 5000 --kills 20

Prints a JSON object: the kills that hit the running job, the documents of both runs, and whether ids, rows and errors are equal. Exits with 1 if not.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    model: Annotated[str | None, typer.Argument(help="A model's folder, instead of the embedded model.")] = None,
    documents: Annotated[int, typer.Option(help="Documents of the job.")] = 5000,
    kills: Annotated[int, typer.Option(help="How often the job is killed.")] = 20,
    sentences: Annotated[int, typer.Option(help="Sentences a document.")] = 2,
    workers: Annotated[int, typer.Option(help="Worker processes.")] = 1,
    part_rows: Annotated[int, typer.Option(help="Rows a part.")] = 50,
    seed: Annotated[int, typer.Option(help="Of the documents and the moments.")] = 0,
) -> None:
    """Kill, resume, compare."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_input(folder / "in.jsonl", documents, sentences, rng)
        options = ["--device", "cpu", "--workers", str(workers), "--part-rows", str(part_rows), *(["--model", model] if model else [])]
        command = [sys.executable, "-c", "from conflict_nlp.cli import main; main()", "batch", str(folder / "in.jsonl"), *options, "--output"]
        started = time.perf_counter()
        subprocess.run([*command, str(folder / "whole")], capture_output=True, check=False)
        seconds = time.perf_counter() - started
        hits = _killed(command, folder / "killed", kills, seconds, rng)
        last = subprocess.run([*command, str(folder / "killed")], capture_output=True, check=False)
        result: dict[str, Any] = {"documents": documents, "kills": hits, "undisturbed_seconds": round(seconds, 1), "exit_code": last.returncode}
        result |= _compared(folder / "whole", folder / "killed")
    print(json.dumps(result, indent=1))
    raise typer.Exit(0 if result["equal"] else 1)


def _write_input(path: Path, documents: int, sentences: int, rng: random.Random) -> None:
    """Reports of sentences of the one in the package; one row in a hundred is bad."""
    report = (resources.files("conflict_nlp") / "example.txt").read_text(encoding="utf-8")
    pool = [s.strip() for s in report.replace("\n", " ").split(". ") if s.strip()]
    with path.open("w", encoding="utf-8") as file:
        for i in range(documents):
            text = ". ".join(rng.choices(pool, k=sentences)) + "."
            file.write(json.dumps({"id": f"d{i}", "text": None if i % 100 == 50 else text, "number": i}) + "\n")


def _killed(command: list[str], folder: Path, kills: int, seconds: float, rng: random.Random) -> int:
    """Start the job and kill it, so often; at moments that leave some work for each. How often it was running when the signal came.

    The moments are counted from its first part on, since loading takes as long as much of the work of a small job; a fifth of them lie before that.
    """
    hits = 0
    for number in range(kills):
        before = len(list(folder.glob("part-*")))
        process = subprocess.Popen([*command, str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if number % 5:
            while process.poll() is None and len(list(folder.glob("part-*"))) <= before:
                time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.7 * seconds / kills))
        hits += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    return hits


def _compared(whole: Path, killed: Path) -> dict[str, Any]:
    import pyarrow.parquet as pq

    tables = [pq.read_table(folder) for folder in (whole, killed)]
    errors = [(folder / "_errors.jsonl").read_bytes() for folder in (whole, killed)]
    ids = tables[1]["id"].to_pylist()
    left = [path.name for path in killed.iterdir() if path.name.endswith(".part")]
    found = {"labelled": len(ids), "labelled_undisturbed": tables[0].num_rows, "errors": errors[1].count(b"\n"), "each_once": len(set(ids)) == len(ids)}
    found |= {"rows_equal": tables[0].equals(tables[1]), "errors_equal": errors[0] == errors[1], "left_over": left}
    found["equal"] = found["each_once"] and found["rows_equal"] and found["errors_equal"] and not left
    return found


if __name__ == "__main__":
    app()
