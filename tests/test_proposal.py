import torch

from conflict_nlp.proposal import Candidates, propose


def probabilities(tags: list[str]) -> torch.Tensor:
    """[1, W, 1, 3] of a text like "OBIO", sure of every letter."""
    return torch.tensor([[[[float(t == x) for x in "OBI"]] for t in tags]])


def spans(candidates: Candidates, row: int = 0) -> list[tuple[int, int, int]]:
    real = candidates.mask[row]
    return [(int(a), int(b), int(c)) for (a, b), c in zip(candidates.spans[row][real], candidates.labels[row][real], strict=True)]


def test_sure_tags_give_their_spans():
    tags = list("OBIIOBBIO")
    assert spans(propose(probabilities(tags), torch.ones(1, 9, dtype=torch.bool), 10)) == [(1, 3, 0), (5, 5, 0), (6, 7, 0)]


def test_an_unsure_end_gives_every_reading():
    p = probabilities(list("BIIO"))
    p[0, 2, 0] = torch.tensor([0.7, 0.0, 0.3])
    assert spans(propose(p, torch.ones(1, 4, dtype=torch.bool), 10)) == [(0, 1, 0), (0, 2, 0)]


def test_padding_neither_begins_nor_goes_on():
    p = probabilities(list("BIIB"))
    mask = torch.tensor([[True, True, False, False]])
    assert spans(propose(p, mask, 10)) == [(0, 1, 0)]


def test_the_limit_keeps_the_likeliest_starts_of_each_window():
    p = torch.zeros(2, 5, 2, 3)
    p[0, :, 0, 1] = torch.tensor([0.2, 0.9, 0.3, 0.8, 0.4])
    p[1, 2, 1, 1] = 0.5
    candidates = propose(p, torch.ones(2, 5, dtype=torch.bool), 2)
    assert spans(candidates, 0) == [(1, 1, 0), (3, 3, 0)]
    assert spans(candidates, 1) == [(2, 2, 1)]


def test_gold_is_added_once():
    gold = Candidates(torch.tensor([[[1, 3], [0, 0]]]), torch.zeros(1, 2, dtype=torch.long), torch.tensor([[True, True]]))
    candidates = propose(probabilities(list("OBII")), torch.ones(1, 4, dtype=torch.bool), 10, [gold])
    assert spans(candidates) == [(0, 0, 0), (1, 3, 0)]


def test_nothing_proposed_is_one_column_of_padding():
    candidates = propose(probabilities(list("OOO")), torch.ones(1, 3, dtype=torch.bool), 10)
    assert candidates.spans.shape == (1, 1, 2)
    assert not candidates.mask.any()
