"""What is large in activations moves over to the weights, and the layers say the same."""

import pytest
import torch

from conflict_nlp.loading import load_pretrained

smoothing = pytest.importorskip("conflict_nlp.onnx.smoothing")


def test_a_smoothed_encoder_says_the_same_and_its_activations_are_more_alike(model_folder):
    encoder = load_pretrained(model_folder)[0].encoder.eval()
    with torch.no_grad():
        encoder.embeddings.LayerNorm.weight[3] = 40.0  # a column far larger than the others
    batch = {"input_ids": torch.tensor([[2, 10, 20, 30, 3]])}
    first = encoder.encoder.layer[0].attention.self
    seen = []
    first.query.register_forward_pre_hook(lambda layer, given: seen.append(given[0].abs().amax((0, 1))))
    with torch.no_grad():
        expected = encoder(**batch).last_hidden_state
        smoothing.smooth(encoder, [batch])
        first.query.layer.register_forward_pre_hook(lambda layer, given: seen.append(given[0].abs().amax((0, 1))))
        torch.testing.assert_close(encoder(**batch).last_hidden_state, expected, rtol=1e-4, atol=1e-4)
    assert isinstance(first.query, smoothing.Smoothed)
    before, after = seen[0], seen[-1]
    assert before.max() / before.median() > 10
    assert after.max() / after.median() < 0.5 * before.max() / before.median()
