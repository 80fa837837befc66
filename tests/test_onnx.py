"""ONNX Runtime in the place of torch: the same documents, files made once, and one line where it cannot serve."""

import json
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from conftest import REPORT
from test_extractor import TEXTS, key
from typer.testing import CliRunner

from conflict_nlp import ModelError, load
from conflict_nlp.batch import Labeller
from conflict_nlp.cli import app
from conflict_nlp.formats.jsonl import json_lines
from conflict_nlp.onnx import processor
from conflict_nlp.onnx.files import graphs

DEV = Path(__file__).parents[1] / "training" / "corpus" / "dev.jsonl"

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_ASSETS_CACHE", str(tmp_path / "assets"))
    monkeypatch.setattr("huggingface_hub.utils._cache_assets.HF_ASSETS_CACHE", str(tmp_path / "assets"))
    return tmp_path / "assets"


def scores(documents):
    return np.array([scored.score for document in documents for scored in (*document.spans, *document.links)])


@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_both_runtimes_find_the_same(model_folder, batch_size):
    torch, onnx = (load(model_folder, device="cpu", runtime=runtime) for runtime in ("torch", "onnx"))
    texts = [*TEXTS, "", REPORT * 30]
    expected, found = (list(nlp.pipe(texts, batch_size=batch_size)) for nlp in (torch, onnx))
    assert sum(len(document.spans) for document in expected) > 10
    assert [key(document) for document in found] == [key(document) for document in expected]
    assert np.abs(scores(found) - scores(expected)).max() < 1e-3
    assert onnx.device.type == "cpu"
    assert onnx.schema == torch.schema


def test_files_are_made_once_and_anew_for_another_configuration(model_folder, cache, tmp_path):
    load(model_folder, runtime="onnx")
    made = {file: file.stat().st_mtime_ns for file in cache.rglob("*.onnx")}
    load(model_folder, runtime="onnx")
    assert made == {file: file.stat().st_mtime_ns for file in cache.rglob("*.onnx")}
    assert len(made) == 2
    other = tmp_path / "other"
    other.mkdir()
    for file in model_folder.iterdir():
        if file.is_file():
            (other / file.name).write_bytes(file.read_bytes())
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"thresholds": {"span": 0.4}}))
    assert not set(graphs(other, quantised=False)) & set(made)


def test_several_may_start_at_once(model_folder, cache):
    with ThreadPoolExecutor(2) as pool:
        files = set(pool.map(lambda _: graphs(model_folder, quantised=False), range(2)))
    assert len(files) == 1
    assert sorted(path.name for path in cache.rglob("*") if path.is_file()) == ["clusters.onnx", "model.onnx"]
    assert load(model_folder, runtime="onnx")(REPORT).text == REPORT


def test_8_bit_integers_change_scores_a_little(model_folder, cache):
    whole, small = load(model_folder, runtime="onnx"), load(model_folder, runtime="onnx", quantised=True)
    difference = np.abs(first_score(whole) - first_score(small))
    assert 0 < difference.max() < 0.2
    quantised = f"model_{'uint8' if processor.saturates() else 'int8'}.onnx"
    assert sorted(path.name for path in cache.rglob("*.onnx")) == ["clusters.onnx", "model.onnx", quantised]


@pytest.mark.parametrize(
    ("machine", "flags", "kind"),
    [("x86_64", "fma avx2", "UINT8"), ("x86_64", "avx512f avx512_vnni", "INT8"), ("x86_64", "avx2 avx_vnni", "INT8"), ("aarch64", "", "INT8")],
)
def test_weights_are_unsigned_where_sums_of_signed_products_may_not_fit(model_folder, cache, tmp_path, monkeypatch, machine, flags, kind):
    import onnx

    (tmp_path / "cpuinfo").write_text(f"flags : {flags}\n")
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "cpuinfo")
    file, _ = graphs(model_folder, quantised=True)
    assert file.name == f"model_{kind.lower()}.onnx"
    weights = [tensor for tensor in onnx.load(file).graph.initializer if tensor.name.endswith("_quantized")]
    assert {onnx.TensorProto.DataType.Name(tensor.data_type) for tensor in weights} == {kind}


def test_in_8_bit_integers_other_texts_change_nothing(model_folder):
    nlp = load(model_folder, runtime="onnx", quantised=True)
    texts = [*TEXTS, REPORT * 30]
    alone = [nlp(text) for text in texts]
    assert list(nlp.pipe(texts * 3)) == alone * 3
    assert list(nlp.pipe(reversed(texts), batch_size=4)) == alone[::-1]


def test_by_default_8_bit_integers_compute_where_they_can(model_folder, cache):
    assert load(model_folder).model.quantised
    assert not load(model_folder, quantised=False).model.quantised
    assert [hasattr(load(model_folder, **other).model, "encoder") for other in ({"half": True}, {"runtime": "torch"})] == [True, True]


def test_by_default_a_cache_that_cannot_be_written_leaves_torch(model_folder, cache):
    cache.write_text("a file")
    assert load(model_folder)(REPORT).text == REPORT
    with pytest.raises(ModelError, match="HF_ASSETS_CACHE"):
        load(model_folder, quantised=True)


def test_the_embedded_model_in_8_bit_integers_finds_nearly_the_same():
    texts = [data["text"] for _, data, _ in json_lines(DEV)][:30]
    full, small = ({(n, s.label, s.start, s.end) for n, d in enumerate(load(runtime="onnx", quantised=q).pipe(texts)) for s in d.spans} for q in (False, True))
    assert len(full) > 100
    assert 2 * len(full & small) > 0.93 * (len(full) + len(small))


def first_score(nlp):
    ((_, readings),) = nlp.read([REPORT])
    return readings[0].scores[:1]


def test_an_extractor_goes_to_another_process(model_folder):
    nlp = load(model_folder, runtime="onnx")
    assert key(pickle.loads(pickle.dumps(nlp))(REPORT)) == key(nlp(REPORT))


def test_once_the_files_are_there_torch_is_not_needed(model_folder, cache):
    graphs(model_folder, quantised=True)
    use = "conflict_nlp.load(sys.argv[1], runtime='auto', device='cpu')('Gunmen shot two officers.')"
    script = f"import sys, conflict_nlp; {use}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script, str(model_folder)], check=True, env={**os.environ, "HF_ASSETS_CACHE": str(cache)})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"runtime": "tensorrt"}, "none of auto, torch, onnx"),
        ({"runtime": "onnx", "device": "cuda"}, "computes on the CPU, not on cuda"),
        ({"runtime": "onnx", "half": True}, "no half precision"),
        ({"runtime": "torch", "quantised": True}, "use runtime 'onnx'"),
        ({"half": True, "quantised": True}, "use runtime 'onnx'"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(model_folder, options, message):
    with pytest.raises(ModelError, match=message) as error:
        load(model_folder, **options)
    assert "\n" not in str(error.value)


def test_a_cache_that_cannot_be_written_is_named(model_folder, cache):
    cache.write_text("a file")
    with pytest.raises(ModelError, match="HF_ASSETS_CACHE"):
        load(model_folder, runtime="onnx")


def test_without_onnxruntime_auto_is_torch_and_onnx_says_what_to_install(model_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setattr("conflict_nlp.onnx.choice.find_spec", lambda name: None)
    assert load(model_folder, runtime="auto", device="cpu").model.device.type == "cpu"
    with pytest.raises(ModelError, match=r"conflict-nlp\[onnx\]"):
        load(model_folder, runtime="onnx")


def test_batch_jobs_take_a_runtime(model_folder):
    labeller = Labeller(str(model_folder), device="cpu", runtime="auto")
    assert labeller.extractor.model.quantised
    spans = labeller({"text": [REPORT]})["spans"][0]
    assert [(s["label"], s["start"]) for s in spans] == [(s.label, s.start) for s in load(model_folder)(REPORT).spans]
    assert not hasattr(Labeller(str(model_folder), device="cpu").extractor.model, "quantised")


def test_the_command_takes_a_runtime(model_folder):
    for runtime in ("torch", "onnx"):
        result = CliRunner().invoke(app, ["extract", "--example", "--model", str(model_folder), "--runtime", runtime, "--device", "cpu", "--format", "jsonl"])
        assert result.exit_code == 0, result.output
