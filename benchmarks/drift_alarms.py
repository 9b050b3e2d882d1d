"""
False alarms and power of drift rules side by side: ours, the plain ones, Benjamini-Hochberg, Evidently and NannyML.

One fixed reference of 50 features meets windows without drift, and windows in which five numeric features moved by a
quarter of their standard deviation. Peers live in environments of their own under --peers (evidently/, nannyml/), made
as drift_speed.py says; one that is not there is skipped, with a line that says so.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import chi2_contingency, false_discovery_control, ks_2samp

from flows.config.load import parse_config
from flows.config.model import ModelConfig
from flows.detection.drift import drift_between

HERE = Path(__file__).resolve().parent
SIZES = ("1000:1000", "5000:1000")
NUMERIC = tuple(f"x{i}" for i in range(40))
CATEGORICAL = tuple(f"c{i}" for i in range(10))
LEVELS = (2, 3, 5, 8, 12, 20, 50, 100, 200, 200)
SHIFTED = NUMERIC[:5]  # each of the four shapes, and a second normal
SHIFT = 0.25  # standard deviations
DEVIATIONS = (1.0, (np.e * (np.e - 1)) ** 0.5, 10.0, 3**0.5)  # of the shapes, in order
KINDS = ("calm", "shifted")
PEERS = {"Evidently, default": "evidently", "NannyML, default": "nannyml"}
Rule = Callable[[pl.DataFrame, pl.DataFrame], set[str]]


@dataclass
class Seen:
    """What one rule said of its windows: the names of the features alarmed, and the seconds that each window took."""

    calm: list[set[str]] = field(default_factory=list)
    shifted: list[set[str]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def main() -> None:
    given = arguments()
    peers = {name: python for name, system in PEERS.items() if (python := interpreter(system, given.peers))}
    print("\n| reference, window | rule | windows without drift that alarm | features alarmed in them |", end="")
    print(" shifted features found | s per window |\n|---|---|---|---|---|---|")
    for text in given.sizes:
        before, now = map(int, text.split(":"))
        found = measure((before, now), given.windows, given.seed)
        for name, python in peers.items():
            found[name] = ask(PEERS[name], python, (before, now), given)
        print("\n".join(line((before, now), name, seen) for name, seen in found.items()), flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=40, help="without drift, and as many with it")
    parser.add_argument("--peer-windows", type=int, default=10, help="the same for the peers, which are slower")
    parser.add_argument("--peers", type=Path, help="folder of the peers' environments")
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="rows of reference:window; 50000:10000 takes minutes")
    parser.add_argument("--seed", type=int, default=0, help="another one makes another reference")
    return parser.parse_args()


def interpreter(system: str, peers: Path | None) -> Path | None:
    python = (peers or Path("nowhere")) / system / "bin" / "python"
    if not python.exists():
        print(f"{system} is skipped: " + (f"there is no {python}" if peers else "no --peers was given"), flush=True)
        return None
    return python


def reference(size: tuple[int, int], seed: int) -> pl.DataFrame:
    return table(np.random.default_rng([seed, size[0], 9]), size[0])


def window(size: tuple[int, int], seed: int, kind: str, number: int) -> pl.DataFrame:
    """The same for all rules, by its number."""
    made = table(np.random.default_rng([seed, *size, KINDS.index(kind), number]), size[1])
    if kind == "calm":
        return made
    steps = {name: SHIFT * DEVIATIONS[NUMERIC.index(name) % len(DEVIATIONS)] for name in SHIFTED}
    return made.with_columns(pl.col(name) + step for name, step in steps.items())


def table(dice: np.random.Generator, rows: int) -> pl.DataFrame:
    """40 columns of numbers in four shapes; 10 of levels, every second one by Zipf's law with rare levels."""
    shapes: tuple[Callable[[], Any], ...] = (
        lambda: dice.normal(size=rows),
        lambda: dice.lognormal(size=rows),
        lambda: dice.normal(50, 10, rows).round(),
        lambda: dice.standard_t(3, rows),
    )
    columns = {name: pl.Series(shapes[i % len(shapes)]()) for i, name in enumerate(NUMERIC)}
    for i, (name, count) in enumerate(zip(CATEGORICAL, LEVELS, strict=True)):
        chances = 1 / np.arange(1, count + 1) ** (1.2 * (i % 2))
        drawn = dice.choice(count, rows, p=chances / chances.sum())
        columns[name] = pl.Series([f"level {level}" for level in drawn.tolist()])
    return pl.DataFrame(columns)


def measure(size: tuple[int, int], windows: int, seed: int) -> dict[str, Seen]:
    """All rules of this environment, window by window."""
    was, rules = reference(size, seed), rules_here()
    found = {name: Seen() for name in rules}
    for kind in KINDS:
        for number in range(windows):
            now = window(size, seed, kind, number)
            for name, rule in rules.items():
                begun = time.perf_counter()
                alarmed = rule(was, now)
                found[name].seconds.append(time.perf_counter() - begun)
                getattr(found[name], kind).append(alarmed)
    return found


def rules_here() -> dict[str, Rule]:
    config = parse_config(
        {
            "model": "m",
            "task": "binary",
            "target": "y",
            "features": {"numeric": list(NUMERIC), "categorical": list(CATEGORICAL)},
        },
        "benchmark",
    )
    return {
        "understudy": lambda was, now: understudy(was, now, config),
        "plain: KS or chi-square, p < .05": plain_p,
        "plain: PSI > .2": plain_psi,
        "Benjamini-Hochberg .01 of scipy's p": corrected,
    }


def understudy(was: pl.DataFrame, now: pl.DataFrame, config: ModelConfig) -> set[str]:
    return {feature.name for feature in drift_between(was, now, config).drifted}


def plain_p(was: pl.DataFrame, now: pl.DataFrame) -> set[str]:
    return {name for name, p in p_values(was, now).items() if p < 0.05}


def corrected(was: pl.DataFrame, now: pl.DataFrame) -> set[str]:
    found = p_values(was, now)
    adjusted = false_discovery_control(list(found.values()), method="bh")
    return {name for name, p in zip(found, adjusted, strict=True) if p < 0.01}


def plain_psi(was: pl.DataFrame, now: pl.DataFrame) -> set[str]:
    return {name for name in (*NUMERIC, *CATEGORICAL) if psi(*binned(was[name], now[name])) > 0.2}


def p_values(was: pl.DataFrame, now: pl.DataFrame) -> dict[str, float]:
    """By scipy: Kolmogorov-Smirnov of numbers, chi-square of all levels as they are."""
    found = {name: float(ks_2samp(was[name].to_numpy(), now[name].to_numpy()).pvalue) for name in NUMERIC}
    for name in CATEGORICAL:
        counts = np.vstack(levelled(was[name], now[name]))
        found[name] = float(chi2_contingency(counts, correction=False).pvalue)
    return found


def binned(was: pl.Series, now: pl.Series) -> tuple[Any, Any]:
    """Counts of both sides over the reference's deciles, or by level."""
    if was.dtype == pl.String:
        return levelled(was, now)
    edges = np.unique(np.quantile(was.to_numpy(), np.arange(1, 10) / 10))
    sides = (np.searchsorted(edges, side.to_numpy(), side="left") for side in (was, now))
    first, second = (np.bincount(side, minlength=edges.size + 1) for side in sides)
    return first, second


def levelled(was: pl.Series, now: pl.Series) -> tuple[Any, Any]:
    levels = np.unique(np.concatenate([was.to_numpy(), now.to_numpy()]).astype(str))
    sides = (np.searchsorted(levels, side.to_numpy().astype(str)) for side in (was, now))
    first, second = (np.bincount(side, minlength=levels.size) for side in sides)
    return first, second


def psi(was: Any, now: Any) -> float:
    """An empty bin counts as half a row."""
    before, after = (np.maximum(side, 0.5) / side.sum() for side in (was, now))
    return float(((after - before) * np.log(after / before)).sum())


def ask(system: str, python: Path, size: tuple[int, int], given: argparse.Namespace) -> Seen:
    """Have a peer judge the first of the same windows, in one process of its own."""
    count = min(given.windows, given.peer_windows)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        reference(size, given.seed).write_parquet(folder / "reference.parquet")
        for kind in KINDS:
            for number in range(count):
                window(size, given.seed, kind, number).write_parquet(folder / f"{kind}-{number}.parquet")
        names = [json.dumps(NUMERIC), json.dumps(CATEGORICAL)]
        command = [str(python), str(HERE / "peer_alarms.py"), system, name, str(count), *names]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    if done.returncode:
        raise SystemExit(f"{system} failed:\n{done.stderr[-2000:]}")
    said = json.loads(done.stdout.splitlines()[-1])
    calm, shifted = ([set(names) for names in said[kind]] for kind in KINDS)
    return Seen(calm, shifted, said["seconds"])


def line(size: tuple[int, int], name: str, seen: Seen) -> str:
    any_alarm = sum(bool(alarmed) for alarmed in seen.calm)
    features = share(seen.calm, (*NUMERIC, *CATEGORICAL))
    cells = [
        f"{size[0]:,}, {size[1]:,}",
        name,
        f"{any_alarm} of {len(seen.calm)} ({any_alarm / len(seen.calm):.0%})",
        f"{features:.1%}",
        f"{share(seen.shifted, SHIFTED):.0%} ({len(seen.shifted)} windows)",
        f"{statistics.median(seen.seconds):.3f}",
    ]
    return f"| {' | '.join(cells)} |"


def share(windows: Sequence[set[str]], names: Sequence[str]) -> float:
    return sum(len(alarmed.intersection(names)) for alarmed in windows) / len(windows) / len(names)


if __name__ == "__main__":
    main()
