"""The mean of the weights of models of one make."""

import json
import shutil

import pytest
import soup
import torch
from conftest import REPORT
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from conflict_nlp import load


def mixed(*folders):
    return CliRunner().invoke(APP, [str(folder) for folder in folders])


@pytest.fixture(scope="module", autouse=True)
def _app():
    global APP
    import typer

    APP = typer.Typer()
    APP.command()(soup.main)


@pytest.fixture
def other(model_folder, tmp_path):
    """The same model with other weights and thresholds."""
    folder = shutil.copytree(model_folder, tmp_path / "other")
    state = load_file(folder / "model.safetensors")
    save_file({name: tensor + torch.ones_like(tensor) for name, tensor in state.items()}, folder / "model.safetensors", metadata={"format": "pt"})
    change(folder, thresholds={"span": 0.9})
    return folder


def change(folder, **fields):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | fields))


def test_each_weight_is_the_mean_and_the_model_labels(model_folder, other, tmp_path):
    result = mixed(model_folder, model_folder, other, tmp_path / "mean")  # what is named twice counts twice
    assert result.exit_code == 0, result.output
    first, mean = (load_file(folder / "model.safetensors") for folder in (model_folder, tmp_path / "mean"))
    assert first.keys() == mean.keys()
    for name, tensor in first.items():
        assert mean[name].dtype == tensor.dtype
        torch.testing.assert_close(mean[name], (tensor.double() + 1 / 3).to(tensor.dtype))
    assert load(tmp_path / "mean").thresholds == load(model_folder).thresholds
    assert load(tmp_path / "mean")(REPORT).text == REPORT
    assert not (tmp_path / "mean.partial").exists()


def test_what_cannot_be_mixed_is_refused_in_one_line(model_folder, other, tmp_path):
    change(other, window=32)
    for folders, words in [
        ((model_folder, other, tmp_path / "mean"), "is of another make"),
        ((model_folder, tmp_path / "mean"), "two models or more"),
        ((model_folder, model_folder, other), "is there already"),
        ((model_folder, tmp_path / "none", tmp_path / "mean"), "none"),
    ]:
        result = mixed(*folders)
        assert result.exit_code == 2
        assert words in result.output
        assert result.output.count("\n") == 1
        assert not (tmp_path / "mean").exists()
