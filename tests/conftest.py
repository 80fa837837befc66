"""A tiny random model, made once a run, and the corpora where they are there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from conflict_nlp.extractor import Extractor

settings.register_profile("steady", deadline=None)  # a busy machine is no failure
settings.load_profile("steady")


@pytest.fixture(autouse=True)
def torch_computes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """``auto`` is torch, wherever the tests of ONNX Runtime do not say otherwise: a graph for every tiny model would take its time."""
    if request.module.__name__ != "test_onnx":
        monkeypatch.setattr("conflict_nlp.onnx.choice.find_spec", lambda name: None)


REPORT = (
    "Gunmen ambushed a convoy near Baidoa on Saturday, killing at least 12 soldiers and wounding three civilians. "
    "The ministry called the raid a violation of its sovereignty. Al-Noor Brigades fired rockets at Kismayo’s airport; nobody was hurt."
)
WORDS = sorted({*"abcdefghijklmnopqrstuvwxyz0123456789.,;:!?'\"()-’“”/$%&#", *(w.strip(".,;:").lower() for w in REPORT.split())})


def make_tokenizer() -> PreTrainedTokenizerFast:
    """A WordPiece tokenizer that knows the words of one report, and letters."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS, *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz0123456789")]
    tokenizer = Tokenizer(models.WordPiece({w: i for i, w in enumerate(vocabulary)}, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]")


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    return make_tokenizer()


@pytest.fixture(scope="session")
def encoder_folder(tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained encoder as transformers would save it."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, max_position_embeddings=160
    )
    folder = tmp_path_factory.mktemp("encoder")
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def model_folder(encoder_folder: Path, tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model; its heads are as likely to say yes as no, so that documents have spans and links."""
    import torch

    from conflict_nlp.collation import collate
    from conflict_nlp.encoding import Windower
    from conflict_nlp.modeling import ConflictModel

    torch.manual_seed(1)
    model = ConflictModel.from_encoder(str(encoder_folder), span_size=32, pair_size=16, window=64, overlap=16, max_starts=40)
    inputs = collate(list(Windower(tokenizer, 64, 16).windows(REPORT)), 0)
    model.eval()
    with torch.no_grad():  # no label, span or link is likelier than another by the accident of the seed
        model.tagger.weight.mul_(20)
        model.tagger.bias.sub_(model(**inputs).tag_logits.mean((0, 1)).flatten())
        for last, name in ((model.spans.score[-1], "span_logits"), (model.links.out, "link_logits")):
            last.weight.mul_(40)
            logits = model(**inputs)[name]
            last.bias.sub_(logits[logits > float("-inf")].median())
    folder = tmp_path_factory.mktemp("model")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny(model_folder: Path) -> Extractor:
    from conflict_nlp import load

    return load(model_folder, device="cpu", runtime="torch", thresholds={"span": 0.45, "link": 0.45, "only_link": 0.2})


@pytest.fixture(scope="session")
def corpora() -> Path:
    folder = Path(__file__).parents[2] / "shared" / "corpora"
    if not folder.is_dir():
        pytest.skip("the training corpora are not here")
    return folder
