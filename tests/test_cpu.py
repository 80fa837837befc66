import pytest
import torch
from cpu import QuickDropout, quicken
from torch import nn


@pytest.mark.parametrize("shape", [(7,), (300, 41), (5, 20, 33)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_is_kept_grows_and_the_gradient_goes_where_it_is(shape, dtype):
    torch.manual_seed(0)
    values = torch.ones(shape, dtype=dtype, requires_grad=True)
    result = QuickDropout(0.25)(values)
    result.sum().backward()
    assert result.shape == values.shape
    assert result.dtype == dtype
    assert set(result.detach().unique().tolist()) <= {0.0, values.new_tensor(4 / 3).item()}
    assert torch.equal(values.grad, result.detach())


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_as_many_are_dropped_as_was_asked(rate):
    torch.manual_seed(0)
    values = torch.ones(400, 512)
    result = QuickDropout(rate)(values)
    assert (result == 0).float().mean().item() == pytest.approx(rate, abs=0.005)
    assert result.mean().item() == pytest.approx(1.0, abs=0.02)
    by_place = (result == 0).float().mean(0).view(-1, 8).mean(0)  # no byte of a number is dropped more often than the others
    assert by_place.tolist() == pytest.approx([rate] * 8, abs=0.02)


def test_the_seed_decides():
    draws = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        draws.append(QuickDropout(0.5)(torch.ones(64)))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_only_training_drops():
    values = torch.randn(30)
    assert torch.equal(QuickDropout(0.5).eval()(values), values)
    assert torch.equal(QuickDropout(0.0)(values), values)


def test_it_takes_the_place_of_all_dropout_and_changes_nothing_that_is_saved():
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.3), nn.TransformerEncoderLayer(4, 2, 8, 0.2), nn.Dropout(0.999), nn.Dropout(1.0))
    names = list(model.state_dict())
    quicken(model, torch.device("cuda"))
    assert not any(type(m) is QuickDropout for m in model.modules())
    quicken(model, torch.device("cpu"))
    assert list(model.state_dict()) == names
    assert [type(m) for m in model.modules() if isinstance(m, nn.Dropout)] == [QuickDropout] * 4 + [nn.Dropout] * 2
    assert model[1].p == 0.3
