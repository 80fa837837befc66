"""The embedded model, end to end."""

import json
import resource
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

import conflict_nlp
from conflict_nlp.loading import WEIGHTS, locate

LONG = """
from importlib import resources
import conflict_nlp
report = (resources.files("conflict_nlp") / "example.txt").read_text(encoding="utf-8")
text = (report * 3000)[:1_000_000]
document = conflict_nlp.load(device="cpu")(text)
assert len(text) == 1_000_000
assert all(text[s.start:s.end] == s.text for s in document.spans)
assert {s.start // 100_000 for s in document.spans} == set(range(10))
"""


@pytest.fixture(scope="module")
def nlp():
    return conflict_nlp.load(device="cpu")


def test_a_typical_report(nlp):
    document = nlp((resources.files("conflict_nlp") / "example.txt").read_text(encoding="utf-8"))
    claim = next(c for c in document.claims if "Iraqi sovereignty" in c.text)
    assert claim.kind == "violation"
    assert "Iraqi" in [s.text for s in claim.sovereigns]
    assert any("Iraq" in s.text for s in claim.claimants)
    strikes = [i for i in document.incidents if i.killed is not None and i.injured is not None]
    (strike,) = strikes
    assert strike.injured.bounds == (18, 18)
    first = next(i for i in document.incidents if any("Sinjar" in s.text for s in i.arguments("TARGET")))
    assert first is not strike


def test_alone_or_in_a_batch_of_64_a_text_gives_the_same(nlp):
    report = (resources.files("conflict_nlp") / "example.txt").read_text(encoding="utf-8")
    texts = [report[i * 7 :] for i in range(64)]
    for index, document in enumerate(nlp.pipe(texts, batch_size=64)):
        if index % 16:
            continue
        alone = nlp(texts[index])
        assert [(s.label, s.start, s.end, dict(s.attributes)) for s in alone.spans] == [(s.label, s.start, s.end, dict(s.attributes)) for s in document.spans]
        assert [(k.anchor, k.argument) for k in alone.links] == [(k.anchor, k.argument) for k in document.links]
        pairs = zip(alone.spans + alone.links, document.spans + document.links, strict=True)
        assert all(abs(a.score - b.score) < 1e-3 for a, b in pairs)


def test_the_weights_are_small_and_safe():
    folder = Path(conflict_nlp.__file__).parent / "weights" / "small"
    assert {p.suffix for p in folder.iterdir()} == {".json", ".safetensors"}
    assert sum(p.stat().st_size for p in folder.iterdir()) <= 50_000_000


def test_a_million_characters_take_less_than_one_and_a_half_gigabytes():
    subprocess.run([sys.executable, "-c", LONG], check=True)
    unit = 1 if sys.platform == "darwin" else 1024
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit < 1.5e9


ADAPTERS = sorted(folder.name for folder in WEIGHTS.iterdir() if json.loads((folder / "config.json").read_text()).get("adapter"))


def test_there_is_a_larger_model():
    assert "base" in ADAPTERS


@pytest.mark.parametrize("name", ADAPTERS)
def test_adapters_are_small_and_name_their_encoder(name):
    folder, config = locate(name)
    assert (folder / "model.safetensors").stat().st_size <= 15e6
    assert config["encoder_name"] == "sentence-transformers/all-mpnet-base-v2"
    assert all(0 < threshold < 1 for threshold in config["thresholds"]["spans"].values())


@pytest.mark.parametrize("name", ADAPTERS)
def test_an_adapter_over_another_encoder_is_refused(name, encoder_folder):
    with pytest.raises(conflict_nlp.ModelError, match="is not the encoder that"):
        conflict_nlp.load(name, encoder=encoder_folder)
