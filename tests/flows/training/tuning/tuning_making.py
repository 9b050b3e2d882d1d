"""Studies over a race that costs nothing, whose best setting is known."""

import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np

from flows.training.families.family import Budget
from flows.training.tuning.plan import Tuning
from flows.training.tuning.space import Space
from flows.training.tuning.study import REPORT_EVERY, Search, Tried, study

ROUNDS = 200
SPACE = Space(
    logarithmic={"rate": (0.01, 1.0)},
    linear={"share": (0.0, 1.0)},
    whole={"depth": (1, 9)},
    choices={"kind": ("a", "b")},
)
START = {"rate": 0.5, "share": 0.9, "depth": 8, "kind": "b"}
SEARCH = Search(family="toy", space=SPACE, start=START, rounds=ROUNDS, seed=3)


@dataclass(frozen=True)
class ToyRace:
    """Its loss falls round by round to the distance from rate 0.1, share 0.3, depth 4, kind a."""

    seconds: float = 0.0
    marks: Path | None = None
    noise: np.ndarray = field(default_factory=lambda: np.zeros(1000))

    def run(self, params, watch=None):
        if self.marks:
            (self.marks / f"{os.getpid()}-{time.monotonic_ns()}").write_text(str(os.nice(0)))
        time.sleep(self.seconds)
        gap = abs(np.log10(params["rate"]) + 1) + abs(params["share"] - 0.3) + abs(params["depth"] - 4) / 4
        loss = gap + (params["kind"] == "b") + float(self.noise.sum())
        for done in range(REPORT_EVERY, ROUNDS + 1, REPORT_EVERY):
            if watch:
                watch(done, loss + 1 / done)
        return Tried(loss, {"rounds": ROUNDS})


def budget(trials=20, *, known=(), until=1e9, clock=lambda: 0.0, **tuning):
    return Budget(trials=trials, until=until, known=known, clock=clock, tuning=Tuning(**tuning))


def lines(folder: Path):
    """Every whole line of the one journal in *folder*."""
    (file,) = folder.glob("toy-*.jsonl")
    return [msgspec.json.decode(line) for line in file.read_bytes().split(b"\n") if line]


if __name__ == "__main__":
    kept, marks, workers = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    found = study(SEARCH, ToyRace(seconds=0.02 * workers, marks=marks), budget(30, folder=kept, workers=workers))
    print(msgspec.json.encode([setting.params for setting in found]).decode())
