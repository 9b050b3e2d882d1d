"""
Shadow or split: how many labelled requests until a better model is recognised?

The challenger is right one point more often. In shadow mode both models score every request and the exact
e-process counts discordant pairs (2.5 % lost, 3.5 % won); in a 50/50 split each request is scored by one
model and always-valid tests compare the rates. "Tuned" are tests told beforehand about how many requests it will
take, in shadow and split alike; "untuned" have their defaults. In shadow every request is a look, in the split every
50th. All stop for good when they reject equality at 5 %; runs that have not by the horizon count as the horizon.
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln

from flows.stats.sequential.arms import arms
from flows.stats.sequential.mixture import log_p, tuning
from flows.stats.sequential.pairs import prior_for

ALPHA = 0.05
LOST, WON = 0.025, 0.035
SHARES = (0.1, 0.25, 0.5, 0.75, 0.9)
CHUNK = 50


def first(over: NDArray[np.bool_], at: NDArray[np.int64]) -> NDArray[np.int64]:
    """Requests at the first rejection; the last look where there is none."""
    return np.where(over.any(axis=1), at[over.argmax(axis=1)], at[-1])


def shadow(runs: int, horizon: int, a: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Labelled requests until the e-process on discordant pairs rejects."""
    drawn = rng.random((runs, horizon), dtype=np.float32)
    won = np.cumsum(drawn < WON, axis=1, dtype=np.int32)
    lost = np.cumsum(drawn > 1 - LOST, axis=1, dtype=np.int32)
    table = betaln(a + np.arange(won.max() + 1)[:, None], a + np.arange(lost.max() + 1)[None, :]) - betaln(a, a)
    log_e = table[won, lost] + (won + lost) * math.log(2)
    return first(log_e >= -math.log(ALPHA), np.arange(1, horizon + 1))


def split(runs: int, horizon: int, accuracy: float, tuned_to: float, rng: np.random.Generator) -> dict[str, Any]:
    """Labelled requests until the always-valid tests of two arms reject."""
    looks = horizon // CHUNK
    n = np.arange(1, looks + 1) * CHUNK / 2
    ours = np.cumsum(rng.binomial(CHUNK // 2, accuracy, (runs, looks)), axis=1)
    theirs = np.cumsum(rng.binomial(CHUNK // 2, accuracy + WON - LOST, (runs, looks)), axis=1)
    at = np.arange(1, looks + 1) * CHUNK
    return {
        "untuned split, means": first(_means(n, ours, theirs, 500) & (n >= 30), at),
        "tuned split, means": first(_means(n, ours, theirs, tuned_to) & (n >= 30), at),
        "tuned split, rates": first(_rates(n, ours, theirs, accuracy, tuned_to), at),
    }


def _means(
    n: NDArray[np.float64], ours: NDArray[np.int64], theirs: NDArray[np.int64], tuned_to: float
) -> NDArray[np.bool_]:
    """As `two_sample_sequence`."""
    p1, p2 = ours / n, theirs / n
    v1, v2 = (p * (1 - p) * n / (n - 1) for p in (p1, p2))
    error, time = arms(n, v1, n, v2, (v1 + v2) / 2)
    z2 = np.divide(p2 - p1, error, out=np.zeros_like(error), where=error > 0) ** 2
    return np.asarray(log_p(z2, time, alpha=ALPHA, tuned_to=tuned_to) <= math.log(ALPHA))


def _rates(
    n: NDArray[np.float64], ours: NDArray[np.int64], theirs: NDArray[np.int64], accuracy: float, tuned_to: float
) -> NDArray[np.bool_]:
    """As `two_rates_sequence`, on mistakes."""
    lost, won = n - ours, n - theirs
    a = 0.5 / tuning(ALPHA, max(2 * tuned_to * (1 - accuracy), 16))
    log_e = betaln(a + won, a + lost) - betaln(a, a) + (won + lost) * math.log(2)
    return np.asarray(log_e >= -math.log(ALPHA))


def summary(requests: NDArray[np.int64], horizon: int) -> dict[str, float]:
    found = dict(zip((f"q{round(100 * q)}" for q in SHARES), np.quantile(requests, SHARES).tolist(), strict=True))
    return {**found, "mean": float(requests.mean()), "undecided": float(np.mean(requests >= horizon))}


def needed(variance: float) -> float:
    """Rough number of values at which a confidence sequence tuned to it excludes 0."""
    return 9.2 * variance / (WON - LOST) ** 2


def compare(accuracy: float, runs: int, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    pairs = needed(LOST + WON)
    per_arm = needed(accuracy * (1 - accuracy) + (accuracy + 0.01) * (0.99 - accuracy))
    shadow_horizon, split_horizon = round(8 * pairs), round(6 * 2 * per_arm)
    found: dict[str, Any] = {
        "untuned e-process": summary(shadow(runs, shadow_horizon, 1.0, rng), shadow_horizon),
        "tuned e-process": summary(
            shadow(runs, shadow_horizon, prior_for(pairs * (LOST + WON), alpha=ALPHA), rng), shadow_horizon
        ),
    }
    for name, requests in split(runs, split_horizon, accuracy, per_arm, rng).items():
        found[name] = summary(requests, split_horizon)
    best = min(found[f"tuned split, {name}"]["q50"] for name in ("means", "rates"))
    return {
        "accuracy": accuracy,
        "runs": runs,
        "methods": found,
        "ratio": found["untuned split, means"]["q50"] / found["untuned e-process"]["q50"],
        "ratio_tuned": best / found["tuned e-process"]["q50"],
    }


def show(found: dict[str, Any]) -> None:
    print(f"\naccuracy {found['accuracy']:.2f} against {found['accuracy'] + 0.01:.2f}, {found['runs']} runs")
    print(f"| {'method':20} | " + " | ".join(f"{f'{q:.0%}':>7}" for q in SHARES) + " |    mean | undecided |")
    for name, row in found["methods"].items():
        print(
            f"| {name:20} | "
            + " | ".join(f"{row[f'q{round(100 * q)}']:7.0f}" for q in SHARES)
            + f" | {row['mean']:7.0f} | {row['undecided']:9.1%} |"
        )
    print(f"median in the split / in shadow: both untuned {found['ratio']:.1f}, both tuned {found['ratio_tuned']:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--accuracy", type=float, nargs="+", default=[0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95])
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = [compare(accuracy, given.runs, given.seed) for accuracy in given.accuracy]
    for one in found:
        show(one)
    if given.json:
        given.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
