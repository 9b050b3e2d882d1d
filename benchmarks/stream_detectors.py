"""
Detectors on streams of errors: false alarms, share of changes found, delay beside the information limit, time per row.

The limit is Lorden's, ln(run length) / Kullback-Leibler rate at one false alarm in 100,000 rows, for a detector that
knows both levels beforehand. For errors that depend on each other it is the rate of the Markov chain that made them.
"""

import argparse
import math
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rig import report
from rig.report import Bar

from flows.config.detection.streams import Streams
from flows.detection.streams.detectors import river_rows
from flows.detection.streams.evidence import Before
from flows.detection.streams.scan import scan_changes

Floats = NDArray[np.float64]
Fires = Callable[[Floats], list[int]]
ROWS, CHANGE, RUN_LENGTH, CLOSE = 10_000, 5_000, 1e5, 0.8
RIVER = ("adwin", "page_hinkley", "ddm", "hddm_a", "hddm_w")


class Case(NamedTuple):
    """Errors whose rate may depend on the row; *copied* is the chance that a row repeats the one before."""

    name: str
    rates: Floats
    copied: float = 0.0
    changes: bool = False
    limit: float | None = None

    def errors(self, dice: np.random.Generator) -> Floats:
        fresh = dice.random(ROWS) < self.rates
        own = dice.random(ROWS) >= self.copied
        own[0] = True
        return fresh[np.maximum.accumulate(np.where(own, np.arange(ROWS), 0))].astype(np.float64)


def main() -> int:
    args = parsed()
    wanted = [case for case in cases() if args.only is None or any(word in case.name for word in args.only)]
    chosen = {name: fires for name, fires in detectors().items() if name not in args.without}
    found = [tried(name, fires, case, args.streams, args.seed) for case in wanted for name, fires in chosen.items()]
    shown(found, wanted)
    report.keep(args.json, figures=found)
    return report.judge(bars(found))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=60, help="of 10,000 rows, for each case (60)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", metavar="WORD", help="cases whose name has one of these words")
    parser.add_argument("--without", nargs="+", default=[], metavar="NAME", help="detectors to leave out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure here")
    return parser.parse_args()


def cases() -> list[Case]:
    rows = np.arange(ROWS)
    flat, ramp = np.full(ROWS, 0.15), 0.15 + 0.15 * np.clip((rows - CHANGE) / 2000, 0, 1)
    wave = 0.15 + 0.05 * np.sin(2 * np.pi * rows / 1000)
    small, large = np.where(rows < CHANGE, 0.15, 0.20), np.where(rows < CHANGE, 0.15, 0.30)
    return [
        Case("no change, .15", flat),
        Case("no change, .02", np.full(ROWS, 0.02)),
        Case("no change, dependence .8", flat, CLOSE),
        Case("no change, season +-.05 of 1000 rows", wave),
        Case(".15 to .20", small, changes=True, limit=limit(0.15, 0.20, 0.0)),
        Case(".15 to .30", large, changes=True, limit=limit(0.15, 0.30, 0.0)),
        Case(".15 to .30 within 2000 rows", ramp, changes=True),
        Case(".15 to .30, dependence .8", large, CLOSE, changes=True, limit=limit(0.15, 0.30, CLOSE)),
    ]


def limit(good: float, bad: float, copied: float) -> float:
    """Rows: ln(run length) over the information that one more row brings on average."""
    after_right, after_wrong = (
        ((1 - copied) * rate for rate in (good, bad)),
        (copied + (1 - copied) * rate for rate in (good, bad)),
    )
    rate = (1 - bad) * divergence(*after_right) + bad * divergence(*after_wrong)
    return math.log(RUN_LENGTH) / rate


def divergence(good: float, bad: float) -> float:
    """Of bad from good."""
    return bad * math.log(bad / good) + (1 - bad) * math.log((1 - bad) / (1 - good))


def detectors() -> dict[str, Fires]:
    options = Streams()
    return {
        "scan": partial(scanned, options, None),
        "scan, level known": partial(_known, options),
        **{name: partial(river_rows, name) for name in RIVER},
        "always fires": lambda errors: list(range(errors.size)),
        "never fires": lambda _: [],
    }


def _known(options: Streams, errors: Floats) -> list[int]:
    return scanned(options, Before(mean=0.02 if errors[:CHANGE].mean() < 0.05 else 0.15, rows=20_000), errors)


def scanned(options: Streams, before: Before | None, errors: Floats) -> list[int]:
    return [change.row for change in scan_changes(errors, options, before) if change.after > change.before]


def tried(name: str, fires: Fires, case: Case, streams: int, seed: int) -> report.Figure:
    dice = np.random.default_rng(seed)
    every = [case.errors(dice) for _ in range(streams)]
    begun = time.perf_counter()
    fired = [np.array(fires(errors), dtype=np.int64) for errors in every]
    seconds = time.perf_counter() - begun
    end = CHANGE if case.changes else ROWS
    figure: report.Figure = {"case": case.name, "detector": name, "streams": streams, "limit": case.limit}
    figure["false"] = sum(int((rows < end).sum()) for rows in fired) / (streams * end) * 10_000
    figure["us"] = seconds / (streams * ROWS) * 1e6
    if case.changes:
        delays = [int(rows[rows >= end][0]) - end + 1 if (rows >= end).any() else math.inf for rows in fired]
        figure |= {"share": float(np.isfinite(delays).mean()), "delay": float(np.median(delays))}
    return figure


def shown(found: list[report.Figure], wanted: list[Case]) -> None:
    columns = ("detector", "false alarms per 10k", "found", "median delay", "delay / limit", "us per row")
    for case in wanted:
        title = case.name + (f" (limit {case.limit:.0f} rows)" if case.limit else "")
        report.show(columns, [_row(figure) for figure in found if figure["case"] == case.name], title)


def _row(figure: report.Figure) -> tuple[str, ...]:
    false, us = f"{figure['false']:.2f}", f"{figure['us']:.2f}"
    if "delay" not in figure:
        return figure["detector"], false, "", "", "", us
    ratio = f"{figure['delay'] / figure['limit']:.2f}" if figure["limit"] else ""
    return figure["detector"], false, f"{figure['share']:.0%}", f"{figure['delay']:.0f}", ratio, us


def bars(found: list[report.Figure]) -> list[Bar]:
    ours = {figure["case"]: figure for figure in found if figure["detector"] == "scan"}
    held = [
        *((name, "false", most) for name, most in (("no change, .15", 0.1), ("no change, .02", 0.1))),
        ("no change, dependence .8", "false", 1.0),
        ("no change, season +-.05 of 1000 rows", "false", 0.1),
        *((name, "ratio", 1.15) for name in (".15 to .20", ".15 to .30")),
        (".15 to .30, dependence .8", "ratio", 2.0),
    ]
    return [_bar(ours[name], what, most) for name, what, most in held if name in ours]


def _bar(figure: report.Figure, what: str, most: float) -> Bar:
    if what == "false":
        return Bar(
            f"{figure['case']}: false alarms per 10k <= {most}", f"{figure['false']:.3f}", figure["false"] <= most
        )
    ratio = figure["delay"] / figure["limit"]
    return Bar(f"{figure['case']}: median delay <= {most} x the limit", f"{ratio:.2f}", ratio <= most)


if __name__ == "__main__":
    raise SystemExit(main())
