import importlib.util
import json
import os
import shutil
import socket
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from conftest import REPORT
from typer.testing import CliRunner

from conflict_nlp.batch import Labeller
from conflict_nlp.batch.engine import Chunk
from conflict_nlp.batch.errors import BatchError
from conflict_nlp.batch.ray_engine import RayEngine, connect
from conflict_nlp.batch.ray_worker import Actor, Actors, Build, packed, unpacked

WITH_RAY = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")
SENTENCES = REPORT.split(". ")
BAD = ['{"id": "n", "text": null}', '{"id": "7", "text": "an id that was there"}', "{"]


@pytest.fixture(scope="module")
def cluster():
    """Ray on this machine, with two workers."""
    os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_worker_niceness="0")  # else the workers give way to all else, for minutes on a busy machine
    import ray

    ray.init(address="local", num_cpus=2, include_dashboard=False, object_store_memory=80 * 2**20, log_to_driver=False, logging_level="ERROR")
    yield ray
    ray.shutdown()


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    lines = [json.dumps({"id": str(i), "text": " ".join(SENTENCES[: i % 3 + 1]), "day": i}) for i in range(30)]
    lines[11:11] = BAD
    path = tmp_path_factory.mktemp("input") / "reports.jsonl"
    path.write_text("\n".join(lines))
    return path


def run(reports, output, model, *more):
    from conflict_nlp.cli import app

    command = ["batch", str(reports), "--output", str(output), "--model", str(model), "--device", "cpu", "--threads", "1", "--part-rows", "4", *more]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1, result.output  # done, with errors
    return {path.name: path.stat().st_mtime_ns for path in Path(output).glob("part-*.parquet")}


def rows(output):
    import pyarrow.parquet as pq

    return [pq.read_table(path).to_pylist() for path in sorted(Path(output).glob("part-*.parquet"))]


@WITH_RAY
@pytest.mark.usefixtures("cluster")
def test_a_job_goes_on_with_the_parts_and_errors_that_the_local_engine_gives(reports, model_folder, tmp_path):
    written = run(reports, tmp_path / "local", model_folder)
    shutil.copytree(tmp_path / "local", tmp_path / "ray")
    missing = sorted(written)[1:]
    for name in [*missing, "_errors.jsonl"]:
        (tmp_path / "ray" / name).unlink()
    again = run(reports, tmp_path / "ray", model_folder, "--engine", "ray", "--workers", "2")

    assert rows(tmp_path / "ray") == rows(tmp_path / "local")
    assert sum(len(row["spans"]) for part in rows(tmp_path / "ray") for row in part) > 10
    errors = (tmp_path / "ray" / "_errors.jsonl").read_text()
    assert len(errors.splitlines()) == len(BAD)
    assert errors == (tmp_path / "local" / "_errors.jsonl").read_text()
    assert sorted(name for name in written if written[name] != again[name]) == missing
    assert json.loads((tmp_path / "ray" / "_manifest.json").read_text())["sessions"][-1]["engine"] == "ray"


def test_a_node_with_another_version_or_model_labels_nothing(model_folder):
    labeller = Labeller(str(model_folder), device="cpu")
    chunk = Chunk(0, pa.table({"id": ["a"], "text": [REPORT]}), (), 1, "", 0.0)
    there = Build.of(labeller)
    for expected, reason in (
        (there, None),
        (replace(there, version="0.0.1"), f"it has conflict-nlp {there.version}, the job 0.0.1: install the same on every node"),
        (replace(there, model_hash="0"), "its model is another than the job's, by the hash of its files: put the same on every node"),
    ):
        (answer,) = Actor(labeller, Actors(1, 1, gpu=False), expected)(packed(chunk))
        (found,) = unpacked(answer)
        assert getattr(found, "reason", None) == reason


@WITH_RAY
def test_more_workers_than_the_cluster_carries(cluster, model_folder):
    with pytest.raises(BatchError, match="room for 2 CPUs, not 3"):
        RayEngine(Labeller(str(model_folder), device="cpu"), workers=3)
    with pytest.raises(BatchError, match="has no GPU, and the device is cuda"):
        RayEngine(Labeller(str(model_folder), device="cuda"))
    assert cluster.is_initialized()  # it was running before, and is left running


@WITH_RAY
def test_a_cluster_that_is_not_there_is_named_at_once():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, but nobody listens
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(BatchError, match=f"^the Ray cluster {address} cannot be reached: .*RAY_ADDRESS$"):
            connect(address)


def test_without_ray_the_mend_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BatchError, match=r'pip install "conflict-nlp\[ray\]"'):
        RayEngine(Labeller())
