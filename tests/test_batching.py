"""Batches by tokens, and what happens when one does not fit the memory."""

import os
import signal

import pytest
import torch
from conftest import REPORT
from test_extractor import TEXTS, key

from conflict_nlp.batching import BatchLimit, padded_tokens
from conflict_nlp.reading import SideBySide


@pytest.mark.parametrize("tokens", [1, 100, 5000])
def test_batches_filled_by_tokens_give_the_same(tiny, tokens):
    for text, document in zip(TEXTS, tiny.pipe(TEXTS, batch_tokens=tokens), strict=True):
        assert document.text == text
        assert key(document) == key(tiny(text))


def test_no_batch_is_larger_than_its_tokens_and_windows_of_a_length_share_it(tiny, monkeypatch):
    seen, start = [], tiny._reader.start
    monkeypatch.setattr(tiny._reader, "start", lambda batches: start(seen.append(batch) or batch for batch in batches))
    list(tiny.pipe(TEXTS * 20, batch_tokens=256))
    assert len(seen) < sum(len(batch) for batch in seen) / 4
    assert all(padded_tokens(batch) <= 256 for batch in seen)
    real = sum(len(window.input_ids) for batch in seen for _, _, window in batch)
    assert real > 0.9 * sum(padded_tokens(batch) for batch in seen)
    with pytest.raises(ValueError, match="batch_tokens is 0"):
        tiny.pipe(TEXTS, batch_tokens=0)


class Small:
    """A model on a device whose memory holds so many tokens."""

    def __init__(self, model, room):
        self.model, self.room, self.sizes = model, room, []

    def outputs(self, batch, half=None):
        self.sizes.append(batch["input_ids"].size)
        if self.sizes[-1] > self.room:
            raise torch.OutOfMemoryError("no memory left")
        return self.model.outputs(batch, half)

    def __getattr__(self, name):
        return getattr(self.model, name)


def test_a_batch_that_does_not_fit_is_halved_and_later_ones_are_smaller(model_folder):
    from conflict_nlp import load

    texts = TEXTS * 8
    nlp, expected = load(model_folder, device="cpu"), list(load(model_folder, device="cpu").pipe(texts))
    nlp.model = Small(nlp.model, 300)
    assert [key(d) for d in nlp.pipe(texts, batch_tokens=1000)] == [key(d) for d in expected]
    refused = [size for size in nlp.model.sizes if size > 300]
    assert 1 <= len(refused) <= 3  # it learns: no batch of a size that failed is tried again
    nlp.model = Small(nlp.model.model, 10)
    with pytest.raises(torch.OutOfMemoryError):
        nlp(REPORT)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_batches_side_by_side_are_read_in_a_forked_process_too():
    reader = SideBySide(lambda batch: batch, 2)
    lots = [[number] for number in range(8)]
    assert [found for _, found in reader.start(lots)] == lots  # all its threads are there
    child = os.fork()
    if not child:
        signal.alarm(20)
        os._exit(0 if [found for _, found in reader.start(lots)] == lots else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_limit_in_windows_is_a_limit_in_windows():
    class Window:
        input_ids = range(10)

    waiting = [(None, i, Window) for i in range(7)]
    assert [len(b) for b in BatchLimit(3, None).batches(waiting)] == [3, 3, 1]
    assert [len(b) for b in BatchLimit(3, 45).batches(waiting)] == [4, 3]
