"""One-to-one matching: as many pairs as possible, and among those the pairs that fit best."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence

Interval = tuple[int, int]

# Lexicographic order of what a matching prefers, as magnitudes of one sum: the number of pairs comes first
_PAIR = 1e6


def overlapping(left: Sequence[Interval], right: Sequence[Interval]) -> Iterator[tuple[int, int]]:
    """The indices of all pairs of half-open intervals that share at least one position."""
    order = sorted(range(len(right)), key=lambda j: right[j])
    starts = [right[j][0] for j in order]
    longest = max((end - start for start, end in right), default=0)
    for i, (start, end) in enumerate(left):
        for k in range(bisect_right(starts, start - longest), bisect_left(starts, end)):
            j = order[k]
            if right[j][1] > start:
                yield i, j


def jaccard(a: Interval, b: Interval) -> float:
    """Shared positions over all positions of two overlapping intervals: 1 for equal ones."""
    shared = min(a[1], b[1]) - max(a[0], b[0])
    return shared / (max(a[1], b[1]) - min(a[0], b[0]))


def assign(weights: Mapping[tuple[int, int], float]) -> list[tuple[int, int]]:
    """A maximum-cardinality matching of a bipartite graph, of the largest total weight among those.

    Args:
        weights: an edge's ends (left index, right index) and its weight, at least 0 and below 100.
    """
    matched: list[tuple[int, int]] = []
    for edges in _components(weights):
        if len(edges) == 1:
            matched += edges
        else:
            matched += _solve(edges, weights)
    return sorted(matched)


def _solve(edges: list[tuple[int, int]], weights: Mapping[tuple[int, int], float]) -> list[tuple[int, int]]:
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    rows = sorted({i for i, _ in edges})
    columns = sorted({j for _, j in edges})
    row, column = {i: k for k, i in enumerate(rows)}, {j: k for k, j in enumerate(columns)}
    table = np.zeros((len(rows), len(columns)))
    for i, j in edges:
        # a pair that follows the order of both sides wins an otherwise even tie, so that a copy is matched with itself
        tie = 1e-7 / (1 + abs(row[i] - column[j]))
        table[row[i], column[j]] = _PAIR + weights[i, j] + tie
    chosen = zip(*linear_sum_assignment(table, maximize=True), strict=True)
    return [(rows[r], columns[c]) for r, c in chosen if table[r, c] > 0]


def _components(weights: Mapping[tuple[int, int], float]) -> list[list[tuple[int, int]]]:
    """The edges, grouped by connected component."""
    parent: dict[tuple[str, int], tuple[str, int]] = {}

    def root(node: tuple[str, int]) -> tuple[str, int]:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = node = parent[parent[node]]
        return node

    for i, j in weights:
        parent[root(("left", i))] = root(("right", j))
    groups: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for i, j in weights:
        groups.setdefault(root(("left", i)), []).append((i, j))
    return list(groups.values())
