import json
import os
import shutil
import subprocess
import sys

import pytest
import torch
from conftest import REPORT
from frozen import FrozenLayers
from pyarrow import parquet
from safetensors.torch import load_file, save_file
from test_training import data, run  # noqa: F401  # data is a fixture
from transformers import AutoModel

from conflict_nlp import ModelError, load
from conflict_nlp.adapters import Adapter, attach, kept, layers, merge
from conflict_nlp.attention import fuse
from conflict_nlp.collation import collate
from conflict_nlp.encoding import Windower
from conflict_nlp.loading import load_pretrained
from conflict_nlp.modeling import ConflictModel

MAIN = "from conflict_nlp.cli import main; main()"
ADAPTER = {"rank": 4, "alpha": 8, "dropout": 0.1, "layers": 1}


@pytest.fixture(scope="module")
def configuration(data, tmp_path_factory):  # noqa: F811
    folder = shutil.copytree(data, tmp_path_factory.mktemp("adapter") / "data")
    with (folder / "config.yaml").open("a") as file:
        file.write(f"adapter: {json.dumps(ADAPTER)}\n")
    return folder


@pytest.fixture(scope="module")
def trained(configuration, encoder_folder, tmp_path_factory):
    output = tmp_path_factory.mktemp("adapted")
    result = run(configuration, encoder_folder, output)
    assert result.returncode == 0, result.stderr
    return output


@pytest.fixture
def model(encoder_folder):
    torch.manual_seed(0)
    return ConflictModel.from_encoder(str(encoder_folder), span_size=32, pair_size=16, window=64, overlap=16, adapter=Adapter.from_dict(ADAPTER).to_dict())


def changed(encoder):
    """As if it had been trained: B of LoRA begins at zero."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in encoder.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.2)
    return encoder


def refused(words, *arguments, **named):
    with pytest.raises(ModelError, match=words) as error:
        load(*arguments, device="cpu", **named)
    assert "\n" not in str(error.value)


def test_only_the_top_layer_and_the_heads_learn(model):
    learning = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    of_encoder = {name for name in learning if name.startswith("encoder.")}
    assert all(".layer.1." in name and "lora" in name for name in of_encoder)
    linear = [m for m in dict(layers(AutoModel.from_config(model.encoder.config)))["encoder.layer.1"].modules() if isinstance(m, torch.nn.Linear)]
    assert len(of_encoder) == 2 * len(linear) == 12
    assert {name.split(".")[0] for name in learning - of_encoder} == {"tagger", "spans", "links", "attributes", "clusters"}


def test_layers_below_an_adapter_stay_without_dropout(model):
    model.train()
    below, above = (dict(layers(model.encoder))[f"encoder.layer.{i}"].output.dropout for i in (0, 1))
    assert (below.training, above.training, model.dropout.training) == (False, True, True)


def test_a_merged_adapter_changes_nothing_but_the_cost(model, encoder_folder):
    ids = torch.randint(5, 90, (2, 30))
    before = AutoModel.from_pretrained(encoder_folder).eval()
    plain = before(ids).last_hidden_state
    unmerged = changed(model.eval().encoder)(ids).last_hidden_state
    state = {name.removeprefix("encoder."): tensor for name, tensor in kept(model).items() if name.startswith("encoder.")}
    before.pooler = None
    merged = merge(before, Adapter.from_dict(ADAPTER), state)
    assert torch.allclose(merged(ids).last_hidden_state, unmerged, atol=1e-4)
    assert not torch.allclose(plain, unmerged, atol=1e-2)
    assert not any("lora" in name for name, _ in merged.named_modules())


def test_a_run_saves_adapter_and_heads_alone(trained, encoder_folder):
    state = load_file(trained / "model.safetensors")
    assert {t.dtype for t in state.values()} == {torch.float16}
    assert all("lora" in name for name in state if name.startswith("encoder."))
    assert any(state[name].any() for name in state if "lora_B" in name)
    config = json.loads((trained / "config.json").read_text())
    assert config["adapter"] == {**ADAPTER, "alpha": 8, "targets": []}
    assert config["encoder_name"] == "some/encoder"
    assert str(encoder_folder) not in json.dumps(config)
    checkpoint = next((trained / "checkpoints").glob("epoch-*"))
    names = load_file(checkpoint / "model.safetensors").keys()
    assert not any("embeddings" in name or "base_layer" in name for name in names)


def test_loaded_merged_and_unmerged_say_the_same(trained, encoder_folder):
    nlp = load(trained, encoder=encoder_folder, device="cpu")
    document = nlp(REPORT)
    nlp.model, _ = load_pretrained(trained, encoder_folder, merged=False)
    again = nlp(REPORT)
    assert [(s.label, s.start, s.end) for s in again.spans] == [(s.label, s.start, s.end) for s in document.spans]
    assert [s.score for s in again.spans] == pytest.approx([s.score for s in document.spans], abs=1e-3)


def test_a_loaded_adapter_can_be_saved_as_a_whole_model(trained, encoder_folder, tmp_path):
    nlp = load(trained, encoder=encoder_folder, device="cpu")
    nlp.model.save_pretrained(tmp_path)
    nlp.tokenizer.save_pretrained(tmp_path)
    assert load(tmp_path, device="cpu")(REPORT) == nlp(REPORT)
    refused("its own encoder: leave out encoder=", tmp_path, encoder=encoder_folder)


def test_another_run_goes_on_from_an_adapter(trained, configuration, encoder_folder, tmp_path):
    result = run(configuration, encoder_folder, tmp_path / "on", "--init", trained, "--epochs", "1")
    assert result.returncode == 0, result.stderr
    assert load(tmp_path / "on", encoder=encoder_folder, device="cpu")(REPORT).text == REPORT


def test_an_encoder_of_other_weights_is_refused(trained, encoder_folder, tmp_path):
    other = shutil.copytree(encoder_folder, tmp_path / "other")
    state = load_file(other / "model.safetensors")
    name = next(n for n in state if "layer.0" in n)
    save_file({**state, name: state[name] + 0.01}, other / "model.safetensors", metadata={"format": "pt"})
    refused("is not the encoder that .* was trained over: give the folder of some/encoder", trained, encoder=other)


def test_an_encoder_of_another_shape_is_refused(trained, encoder_folder, tmp_path):
    from transformers import BertConfig, BertModel

    BertModel(BertConfig(vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)).save_pretrained(tmp_path)
    refused("is not the encoder that", trained, encoder=tmp_path)


def test_a_copy_of_the_encoder_in_half_precision_is_accepted(trained, encoder_folder, tmp_path):
    AutoModel.from_pretrained(encoder_folder).half().save_pretrained(tmp_path)
    assert load(trained, encoder=tmp_path, device="cpu")(REPORT).text == REPORT


def test_an_encoder_that_is_not_there_is_refused(trained, tmp_path, monkeypatch):
    refused("there is no folder .*none: give the encoder", trained, encoder=tmp_path / "none")
    refused("does not hold it", trained, encoder=tmp_path)

    def offline(name, **named):
        raise OSError(f"We couldn't connect to the Hub for {name}\nmore")

    monkeypatch.setattr("transformers.AutoModel.from_pretrained", offline)
    refused(r"an adapter over some/encoder, and the Hub did not give it .*give that encoder's folder, encoder=FOLDER", trained)


def test_the_encoder_comes_from_the_hub_if_no_folder_is_given(trained, encoder_folder, monkeypatch):
    ask, asked = AutoModel.from_pretrained, []

    def from_hub(name, **named):
        asked.append(name)
        return ask(encoder_folder, **named)

    monkeypatch.setattr("transformers.AutoModel.from_pretrained", from_hub)
    assert load(trained, device="cpu")(REPORT).text == REPORT
    assert asked == ["some/encoder"]


@pytest.mark.parametrize(("field", "value"), [("rank", 8), ("layers", 2), ("layers", 9), ("ranks", 4), ("targets", ["nothing"])])
def test_an_adapter_that_its_configuration_does_not_describe(trained, encoder_folder, tmp_path, field, value):
    copy = shutil.copytree(trained, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text())
    config["adapter"][field] = value
    (copy / "config.json").write_text(json.dumps(config))
    refused("copy: .*(adapter|linear layers)", copy, encoder=encoder_folder)


def test_names_of_models_in_the_package(tmp_path, monkeypatch, trained, encoder_folder):
    monkeypatch.setattr("conflict_nlp.loading.WEIGHTS", tmp_path)
    shutil.copytree(trained, tmp_path / "base")
    monkeypatch.chdir(encoder_folder.parent)
    assert load("base", encoder=encoder_folder, device="cpu")(REPORT).text == REPORT
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "here" / "base").mkdir()
    refused("base holds no model", "base")


@pytest.mark.parametrize("fields", [{"rank": 0}, {"rank": 1.5}, {"layers": True}, {"dropout": 1.0}, {"alpha": -1}, {"targets": "q"}])
def test_bad_settings_of_an_adapter_name_the_field(fields):
    with pytest.raises(ValueError, match=f"adapter.{next(iter(fields))} is"):
        Adapter.from_dict(fields)


def test_targets_choose_among_the_linear_layers(encoder_folder):
    encoder = AutoModel.from_pretrained(encoder_folder)
    attach(encoder, Adapter(rank=2, layers=2, targets=("query", "value")))
    names = {name.split(".lora")[0] for name, p in encoder.named_parameters() if p.requires_grad}
    assert names == {f"encoder.layer.{i}.attention.self.{part}" for i in (0, 1) for part in ("query", "value")}


def test_fused_attention_of_mpnet_says_the_same_and_keeps_its_weights():
    from transformers import MPNetConfig, MPNetModel

    torch.manual_seed(0)
    config = MPNetConfig(vocab_size=60, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, max_position_embeddings=80)
    encoder = MPNetModel(config).eval()
    encoder.encoder.relative_attention_bias.weight.data.normal_()
    ids = torch.randint(5, 60, (2, 40))
    mask = (torch.arange(40) < torch.tensor([[40], [25]])).long()
    plain, names = encoder(ids, attention_mask=mask).last_hidden_state, list(encoder.state_dict())
    fuse(encoder)
    assert torch.allclose(encoder(ids, attention_mask=mask).last_hidden_state[mask.bool()], plain[mask.bool()], atol=1e-5)
    assert list(encoder.state_dict()) == names


@pytest.mark.parametrize("above", [0, 1])
def test_training_above_frozen_layers_sees_what_the_whole_encoder_sees(model, tokenizer, above):
    windower = Windower(tokenizer, 64, 16)
    windows = list(windower.windows(REPORT))
    batch = collate(windows, 0)
    changed(model.eval().encoder)
    whole = model(**batch)
    frozen = FrozenLayers(model.encoder, above)
    states = torch.nn.utils.rnn.pad_sequence(frozen.states(windows, 0, quiet=True), batch_first=True)
    with frozen.left_out():
        there = model(**batch, states=states)
    assert torch.allclose(there.tag_logits, whole.tag_logits, atol=1e-5)
    assert torch.equal(model(**batch).tag_logits, whole.tag_logits)


@pytest.mark.parametrize("above", [0, 1])
def test_a_norm_behind_all_layers_is_not_taken_for_one_of_them(tokenizer, above):
    from transformers import ModernBertConfig, ModernBertModel

    torch.manual_seed(0)
    config = ModernBertConfig(vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=3, num_attention_heads=2, intermediate_size=64, pad_token_id=0)
    encoder = ModernBertModel(config).eval()
    with torch.no_grad():
        encoder.final_norm.weight.normal_()
    windows = list(Windower(tokenizer, 64, 16).windows(REPORT))
    batch = collate(windows, 0)
    mask = batch["attention_mask"]
    frozen = FrozenLayers(encoder, above)
    states = torch.nn.utils.rnn.pad_sequence(frozen.states(windows, 0, quiet=True), batch_first=True)
    with torch.no_grad():
        whole = encoder(input_ids=batch["input_ids"], attention_mask=mask).last_hidden_state
        with frozen.left_out():
            there = encoder(inputs_embeds=states, attention_mask=mask).last_hidden_state
    assert torch.allclose(there[mask.bool()], whole[mask.bool()], atol=1e-5)


def test_the_command_line_takes_an_encoder(trained, encoder_folder, tmp_path):
    from typer.testing import CliRunner

    from conflict_nlp.cli import app

    (tmp_path / "report.txt").write_text(REPORT)
    result = CliRunner().invoke(app, ["extract", str(tmp_path / "report.txt"), "--model", str(trained), "--encoder", str(encoder_folder), "--format", "json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["text"] == REPORT


def test_a_batch_job_takes_an_encoder(trained, encoder_folder, tmp_path):
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "one.txt").write_text(REPORT)
    command = [sys.executable, "-c", MAIN, "batch", tmp_path / "reports", "--output", tmp_path / "out", "--model", trained, "--device", "cpu"]
    offline = {**os.environ, "HF_HUB_OFFLINE": "1"}
    alone = subprocess.run([*command, "--workers", "1"], capture_output=True, text=True, check=False, env=offline)
    assert alone.returncode == 2  # the Hub does not have it
    assert alone.stderr.count("\n") == 1
    result = subprocess.run([*command, "--workers", "1", "--encoder", encoder_folder], capture_output=True, text=True, check=False, env=offline)
    assert result.returncode == 0, result.stderr
    rows = parquet.read_table(sorted((tmp_path / "out").glob("*.parquet"))[0]).to_pylist()
    assert [row["text"] for row in rows] == [REPORT]


def test_onnx_runtime_computes_an_adapter(trained, encoder_folder, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr("huggingface_hub.utils._cache_assets.HF_ASSETS_CACHE", str(tmp_path / "assets"))
    torch, onnx = (load(trained, encoder=encoder_folder, runtime=runtime) for runtime in ("torch", "onnx"))
    assert [(s.label, s.start, s.end) for s in onnx(REPORT).spans] == [(s.label, s.start, s.end) for s in torch(REPORT).spans]
    assert [s.score for s in onnx(REPORT).spans] == pytest.approx([s.score for s in torch(REPORT).spans], abs=1e-3)
    assert load(trained, runtime="onnx")(REPORT) == onnx(REPORT)  # the graph is there: the encoder is not asked for
    refused("there is no folder", trained, encoder=tmp_path / "none", runtime="onnx", quantised=True)
