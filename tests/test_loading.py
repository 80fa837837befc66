import json
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from conftest import REPORT
from huggingface_hub.errors import RepositoryNotFoundError

from conflict_nlp import ModelError, load
from conflict_nlp.loading import locate, resolve_device
from conflict_nlp.schema import SCHEMA_VERSION


@pytest.fixture
def copy(model_folder, tmp_path):
    return shutil.copytree(model_folder, tmp_path / "model")


def edit(folder, **changes):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config.update(changes)
    path.write_text(json.dumps(config))


def refused(folder, words):
    with pytest.raises(ModelError, match=words) as error:
        load(folder)
    assert "\n" not in str(error.value)


def test_missing_and_empty_folders(tmp_path):
    refused(tmp_path / "none", "no folder")
    refused(tmp_path, "holds no model")
    (tmp_path / "file").write_text("x")
    refused(tmp_path / "file", "is a file")


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
def test_incomplete_folders(copy, name):
    (copy / name).unlink()
    refused(copy, f"lacks {name}")


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_truncated_files(copy, name, share):
    data = (copy / name).read_bytes()
    (copy / name).write_bytes(data[: int(len(data) * share)])
    refused(copy, "model")


def test_another_architecture(encoder_folder):
    refused(encoder_folder, "type 'bert', not 'conflict_nlp'")


def test_a_newer_schema(copy):
    schema = json.loads((copy / "config.json").read_text())["schema"]
    edit(copy, schema={**schema, "version": SCHEMA_VERSION + 1})
    refused(copy, "update conflict-nlp")


def test_weights_of_another_size(copy, capfd):
    edit(copy, pair_size=8)
    capfd.readouterr()
    refused(copy, "do not fit config.json")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("field", "value"),
    [("thresholds", {"newer": 0.5}), ("thresholds", {"span": "high"}), ("schema", "abc"), ("window", "x"), ("window", 3200), ("window", 20), ("overlap", 64)],
)
def test_unusable_configurations(copy, field, value):
    edit(copy, **{field: value})
    refused(copy, str(copy))


def test_weights_without_a_layer_that_the_configuration_has(copy):
    edit(copy, span_layers=2)
    refused(copy, "do not fit config.json")


def test_nothing_is_unpickled(copy):
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    refused(copy, "lacks model.safetensors")


def test_a_hub_id_is_downloaded_and_loaded(monkeypatch, model_folder, tiny):
    asked = []

    def snapshot_download(name, revision, allow_patterns):
        asked.append((name, allow_patterns, revision))
        return str(model_folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    nlp = load("group/conflict-small", device="cpu", thresholds={"span": 0.45, "link": 0.45, "only_link": 0.2})
    assert asked[0][0] == "group/conflict-small"
    assert "model.safetensors" in asked[0][1]
    assert not any(p.endswith((".bin", ".py", "*")) for p in asked[0][1])
    assert nlp(REPORT) == tiny(REPORT)
    locate("group/conflict-small@v1.0")
    assert [(name, revision) for name, _, revision in asked] == [("group/conflict-small", None), ("group/conflict-small", "v1.0")]


def test_a_hub_that_does_not_answer_is_one_line(monkeypatch):
    response = SimpleNamespace(headers={}, request=None)

    def snapshot_download(name, revision, allow_patterns):
        raise RepositoryNotFoundError("404 Client Error\nmore", response=response)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    refused("group/none", "the Hub gave no model of that name: 404")


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "CPU", ""])
def test_devices_that_are_not_there(device):
    with pytest.raises(ModelError, match="device"):
        resolve_device(device)


def test_auto_takes_a_gpu_where_there_is_one(monkeypatch):
    assert resolve_device("cpu") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto").type == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert resolve_device("auto").type == "mps"
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("cuda:1") == torch.device("cuda:1")


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, conflict_nlp; print([m for m in ('torch', 'transformers', 'datasets', 'evaluate', 'scipy', 'matplotlib') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
