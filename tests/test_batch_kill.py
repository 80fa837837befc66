"""Jobs in processes of their own: killed, interrupted, with workers."""

import json
import os
import signal
import subprocess
import time

import pytest
from batch_cases import batch, documents, errors, reports, start, write_jsonl


@pytest.fixture(scope="module")
def job(model_folder, tmp_path_factory):
    """An input with two bad rows and the output of an undisturbed run."""
    folder = tmp_path_factory.mktemp("job")
    path = write_jsonl(folder / "in.jsonl", [*reports(240), {"id": "r3", "text": "again"}, b"\xff"])
    assert batch(model_folder, path, "--output", folder / "out", "--part-rows", 20) == 1
    return path, folder / "out"


def wait_for_parts(process: subprocess.Popen, folder, number: int) -> None:
    while process.poll() is None and len(list(folder.glob("part-*"))) < number:
        time.sleep(0.005)


def test_killed_and_resumed_it_gives_what_an_undisturbed_run_gives(job, model_folder, tmp_path):
    path, out = job
    killed = 0
    for parts in (2, 9):
        process = start(model_folder, path, "--output", tmp_path / "out", "--part-rows", 20)
        wait_for_parts(process, tmp_path / "out", parts)
        killed += process.poll() is None
        process.kill()
        process.communicate()
    assert killed == 2
    assert batch(model_folder, path, "--output", tmp_path / "out", "--part-rows", 20) == 1
    assert documents(tmp_path / "out") == documents(out)
    assert errors(tmp_path / "out") == errors(out)


def test_a_signal_ends_it_behind_what_is_in_hand(job, model_folder, tmp_path):
    path, out = job
    process = start(model_folder, path, "--output", tmp_path / "out", "--part-rows", 20)
    wait_for_parts(process, tmp_path / "out", 1)
    process.send_signal(signal.SIGTERM)
    _, message = process.communicate()
    assert process.returncode == 130
    assert b"the same command goes on from there" in message
    about = json.loads((tmp_path / "out" / "_manifest.json").read_text())
    assert about["status"] == "interrupted"
    assert about["counts"]["documents"] == len(documents(tmp_path / "out")) < 240
    assert batch(model_folder, path, "--output", tmp_path / "out", "--part-rows", 20) == 1
    assert documents(tmp_path / "out") == documents(out)


def test_workers_end_with_the_job_and_one_that_is_killed_ends_it_in_one_line(job, model_folder, tmp_path):
    import psutil

    path, out = job
    command = (path, "--output", tmp_path / "out", "--part-rows", 20)
    process = start(model_folder, *command, "--workers", 2)
    wait_for_parts(process, tmp_path / "out", 3)
    worker = next(c for c in psutil.Process(process.pid).children() if "spawn_main" in " ".join(c.cmdline()))
    os.kill(worker.pid, signal.SIGKILL)
    _, message = process.communicate()
    assert process.returncode == 2
    assert message.decode().splitlines()[-1].startswith("conflict-nlp: a worker process ended (killed, ")
    done = len(list((tmp_path / "out").glob("part-*")))
    process = start(model_folder, *command, "--workers", 2)
    wait_for_parts(process, tmp_path / "out", done + 2)
    workers = psutil.Process(process.pid).children(recursive=True)
    assert len(workers) >= 2
    process.kill()
    process.communicate()
    assert not psutil.wait_procs(workers, timeout=60)[1]
    assert batch(model_folder, *command) == 1
    assert documents(tmp_path / "out") == documents(out)
