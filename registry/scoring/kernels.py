"""
Machine code that encodes and scores rows, compiled by numba; it holds no lock of the interpreter.

Everything that is compiled lies in this file, because a cached kernel is found again by
this file's content alone. A row's score depends on no other row: the same operations run
in the same order, whether it comes alone or in a batch.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

from registry.scoring.cache import kept_in
from registry.scoring.program import SET, TABLE

Array = NDArray[Any]
Code = TypeVar("Code", bound=Callable[..., Any])
LOGISTIC, EXPONENTIAL = 1, 2  # links
RELU, TANH, SIGMOID = 1, 2, 3  # hidden units
ONE, TWO = np.uint64(1), np.uint64(2)
TINY = 1e-12  # probabilities closer to 0 or 1 have no log-odds worth the name

plain: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
helper: Callable[[Code], Code] = numba.njit(**plain)
with kept_in(__file__) as options:
    kernel: Callable[[Code], Code] = numba.njit(**plain, **options)


@helper
def _cell(value: float, levels: int) -> Any:
    """Row of a table: level codes, then unknown, then missing."""
    if value != value:
        return levels + 1
    if -1 < value < levels:
        return np.int64(value)
    return levels


@helper
def _turned(value: float, tables: Array, where: int) -> Any:
    """Place a moment within a cycle by the steps of `registry.scoring.dates.turned`; -1: it is no date."""
    if where < 0:
        return value
    period, start, step, lag = tables[where], tables[where + 1], tables[where + 2], tables[where + 3]
    value = value - start
    value = value - period * np.floor(value / period)
    if step > 0:
        value = np.floor(value / step) * step
    if lag != lag:
        return value
    value = value - lag
    return abs(value - period * np.floor(value / period) - period / 2)


@helper
def _encode(raw: Array, i: int, slots: Array, tables: Array, x: Array) -> None:
    """Fill x with what the model looks at; its last place is always 0."""
    for k in range(slots.shape[0]):
        slot = slots[k]
        value = raw[i, slot.feature]
        if slot.op == TABLE:
            x[k] = tables[slot.where + _cell(value, slot.levels)]
            continue
        value = _turned(value, tables, slot.cycle)
        if value != value:
            value = slot.fill
        value = (value - slot.shift) / slot.scale * slot.factor + slot.offset
        if value != value:
            value = slot.otherwise
        if abs(value) <= slot.tiny:
            value = slot.zero
        if slot.op == SET:
            x[k] = tables[slot.where + _cell(value, slot.levels)]
        elif value != value:
            x[k] = slot.missing
        else:
            x[k] = value
    x[slots.shape[0]] = 0


@helper
def _linked(total: Any, link: int, slope: Any, one: Any) -> Any:
    if link == LOGISTIC:
        return one / (one + np.exp(-slope * total))
    if link == EXPONENTIAL:
        return np.exp(total)
    return total


@kernel
def padded_trees(
    raw: Array,
    n: int,
    slots: Array,
    tables: Array,
    trees: Array,
    nodes: Array,
    leaves: Array,
    ends: Array,
    link: int,
    out: Array,
) -> None:
    """
    Score by trees that are padded to complete ones: the children of node j are 2j+1 and 2j+2.

    Args:
        raw: Shape (capacity, features), double precision.
        n: How many rows of it are scored.
        slots: Structured, one for each number that the model looks at.
        tables: Numbers that slots look up.
        out: Shape (capacity,); out[:n] is filled.
        trees: first node, first leaf and depth; 8 trees in a row have one depth.
        nodes: threshold and slot; below the threshold it goes left.
        leaves: In the precision in which they are added.
        ends: Where the sum starts, its divisor, the slope of the link, and 1.
        link: 0 nothing, 1 the logistic function, 2 the exponential one.
    """
    x = np.full(slots.shape[0] + 1, nodes[0].threshold)
    for i in range(n):
        _encode(raw, i, slots, tables, x)
        total = ends[0]
        for k in range(0, trees.shape[0], 8):
            na, nb, nc, nd = trees[k].node, trees[k + 1].node, trees[k + 2].node, trees[k + 3].node
            ne, nf, ng, nh = trees[k + 4].node, trees[k + 5].node, trees[k + 6].node, trees[k + 7].node
            a = b = c = d = e = f = g = h = np.uint64(0)
            for _ in range(trees[k].depth):
                pa, pb, pc, pd = nodes[na + a], nodes[nb + b], nodes[nc + c], nodes[nd + d]
                pe, pf, pg, ph = nodes[ne + e], nodes[nf + f], nodes[ng + g], nodes[nh + h]
                a = TWO * a + ONE + np.uint64(not (x[pa.slot] < pa.threshold))
                b = TWO * b + ONE + np.uint64(not (x[pb.slot] < pb.threshold))
                c = TWO * c + ONE + np.uint64(not (x[pc.slot] < pc.threshold))
                d = TWO * d + ONE + np.uint64(not (x[pd.slot] < pd.threshold))
                e = TWO * e + ONE + np.uint64(not (x[pe.slot] < pe.threshold))
                f = TWO * f + ONE + np.uint64(not (x[pf.slot] < pf.threshold))
                g = TWO * g + ONE + np.uint64(not (x[pg.slot] < pg.threshold))
                h = TWO * h + ONE + np.uint64(not (x[ph.slot] < ph.threshold))
            total += leaves[trees[k].leaf + a]
            total += leaves[trees[k + 1].leaf + b]
            total += leaves[trees[k + 2].leaf + c]
            total += leaves[trees[k + 3].leaf + d]
            total += leaves[trees[k + 4].leaf + e]
            total += leaves[trees[k + 5].leaf + f]
            total += leaves[trees[k + 6].leaf + g]
            total += leaves[trees[k + 7].leaf + h]
        out[i] = _linked(total / ends[1], link, ends[2], ends[3])


@kernel
def linked_trees(
    raw: Array,
    n: int,
    slots: Array,
    tables: Array,
    trees: Array,
    nodes: Array,
    leaves: Array,
    ends: Array,
    link: int,
    out: Array,
) -> None:
    """
    Score by trees of any shape: right child = left child + 1, and a leaf is its own left child.

    Args:
        raw, n, slots, tables, ends, link, out: As for padded trees.
        trees: root and depth; 8 trees in a row have one depth.
        nodes: threshold, slot and left child; a leaf asks the slot that is always 0.
        leaves: One for each node.
    """
    x = np.full(slots.shape[0] + 1, nodes[0].threshold)
    for i in range(n):
        _encode(raw, i, slots, tables, x)
        total = ends[0]
        for k in range(0, trees.shape[0], 8):
            a, b, c, d = trees[k].node, trees[k + 1].node, trees[k + 2].node, trees[k + 3].node
            e, f, g, h = trees[k + 4].node, trees[k + 5].node, trees[k + 6].node, trees[k + 7].node
            for _ in range(trees[k].depth):
                pa, pb, pc, pd = nodes[a], nodes[b], nodes[c], nodes[d]
                pe, pf, pg, ph = nodes[e], nodes[f], nodes[g], nodes[h]
                a = pa.left + np.uint64(not (x[pa.slot] < pa.threshold))
                b = pb.left + np.uint64(not (x[pb.slot] < pb.threshold))
                c = pc.left + np.uint64(not (x[pc.slot] < pc.threshold))
                d = pd.left + np.uint64(not (x[pd.slot] < pd.threshold))
                e = pe.left + np.uint64(not (x[pe.slot] < pe.threshold))
                f = pf.left + np.uint64(not (x[pf.slot] < pf.threshold))
                g = pg.left + np.uint64(not (x[pg.slot] < pg.threshold))
                h = ph.left + np.uint64(not (x[ph.slot] < ph.threshold))
            total += leaves[a]
            total += leaves[b]
            total += leaves[c]
            total += leaves[d]
            total += leaves[e]
            total += leaves[f]
            total += leaves[g]
            total += leaves[h]
        out[i] = _linked(total / ends[1], link, ends[2], ends[3])


@kernel
def linear(
    raw: Array,
    n: int,
    slots: Array,
    tables: Array,
    coefficients: Array,
    intercept: float,
    link: int,
    out: Array,
) -> None:
    """Score by a weighted sum of the encoded columns."""
    x = np.empty(slots.shape[0] + 1, np.float64)
    for i in range(n):
        _encode(raw, i, slots, tables, x)
        total = 0.0
        for k in range(coefficients.shape[0]):
            total += x[k] * coefficients[k]
        out[i] = _linked(total + intercept, link, 1.0, 1.0)


@kernel
def layers(
    raw: Array,
    n: int,
    slots: Array,
    tables: Array,
    sizes: Array,
    weights: Array,
    unit: int,
    link: int,
    out: Array,
) -> None:
    """
    Score by a multi-layer perceptron with one output.

    Args:
        raw, n, slots, tables, link, out: As for padded trees.
        sizes: Width of each layer, the input's first.
        weights: For each layer its matrix (inputs, outputs), row by row, then its biases.
        unit: What hidden layers do to their sums.
    """
    widest = max(slots.shape[0] + 1, sizes.max())
    x, y = np.empty(widest, np.float64), np.empty(widest, np.float64)
    for i in range(n):
        _encode(raw, i, slots, tables, x)
        place = 0
        for layer in range(1, sizes.shape[0]):
            last = layer == sizes.shape[0] - 1
            place = _layer(x, y, weights, place, sizes[layer - 1], sizes[layer], 0 if last else unit)
            x, y = y, x
        out[i] = _linked(x[0], link, 1.0, 1.0)


@kernel
def softmax(columns: Array) -> None:
    """Turn sums into shares, in place; columns has shape (classes, rows)."""
    for i in range(columns.shape[1]):
        most = columns[0, i]
        for k in range(1, columns.shape[0]):
            most = max(most, columns[k, i])
        total = 0.0
        for k in range(columns.shape[0]):
            columns[k, i] = np.exp(columns[k, i] - most)
            total += columns[k, i]
        for k in range(columns.shape[0]):
            columns[k, i] /= total


@kernel
def shares(columns: Array) -> None:
    """Divide by the sum of all classes, in place; where that is 0, all classes are alike."""
    for i in range(columns.shape[1]):
        total = 0.0
        for k in range(columns.shape[0]):
            total += columns[k, i]
        for k in range(columns.shape[0]):
            columns[k, i] = columns[k, i] / total if total != 0 else 1.0 / columns.shape[0]


@kernel
def sigmoid(scores: Array, n: int, slope: float, intercept: float) -> None:
    """Correct scores[:n] in place by a logistic function of their log-odds."""
    for i in range(n):
        p = min(max(scores[i], TINY), 1.0 - TINY) if scores[i] == scores[i] else scores[i]
        scores[i] = 1.0 / (1.0 + np.exp(-(slope * np.log(p / (1.0 - p)) + intercept)))


@kernel
def isotonic(scores: Array, n: int, x: Array, y: Array) -> None:
    """Correct scores[:n] in place by straight lines between points; what is no number stays so."""
    last = x.shape[0] - 1
    for i in range(n):
        p = scores[i]
        if p <= x[0]:
            scores[i] = y[0]
        elif p >= x[last]:
            scores[i] = y[last]
        elif p == p:
            k = np.searchsorted(x, p, side="right") - 1
            scores[i] = (y[k + 1] - y[k]) / (x[k + 1] - x[k]) * (p - x[k]) + y[k]


@helper
def _layer(x: Array, y: Array, weights: Array, place: int, inputs: int, outputs: int, unit: int) -> Any:
    """Fill y from x; the place of the next layer's weights."""
    for k in range(outputs):
        y[k] = 0.0
    for j in range(inputs):
        for k in range(outputs):
            y[k] += x[j] * weights[place + k]
        place += outputs
    for k in range(outputs):
        y[k] = _unit(y[k] + weights[place + k], unit)
    return place + outputs


@helper
def _unit(value: float, unit: int) -> Any:
    if unit == RELU:
        return value if value > 0 or value != value else 0.0
    if unit == TANH:
        return np.tanh(value)
    if unit == SIGMOID:
        return 1.0 / (1.0 + np.exp(-value))
    return value
