"""How long a memory: decided by how models of several memories have done on later rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FADING = 0.9
CAUTION = 0.1
FEWEST_ROWS = 30
_STURDY = 0.02  # a gain below this share of the loss is no reason to change
_LEAST = 2.0**-20  # of a weight: were all but the newest row 0, there might be one class


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """
    One stretch of time on which all candidates were scored, none having learned from it.

    Attributes:
        labels: Shape (m,): 0 or 1, or the value.
        scores: Shape (m, candidates): P(1) or the value.
    """

    labels: Floats
    scores: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """
    What the trials say of the candidates.

    Attributes:
        enough: Whether there were trials to judge by; otherwise the shares are even and the first is best.
        shares: Weight of each candidate in an average of their predictions; they add up to 1.
        losses: Squared error of each, over that of their mean, averaged over the trials; None without trials.
        best: The one to take where only one can be served: the first, unless another is clearly better.
        said: In words.
    """

    enough: bool
    shares: tuple[float, ...]
    losses: tuple[float, ...] | None
    best: int
    said: str


def fading(times: Floats, half_life: float | None) -> Floats | None:
    """
    Weigh each row by its age against the newest one.

    Args:
        times: Shape (n,), epoch seconds, ascending.
        half_life: Seconds after which a row counts half; None: all count alike.

    Returns:
        2^(-age / half-life), the newest row 1 and none below 2^-20; None where all count alike.

    Example:
        >>> fading(np.array([0.0, 60.0, 120.0]), 60.0).tolist()
        [0.25, 0.5, 1.0]
    """
    if half_life is None or not len(times):
        return None
    return np.asarray(np.maximum(np.exp2((times - times[-1]) / half_life), _LEAST), dtype=np.float64)


def choose_window(
    trials: Sequence[Trial], candidates: int, *, fading: float = FADING, caution: float = CAUTION
) -> Choice:
    """
    Weigh models of several memories by how they did on stretches that came later.

    An average is served rather than the best one: which memory is best changes from month to month,
    and the newest stretch alone is too noisy to tell. The shares minimise the squared error of the
    average, drawn towards even shares. Every trial counts relative to its own size of errors, so that
    one wild stretch does not decide.

    Args:
        trials: The newest first; those under 30 rows are left out.
        candidates: How many there are, the one in use first.
        fading: Weight of each trial relative to the next newer one, above 0 and at most 1.
        caution: Pull towards even shares, above 0; 0.1 is a tenth of the candidates' mean squared error.

    Raises:
        ValueError: If a trial has another number of candidates, or an option is out of range.

    Source:
        Breiman (1996), Stacked regressions, Machine Learning 24:49-64 (shares not negative, adding up
        to 1); the pull towards even shares as in Diebold and Pauly (1990), Int. J. Forecasting 6:503-508.

    Example:
        >>> labels = np.arange(40.0)
        >>> trial = Trial(labels=labels, scores=np.column_stack([labels + 1, labels - 3]))
        >>> choice = choose_window([trial], 2)
        >>> choice.best, [round(share, 2) for share in choice.shares]
        (0, [0.74, 0.26])
    """
    _refuse(trials, candidates, fading, caution)
    grams = [_gram(trial) for trial in trials if len(trial.labels) >= FEWEST_ROWS]
    if not grams:
        even = (1 / candidates,) * candidates
        said = f"not enough data: no trial of {FEWEST_ROWS} rows; even shares"
        return Choice(enough=False, shares=even, losses=None, best=0, said=said)
    losses = np.array([np.diag(gram) for gram in grams], dtype=np.float64)
    weights = np.power(fading, np.arange(len(grams), dtype=np.float64))
    mixed = np.tensordot(weights / weights.sum(), np.array(grams), axes=1)
    shares = _shares(mixed + caution * np.eye(candidates))
    best = _sturdy(losses, weights)
    return Choice(
        enough=True,
        shares=tuple(shares.tolist()),
        losses=tuple(np.average(losses, axis=0, weights=weights).tolist()),
        best=best,
        said=f"{len(grams)} trials; shares {', '.join(f'{share:.0%}' for share in shares)}",
    )


def _gram(trial: Trial) -> Floats:
    """Mean products of the candidates' errors, shape (k, k), over the mean of their squares."""
    errors = trial.scores - trial.labels[:, None]
    gram = errors.T @ errors / len(errors)
    size = float(np.trace(gram)) / len(gram)
    return np.asarray(gram / size if size > 0 else gram, dtype=np.float64)


def _shares(gram: Floats) -> Floats:
    """
    Minimise a' *gram* a over shares a.

    Up to its scale, a minimises a' gram a / 2 - sum(a) over a >= 0, which is a problem of
    non-negative least squares.
    """
    from scipy.optimize import nnls

    root = np.linalg.cholesky(gram).T
    found, _ = nnls(root, np.linalg.solve(root.T, np.ones(len(gram))))
    return np.asarray(found / found.sum(), dtype=np.float64)


def _sturdy(losses: Floats, weights: Floats) -> int:
    """Keep the first, unless another is better by more than noise and more than a trifle."""
    gains = losses[:, :1] - losses
    mean = np.average(gains, axis=0, weights=weights)
    spread = np.sqrt(np.average((gains - mean) ** 2, axis=0, weights=weights) / max(1, len(gains) - 1))
    other = int(np.argmax(mean))
    return other if mean[other] > max(_STURDY, float(spread[other])) else 0


def _refuse(trials: Sequence[Trial], candidates: int, fading: float, caution: float) -> None:
    mistakes = [
        f"trial {number} has scores of shape {trial.scores.shape}, not ({len(trial.labels)}, {candidates})"
        for number, trial in enumerate(trials)
        if trial.scores.shape != (len(trial.labels), candidates)
    ]
    if candidates < 1:
        mistakes.append(f"there are {candidates} candidates, and 1 is needed")
    if not 0 < fading <= 1:
        mistakes.append(f"fading {fading} is not above 0 and at most 1")
    if not caution > 0:
        mistakes.append(f"caution {caution} is not above 0")
    if mistakes:
        raise ValueError("; ".join(mistakes))
