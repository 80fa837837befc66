"""A model part of the way back to its bare encoder."""

import json

import pytest
import shrink
import torch
import typer
from safetensors.torch import load_file
from transformers import AutoModel
from typer.testing import CliRunner

from conflict_nlp import load
from conflict_nlp.adapters import Adapter, kept
from conflict_nlp.modeling import ConflictModel
from conflict_nlp.schema import CONFLICT

PREFIX = "encoder."


@pytest.fixture(scope="module")
def model(encoder_folder, model_folder, tmp_path_factory):
    """A model over the encoder whose weights are all another's plus a tenth."""
    folder = tmp_path_factory.mktemp("grown") / "model"
    torch.manual_seed(1)
    network = ConflictModel.from_encoder(str(encoder_folder), CONFLICT, span_size=32, pair_size=16)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1)
    network.save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes((model_folder / "tokenizer.json").read_bytes())
    return folder


def shrunk(model, output, encoder, *options):
    app = typer.Typer()
    app.command()(shrink.main)
    return CliRunner().invoke(app, [str(model), str(output), "--encoder", str(encoder), *options])


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_each_weight_is_on_the_way_from_the_bare_encoder(model, encoder_folder, tmp_path, share):
    result = shrunk(model, tmp_path / "shrunk", encoder_folder, "--share", str(share))
    assert result.exit_code == 0, result.output
    own, found = load_file(model / "model.safetensors"), load_file(tmp_path / "shrunk" / "model.safetensors")
    assert own.keys() == found.keys()
    bare = AutoModel.from_pretrained(encoder_folder).state_dict()
    for name, weight in own.items():
        if name.startswith(PREFIX):
            torch.testing.assert_close(found[name], bare[name.removeprefix(PREFIX)] + share * 0.1)
        elif share == 1:
            torch.testing.assert_close(found[name], weight)
    assert json.loads((tmp_path / "shrunk" / "config.json").read_text()) == json.loads((model / "config.json").read_text())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shrunk"]


def test_heads_are_those_of_the_seed(model, encoder_folder, tmp_path):
    for name, seed in [("a", "3"), ("b", "3"), ("c", "4")]:
        shrunk(model, tmp_path / name, encoder_folder, "--share", "0", "--seed", seed)
    a, b, c = (load_file(tmp_path / name / "model.safetensors")["tagger.weight"] for name in "abc")
    torch.testing.assert_close(a, b)
    assert not torch.allclose(a, c)


def test_an_adapter_goes_back_to_a_new_one(encoder_folder, model_folder, tmp_path):
    adapter = Adapter(rank=2, layers=1).to_dict()
    network = ConflictModel.from_encoder(str(encoder_folder), CONFLICT, span_size=32, pair_size=16, adapter=adapter)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1)
    own = kept(network)
    network.save_pretrained(tmp_path / "adapted", state_dict=dict(own))  # it empties what it is given
    (tmp_path / "adapted" / "tokenizer.json").write_bytes((model_folder / "tokenizer.json").read_bytes())
    result = shrunk(tmp_path / "adapted", tmp_path / "shrunk", encoder_folder, "--share", "0.25")
    assert result.exit_code == 0, result.output
    found = load_file(tmp_path / "shrunk" / "model.safetensors")
    assert found.keys() == own.keys()
    second = [name for name in own if "lora_B" in name]
    assert second
    for name in second:  # a new adapter changes nothing: its second factor is zero
        torch.testing.assert_close(found[name], 0.25 * own[name])
    assert load(tmp_path / "shrunk", encoder=str(encoder_folder))("Two soldiers were killed.").text


def test_what_cannot_be_shrunk_is_refused_in_one_line(model, encoder_folder, other_encoder, tmp_path):
    (tmp_path / "there").mkdir()
    for encoder, output, words in [
        (other_encoder, "out", "is not the encoder of"),
        (tmp_path / "none", "out", "none"),
        (encoder_folder, "there", "is there already"),
    ]:
        result = shrunk(model, tmp_path / output, encoder)
        assert result.exit_code == 2, result.output
        *_, told = result.output.splitlines()  # before it is how far the weights are loaded
        assert told.startswith("error: ")
        assert words in told
        assert not (tmp_path / "out").exists()


@pytest.fixture
def other_encoder(encoder_folder, tmp_path):
    """The encoder, half as wide between its layers."""
    encoder = AutoModel.from_pretrained(encoder_folder)
    encoder.config.intermediate_size //= 2
    type(encoder)(encoder.config).save_pretrained(tmp_path / "other")
    return tmp_path / "other"
