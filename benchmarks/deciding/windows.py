"""Windows of simulated histories: what was seen, and what was true."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from deciding.worlds import FAMILIES, World, a_world, array_of, changed, frame_of, shifted
from flows.detection.fusion.importance import importance
from flows.detection.fusion.mapping import data_signal, loss_signal
from flows.detection.fusion.recoverable import recoverable, row_loss
from flows.detection.fusion.signals import Drifted, Evidence, Signal

KINDS = {
    "none": 0.24,
    "season": 0.06,
    "important shift": 0.13,
    "unimportant shift": 0.08,
    "concept": 0.30,
    "both": 0.12,
    "label noise": 0.07,
}
ORACLE_ROWS = 20_000


@dataclass(frozen=True, kw_only=True)
class Generator:
    """One way to make histories."""

    family: str
    champions: tuple[str, ...]
    columns: tuple[int, int]
    rows: tuple[int, int]
    trained_on: tuple[int, int]
    per_world: int = 8


FITTED = Generator(
    family="linear", champions=("linear", "trees"), columns=(6, 16), rows=(500, 5000), trained_on=(4000, 8000)
)
OTHER = Generator(
    family="smooth", champions=("forest", "trees"), columns=(4, 26), rows=(400, 8000), trained_on=(3000, 15_000)
)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One window: the evidence, and the truth that the decision must not see."""

    kind: str
    feature: str | None
    size: float
    labelled: int
    evidence: Evidence
    harm: float  # expected loss over that of a refit on 20,000 rows of now, less what it was when trained; in baselines
    loss_harm: float  # the same in units of the loss


@dataclass(frozen=True, kw_only=True)
class Served:
    """A champion in its world."""

    world: World
    family: str
    champion: object
    reference: np.ndarray
    baseline: float
    weights: dict[str, float]
    excess: float  # expected loss over that of a refit when the champion was trained: its training set was smaller


def windows(generator: Generator, count: int, seed: int):
    dice = np.random.default_rng(seed)
    served = None
    for index in range(count):
        if index % generator.per_world == 0:
            served = _served(generator, dice)
        yield a_window(generator, served, dice)


def _served(generator: Generator, dice: np.random.Generator) -> Served:
    world = a_world(dice, generator.family, generator.columns)
    family = str(dice.choice(generator.champions))
    x = world.draw(dice, int(dice.integers(*generator.trained_on)))
    champion = FAMILIES[family](world.task, x, world.labels(dice, x))
    held = world.draw(dice, 3000)
    baseline = float(row_loss(champion(held), world.labels(dice, held), world.task).mean())
    weights = importance(lambda frame: champion(array_of(frame)), frame_of(held))
    return Served(
        world=world,
        family=family,
        champion=champion,
        reference=x,
        baseline=baseline,
        weights=weights,
        excess=_excess(family, champion, world, dice),
    )


def a_window(generator: Generator, served: Served, dice: np.random.Generator) -> Seen:
    kind = str(dice.choice(list(KINDS), p=np.array(list(KINDS.values())) / sum(KINDS.values())))
    now, feature, size = _moved(kind, served, dice)
    rows = int(np.exp(dice.uniform(*np.log(generator.rows))))
    x = now.draw(dice, rows)
    y, scores = now.labels(dice, x), served.champion(x)
    labelled = int(rows * dice.choice([1.0, 0.5, 0.2, 0.0], p=[0.45, 0.25, 0.15, 0.15]))
    evidence = _evidence(served, x, scores, y, labelled)
    harm = 0.0 if kind == "none" else _excess(served.family, served.champion, now, dice) - served.excess
    names = [*(f"x{i}" for i in range(served.world.weights.size)), "level"]
    return Seen(
        kind=kind,
        feature=None if feature is None else names[feature],
        size=size,
        labelled=labelled,
        evidence=evidence,
        harm=harm / served.baseline,
        loss_harm=harm,
    )


def _moved(kind: str, served: Served, dice: np.random.Generator) -> tuple[World, int | None, float]:
    world, names = served.world, list(served.weights)
    order = sorted(range(len(names)), key=lambda i: -served.weights[names[i]])
    top, bottom = order[: max(len(order) // 3, 1)], order[-max(len(order) // 3, 1) :]
    if kind == "label noise":
        return replace(world, flips=float(dice.uniform(0.05, 0.3))), None, 0.0
    if kind == "season":
        size = float(dice.choice([-1, 1]) * dice.uniform(0.1, 0.3))
        return shifted(world, dice, int(dice.integers(world.weights.size)), size), None, size
    if kind in ("important shift", "unimportant shift"):
        feature, size = int(dice.choice(top if kind[0] == "i" else bottom)), float(dice.uniform(0.25, 2.0))
        return shifted(world, dice, feature, size * float(dice.choice([-1, 1]))), feature, size
    if kind in ("concept", "both"):
        size, feature = float(np.exp(dice.uniform(np.log(0.1), np.log(2.0)))), int(dice.choice(order))
        now = changed(world, dice, feature, size)
        return (shifted(now, dice, feature, float(dice.uniform(0.25, 1.0))) if kind == "both" else now), feature, size
    return world, None, 0.0


def _evidence(served: Served, x: np.ndarray, scores: np.ndarray, y: np.ndarray, labelled: int) -> Evidence:
    task, baseline = served.world.task, served.baseline
    drifted = tuple(_drifted(served.reference, x))
    signals: list[Signal | None] = [data_signal(drifted, served.weights)]
    found = recoverable(frame_of(x[:labelled]), scores[:labelled], y[:labelled], task=task, baseline=baseline)
    signals.append(found.signal())
    if labelled >= 100:
        losses = row_loss(scores[:labelled], y[:labelled], task)
        error = float(losses.std(ddof=1) / np.sqrt(labelled)) / baseline
        signals.append(loss_signal("loss against the baseline", "performance", losses.mean() / baseline - 1, error))
    if task == "binary":
        told = scores * (1 - scores)
        error = float(told.std(ddof=1) / np.sqrt(len(told))) / baseline
        signals.append(loss_signal("estimated loss", "estimate", told.mean() / baseline - 1, error))
    return Evidence(signals=tuple(s for s in signals if s), drifted=drifted, importance=served.weights)


def _drifted(reference: np.ndarray, x: np.ndarray):
    """Kolmogorov-Smirnov and total variation, Benjamini-Hochberg at 1 %, effect of at least .03."""
    found = [(f"x{i}", *_ks(reference[:, i], x[:, i])) for i in range(x.shape[1] - 1)]
    found.append(("level", *_levels(reference[:, -1], x[:, -1])))
    order = sorted(found, key=lambda one: one[2])
    passed = max((i + 1 for i, one in enumerate(order) if one[2] <= 0.01 * (i + 1) / len(order)), default=0)
    return [Drifted(name=name, size=size, words=f"D = {size:.2f}") for name, size, _ in order[:passed] if size >= 0.03]


def _ks(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    a, b = np.sort(a), np.sort(b)
    both = np.concatenate([a, b])
    gap = np.abs(np.searchsorted(a, both, "right") / a.size - np.searchsorted(b, both, "right") / b.size).max()
    return float(gap), float(special.kolmogorov(gap * np.sqrt(a.size * b.size / (a.size + b.size))))


def _levels(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    table = np.array([np.bincount(a.astype(int), minlength=6), np.bincount(b.astype(int), minlength=6)], float)
    table = table[:, table.sum(axis=0) > 0]
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    chi2, shares = ((table - expected) ** 2 / expected).sum(), table / table.sum(axis=1, keepdims=True)
    return float(np.abs(shares[0] - shares[1]).sum() / 2), float(special.chdtrc(table.shape[1] - 1, chi2))


def _excess(family: str, champion: object, now: World, dice: np.random.Generator) -> float:
    x, fresh = now.draw(dice, ORACLE_ROWS), now.draw(dice, ORACLE_ROWS)
    oracle = FAMILIES[family](now.task, x, now.labels(dice, x))
    return now.expected_loss(champion(fresh), fresh) - now.expected_loss(oracle(fresh), fresh)
