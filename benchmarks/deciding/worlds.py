"""Ground truths that move, and champions that were trained before."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from scipy import special

LEVELS = 6


@dataclass(frozen=True, kw_only=True)
class World:
    """What is true now: how inputs are dealt, and how labels come of them."""

    task: str
    family: str  # linear: straight lines bent beyond the usual range; smooth: waves, products
    weights: np.ndarray  # of the numeric features
    effects: np.ndarray  # of the levels of the categorical one
    mixing: np.ndarray  # correlation of the inputs
    heavy: bool = False  # inputs with the tails of a t distribution
    noise: float = 1.0
    shift: np.ndarray | float = 0.0
    odds: np.ndarray | None = None  # of the levels
    flips: float = 0.0  # share of labels that are dice

    def draw(self, dice: np.random.Generator, rows: int) -> np.ndarray:
        k = self.weights.size
        plain = dice.standard_t(5, (rows, k)) / np.sqrt(5 / 3) if self.heavy else dice.normal(size=(rows, k))
        levels = dice.choice(LEVELS, rows, p=self.odds)
        return np.column_stack([plain @ self.mixing + self.shift, levels])

    def mean(self, x: np.ndarray) -> np.ndarray:
        """What a perfect model says: a probability, or an expected value."""
        numbers = x[:, :-1]
        linear = numbers @ self.weights + self.effects[x[:, -1].astype(int)]
        if self.family == "linear":
            bend = np.maximum(np.abs(numbers) - 1.8, 0) @ self.weights
            value = linear - 1.5 * bend
        else:
            waves = np.sin(1.5 * numbers) @ self.weights * 1.3
            value = waves + 0.4 * linear + 0.5 * self.weights[0] * numbers[:, 0] * numbers[:, 1]
        if self.task == "regression":
            return value
        return (1 - self.flips) * special.expit(value) + self.flips * 0.5

    def labels(self, dice: np.random.Generator, x: np.ndarray) -> np.ndarray:
        told = self.mean(x)
        if self.task == "binary":
            return (dice.random(len(x)) < told).astype(float)
        return told + self.noise * (1 + 2 * self.flips) * dice.normal(size=len(x))

    def expected_loss(self, scores: np.ndarray, x: np.ndarray) -> float:
        """Squared error of the probability, or absolute error, without the luck of the labels."""
        told = self.mean(x)
        if self.task == "binary":
            return float(((scores - told) ** 2 + told * (1 - told)).mean())
        sd, gap = self.noise * (1 + 2 * self.flips), scores - told
        folded = sd * np.sqrt(2 / np.pi) * np.exp(-(gap**2) / (2 * sd**2)) + gap * special.erf(gap / (sd * np.sqrt(2)))
        return float(folded.mean())


def a_world(dice: np.random.Generator, family: str, columns: tuple[int, int]) -> World:
    """Few features matter much, many little, some not at all."""
    k = int(dice.integers(*columns))
    weights = dice.permutation(0.75 ** np.arange(k) * dice.uniform(0.7, 1.3, k) * dice.choice([-1, 1], k))
    weights[dice.random(k) < 0.2] = 0
    weights /= max(np.sqrt((weights**2).sum()), 0.1) / dice.uniform(0.8, 1.6)
    mixing = np.linalg.qr(np.eye(k) + dice.uniform(0, 0.35) * dice.normal(size=(k, k)) / np.sqrt(k))[0]
    blend = np.eye(k) * 0.9 + 0.1 * mixing
    blend /= np.sqrt((blend**2).sum(axis=0))
    odds = dice.dirichlet(np.full(LEVELS, 3.0))
    return World(
        task=str(dice.choice(["binary", "regression"])),
        family=family,
        weights=weights,
        effects=0.5 * dice.normal(size=LEVELS),
        mixing=blend,
        heavy=family == "smooth",
        noise=float(dice.uniform(0.5, 1.5)),
        odds=odds,
    )


class Linear:
    """A (logistic) ridge regression on the numbers and the levels."""

    def __init__(self, task: str, x: np.ndarray, y: np.ndarray) -> None:
        from sklearn.linear_model import LogisticRegression, Ridge

        self.model = LogisticRegression(C=10.0, max_iter=300) if task == "binary" else Ridge(1.0)
        self.binary = task == "binary"
        self.model.fit(self._spread(x), y)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        wide = self._spread(x)
        return self.model.predict_proba(wide)[:, 1] if self.binary else self.model.predict(wide)

    @staticmethod
    def _spread(x: np.ndarray) -> np.ndarray:
        return np.column_stack([x[:, :-1], x[:, -1:] == np.arange(LEVELS)])


class Trees:
    """Boosted trees."""

    def __init__(self, task: str, x: np.ndarray, y: np.ndarray) -> None:
        import xgboost

        self.xgboost = xgboost
        objective = "binary:logistic" if task == "binary" else "reg:squarederror"
        params = {
            "max_depth": 4,
            "eta": 0.12,
            "nthread": 1,
            "objective": objective,
            "lambda": 2.0,
            "min_child_weight": 5,
        }
        self.model = xgboost.train(params, xgboost.DMatrix(x, label=y), 60)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return self.model.predict(self.xgboost.DMatrix(x)).astype(float)


class Forest:
    """A random forest: neither a line nor boosted."""

    def __init__(self, task: str, x: np.ndarray, y: np.ndarray) -> None:
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        kind = RandomForestClassifier if task == "binary" else RandomForestRegressor
        self.binary = task == "binary"
        self.model = kind(30, min_samples_leaf=10, max_features=0.5, random_state=0, n_jobs=1).fit(x, y)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return self.model.predict_proba(x)[:, 1] if self.binary else self.model.predict(x)


FAMILIES = {"linear": Linear, "trees": Trees, "forest": Forest}


def frame_of(x: np.ndarray) -> pl.DataFrame:
    numbers = {f"x{i}": x[:, i] for i in range(x.shape[1] - 1)}
    return pl.DataFrame({**numbers, "level": [f"l{int(level)}" for level in x[:, -1]]})


def array_of(frame: pl.DataFrame) -> np.ndarray:
    numbers = [frame[name].to_numpy() for name in frame.columns[:-1]]
    return np.column_stack([*numbers, frame["level"].str.slice(1).cast(pl.Float64).to_numpy()])


def shifted(world: World, dice: np.random.Generator, feature: int, size: float) -> World:
    if feature == world.weights.size:  # the levels
        odds = world.odds * np.exp(2 * size * np.eye(LEVELS)[int(dice.integers(LEVELS))])
        return replace(world, odds=odds / odds.sum())
    return replace(world, shift=world.shift + size * np.eye(world.weights.size)[feature])


def changed(world: World, dice: np.random.Generator, feature: int, size: float) -> World:
    if feature == world.weights.size:
        return replace(world, effects=world.effects + size * dice.normal(size=LEVELS))
    return replace(world, weights=world.weights + size * dice.choice([-1, 1]) * np.eye(world.weights.size)[feature])
