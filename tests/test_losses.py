import pytest
import torch

from conflict_nlp.losses import PROPOSED, GoldBatch, Logits, losses
from conflict_nlp.proposal import Candidates


def of(candidates, golds, logit=2.0):
    """The losses of so many candidates, one word each, of which the first are gold; every logit is the same."""
    places = torch.arange(candidates).view(1, -1, 1).expand(1, candidates, 2)
    none = torch.zeros(1, candidates, dtype=torch.long)
    proposed = Candidates(places, none, none == 0)
    gold = GoldBatch(
        torch.zeros(1, candidates, 1, dtype=torch.long),
        places[:, :golds],
        none[:, :golds],
        torch.zeros(1, golds, golds, dtype=torch.bool),
        torch.zeros(1, golds, 0, dtype=torch.long),
        none[:, :golds] - 1,
        torch.ones(1, golds, dtype=torch.bool),
    )
    same = torch.full((1, candidates), logit)
    links = torch.full((1, candidates, candidates), float("-inf"))
    logits = Logits(torch.zeros(1, candidates, 1, 3), same, links, torch.zeros(1, candidates, 1), torch.zeros(1, candidates, 64))
    return losses(logits, proposed, gold, none == 0, (), lambda left, right, distance: left.sum(-1))


def test_spans_count_for_each_gold_span():
    wrong, right = torch.nn.functional.softplus(torch.tensor([2.0, -2.0])).tolist()
    assert of(6, 3)["spans"].item() == pytest.approx((3 * right + 3 * wrong) / 3)


@pytest.mark.parametrize("golds", [0, 1])
def test_many_proposals_without_gold_weigh_no_more_than_few(golds):
    assert of(400, golds)["spans"].item() == pytest.approx(of(40, golds)["spans"].item(), rel=0.1)
    assert of(400, 0)["spans"].item() == pytest.approx(PROPOSED * torch.nn.functional.softplus(torch.tensor(2.0)).item())
