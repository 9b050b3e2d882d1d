"""
Swap models and layouts of traffic under load: no request may fail, none be answered half by one plan, half by another.

Every swap is one transaction with another champion, another challenger, another order of features and other shares.
Callers send features by name at a fixed rate. Each answer must be that of the plan of its epoch in every part: the
variant that its key is dealt, the version behind it, and the very score of that version. How long the old epoch lives
on is counted from the commit to the last answer by it, of any worker.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from rig import report, served
from rig.pace import Answer, Pacing, quantile, summary
from rig.processes import Processes
from rig.routers import MODEL, NAMES, Router, linear, scorer

from registry.assignment import home_slices
from registry.records.plan import Arm, Slice, TrafficPlan
from registry.scoring.scorer import Scorer

EXAMPLES = """
Examples:
  python benchmarks/hot_swap.py                          # 1,000 swaps, about three minutes
  python benchmarks/hot_swap.py --swaps 50 --workers 2   # a quick look
"""
FORWARD, BACKWARD = tuple(NAMES), tuple(reversed(NAMES))


class Swap(NamedTuple):
    """A plan, and when its transaction was through, by the machine's monotonic clock."""

    plan: TrafficPlan
    committed: float


def main() -> int:
    args = parsed()
    with (
        tempfile.TemporaryDirectory(prefix="hot-swap-") as name,
        Processes(Path(name), {}) as processes,
        Router(processes, Path(name) / "state", workers=args.workers) as router,
    ):
        scorers = register(router)
        router.start("control")
        rows = [dict(zip(NAMES, row, strict=True)) for row in served.asked()]
        bodies = [{"key": f"k{number}", "features": row} for number, row in enumerate(rows)]
        file = served.write_bodies(Path(name) / "bodies.ndjson", bodies)
        swaps, answers = swapped(router, file, args)
    scores = {version: [float(s) for s in each.score(rows)] for version, each in scorers.items()}
    return told(swaps, answers, scores, args)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--swaps", type=int, default=1000)
    parser.add_argument("--every", type=float, default=0.15, help="seconds from swap to swap (0.15)")
    parser.add_argument("--rate", type=float, default=500, help="requests per second (500)")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    return parser.parse_args()


def register(router: Router) -> dict[str, Scorer]:
    """Six versions, more than a worker keeps warm: boosters and linear ones, with features in either order."""
    files = {f"v{seed + 1}.0.0": (scorer(seed), FORWARD) for seed in range(2)}
    for number in range(3, 7):
        features = BACKWARD if number % 2 else FORWARD
        files[f"v{number}.0.0"] = (linear(features, 0.01 * number), features)
    for version, (content, features) in files.items():
        router.register(version, content, features)
    router.install("v1.0.0")
    return {version: Scorer.of(content) for version, (content, _) in files.items()}


def swapped(router: Router, bodies: Path, args: argparse.Namespace) -> tuple[list[Swap], list[Answer]]:
    """Swap while the load runs; the first swap is the plan before."""
    first = router.registry.plan(MODEL)
    assert first is not None
    swaps, chance = [Swap(first, 0.0)], random.Random(5)
    pacing = Pacing(router.url, bodies, rate=args.rate, seconds=args.swaps * args.every + 3)
    try:
        time.sleep(1)
        began = time.monotonic()
        for number in range(args.swaps):
            time.sleep(max(0.0, began + number * args.every - time.monotonic()))
            swaps.append(swap(router, number, chance))
        return swaps, pacing.answers()
    finally:
        pacing.stop()


def swap(router: Router, number: int, chance: random.Random) -> Swap:
    champion, challenger = (f"v{1 + (number + more) % 6}.0.0" for more in (1, 3))
    slices = home_slices({"challenger": chance.choice((10_000, 100_000, 333_333, 500_000))})
    arms = (Arm(variant="champion", version=champion), Arm(variant="challenger", version=challenger))
    plan = router.crown(champion, arms=arms, slices=tuple(Slice(variant=v, weight=w) for v, w in slices))
    return Swap(plan, time.monotonic())


def mixed(answer: Answer, document: dict[str, Any], plan: TrafficPlan, scores: dict[str, list[float]]) -> str | None:
    """What of an answer is not by the plan of its epoch; None if all is."""
    number = answer.number % served.BODIES
    if document["assigned"] != plan.assign(f"k{number}").variant:
        return "assigned by another layout"
    if document["model_version"] != plan.version_of(document["variant"]):
        return "answered by another version"
    if abs(document["score"] - scores[document["model_version"]][number]) > 1e-6:
        return "scored by another version"
    return None


def lags(swaps: list[Swap], epochs: list[tuple[int, float]]) -> list[float]:
    """Seconds from each commit to the last answer by an older epoch; *epochs* are those of answers, and when."""
    ends = dict.fromkeys((swap.plan.epoch for swap in swaps), 0.0)
    for epoch, answered in epochs:
        ends[epoch] = max(ends[epoch], answered)
    found, last = [], 0.0
    for before, after in pairwise(swaps):
        last = max(last, ends[before.plan.epoch])
        found.append(max(0.0, last - after.committed))
    return found


def told(swaps: list[Swap], answers: list[Answer], scores: dict[str, list[float]], args: argparse.Namespace) -> int:
    plans = {swap.plan.epoch: swap.plan for swap in swaps}
    good = [(answer, json.loads(answer.body)) for answer in answers if answer.status == 200]
    mixes = Counter(found for answer, said in good if (found := mixed(answer, said, plans[said["epoch"]], scores)))
    seen = [(said["epoch"], answer.answered) for answer, said in good]
    late = [1000 * lag for lag in lags(swaps, seen)]
    statuses = Counter(answer.status for answer in answers)
    fallbacks = Counter(said["reason"] for _, said in good if said["variant"] != said["assigned"])
    figures: dict[str, Any] = {
        "statuses": statuses,
        "mixed": mixes,
        "fallbacks": fallbacks,
        "latency": summary(answers),
    }
    figures |= {"epochs_seen": len({epoch for epoch, _ in seen}), "swaps": len(swaps) - 1, "lag_ms": late}
    report.keep(args.json, **figures)
    print(f"\n{report.machine()}\n{args.workers} workers, {args.rate:g} requests/s, a swap every {args.every:g} s")
    print({name: value for name, value in figures.items() if name != "lag_ms"})
    failed = sum(answer.status != 200 for answer in answers)
    return report.judge(
        [
            report.none(failed, f"no request failed in {len(swaps) - 1} swaps", len(answers)),
            report.none(sum(mixes.values()), "no answer mixes two epochs", len(good)),
            report.most(quantile(late, 0.99), 1000, "the old epoch is gone <= 1 s after commit, p99", "ms"),
            report.most(quantile(late, 1.0), 1000, "the same, worst", "ms"),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
