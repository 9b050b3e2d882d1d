"""Trees laid out for the kernels: padded to complete ones if that stays small, else linked."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from registry.scoring.forest import Forest

LANES = 8  # as many as the kernels walk at once
DEEPEST = 9  # complete trees of more levels have too many nodes that nobody visits
ROOM = 6  # times as many nodes as there are; padding beyond that would leave the processor's cache
TREE = np.dtype([("node", np.uint64), ("leaf", np.uint64), ("depth", np.int64)])


@dataclass(frozen=True, slots=True)
class Layout:
    """
    Arrays of one forest, as the kernel *kind* takes them.

    Attributes:
        trees: Structured (TREE), a multiple of 8; the last ones may be empty.
        nodes: Structured: threshold, slot and, if linked, left.
        leaves: What is added.
    """

    kind: Literal["padded", "linked"]
    trees: NDArray[Any]
    nodes: NDArray[Any]
    leaves: NDArray[Any]


def lay_out(forest: Forest) -> Layout:
    """Choose the quicker layout that fits."""
    depths = _by_lanes(_depths(forest))
    padded = int(np.sum(2 ** np.minimum(depths, 62)))
    if depths.max(initial=0) <= DEEPEST and padded <= ROOM * (len(forest.look) + LANES):
        return _padded(forest, depths)
    return _linked(forest, depths)


def _depths(forest: Forest) -> NDArray[np.int64]:
    """Measure each tree; one leaf alone has depth 0."""
    nodes, trees, level = forest.roots.astype(np.int64), np.arange(len(forest.roots)), 0
    depths = np.zeros(len(forest.roots), dtype=np.int64)
    while len(nodes):
        depths[trees] = level
        inner = forest.left[nodes] >= 0
        children = [forest.left[nodes[inner]], forest.right[nodes[inner]]]
        nodes, trees, level = np.concatenate(children).astype(np.int64), np.tile(trees[inner], 2), level + 1
    return depths


def _by_lanes(depths: NDArray[np.int64]) -> NDArray[np.int64]:
    """One depth for each 8 trees in a row: their deepest one's."""
    padded = np.zeros(-(-len(depths) // LANES) * LANES, dtype=np.int64)
    padded[: len(depths)] = depths
    return np.repeat(padded.reshape(-1, LANES).max(axis=1), LANES)


def _padded(forest: Forest, depths: NDArray[np.int64]) -> Layout:
    sizes = 2**depths
    trees = np.zeros(len(depths), dtype=TREE)
    trees["depth"] = depths
    firsts = np.concatenate([[0], np.cumsum(sizes - 1)])
    trees["node"] = firsts[:-1]
    ends = np.concatenate([[0], np.cumsum(sizes)])
    # A walk ends at node number 2**depth - 1 + leaf; uint64 arithmetic may pass below 0 and back.
    trees["leaf"] = (ends[:-1] - (sizes - 1)).astype(np.int64).view(np.uint64)
    nodes = _blank(forest, max(1, int(firsts[-1])), linked=False)
    leaves = np.zeros(int(ends[-1]), dtype=forest.value.dtype)
    at, tree, place = forest.roots.astype(np.int64), np.arange(len(forest.roots)), np.zeros(len(forest.roots), np.int64)
    for level in range(int(depths.max(initial=0)) + 1):
        at, tree, place = _fill_level(forest, trees, nodes, leaves, depths, level, at, tree, place)
    return Layout("padded", trees, nodes, leaves)


def _fill_level(
    forest: Forest,
    trees: NDArray[Any],
    nodes: NDArray[Any],
    leaves: NDArray[Any],
    depths: NDArray[np.int64],
    level: int,
    at: NDArray[np.int64],
    tree: NDArray[np.int64],
    place: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Write what lies on one level, for all trees; a leaf goes down to the left until the last level."""
    last = depths[tree] == level
    ends = np.cumsum(2**depths) - 2**depths
    leaves[ends[tree[last]] + place[last] - (2 ** depths[tree[last]] - 1)] = forest.value[at[last]]
    at, tree, place = at[~last], tree[~last], place[~last]
    inner = forest.left[at] >= 0
    target = trees["node"][tree].astype(np.int64) + place
    nodes["threshold"][target[inner]] = forest.threshold[at[inner]]
    nodes["slot"][target[inner]] = forest.look[at[inner]]
    lower = np.where(inner, forest.left[at], at)
    return (
        np.concatenate([lower, forest.right[at[inner]]]).astype(np.int64),
        np.concatenate([tree, tree[inner]]),
        np.concatenate([2 * place + 1, 2 * place[inner] + 2]),
    )


def _linked(forest: Forest, depths: NDArray[np.int64]) -> Layout:
    """Number siblings one after the other, level by level."""
    roots = forest.roots.astype(np.int64)
    order, level = [roots], roots
    while len(level := level[forest.left[level] >= 0]):
        level = np.stack([forest.left[level], forest.right[level]], axis=1).ravel().astype(np.int64)
        order.append(level)
    old = np.concatenate(order)
    new = np.full(len(forest.look), -1, dtype=np.int64)
    new[old] = np.arange(len(old))
    nodes = _blank(forest, len(old) + 1, linked=True)
    inner = np.flatnonzero(forest.left[old] >= 0)
    nodes["left"] = np.arange(len(nodes))
    nodes["left"][inner] = new[forest.left[old[inner]]]
    nodes["threshold"][inner] = forest.threshold[old[inner]]
    nodes["slot"][inner] = forest.look[old[inner]]
    leaves = np.zeros(len(nodes), dtype=forest.value.dtype)
    leaves[: len(old)] = np.where(forest.left[old] >= 0, 0, forest.value[old])
    trees = np.zeros(len(depths), dtype=TREE)
    trees["depth"] = depths
    trees["node"] = len(old)  # an empty tree: one leaf that adds 0
    trees["node"][: len(roots)] = new[roots]
    return Layout("linked", trees, nodes, leaves)


def _blank(forest: Forest, count: int, *, linked: bool) -> NDArray[Any]:
    """Nodes that always go left: they find that 0, in the last slot, is below infinity."""
    parts: list[Any] = [("threshold", forest.threshold.dtype), ("slot", np.uint32)]
    nodes = np.zeros(count, dtype=[*parts, ("left", np.uint32)] if linked else parts)
    nodes["threshold"], nodes["slot"] = np.inf, len(forest.look_column)
    return nodes
