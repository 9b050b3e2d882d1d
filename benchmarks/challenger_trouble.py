"""
A challenger with half of the traffic gets into trouble: what callers see of it, and how soon nobody asks it any more.

The challenger is a remote version on a server of this machine that does well for two seconds and then hangs, fails,
says NaN, is ten times slower than before (later than its deadline), breaks off, or talks nonsense. Latencies count from
when a request was due. "Off after" is when the last answer came that had waited for the challenger in the first two
seconds of trouble, on any worker; after that the circuit lets single probes through, unless a guard has stopped it.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from rig import report
from rig.pace import Answer, Pacing, quantile
from rig.processes import Processes
from rig.trouble import Trouble
from rig.upstream import MODES

EXAMPLES = """
Examples:
  python benchmarks/challenger_trouble.py                              # about two minutes
  python benchmarks/challenger_trouble.py --modes hang nan --rounds 3
"""
HALF, CALM_S, PROBE_S = 500_000, 2.0, 2.0
SPARED = {"breaker_open", "stopped"}
Said = tuple[Answer, dict[str, Any]]


def main() -> int:
    args = parsed()
    with tempfile.TemporaryDirectory(prefix="trouble-") as name, Processes(Path(name), {}) as processes:
        trouble = Trouble(processes, Path(name), workers=args.workers, deadline_ms=args.deadline_ms)
        with trouble.router:
            trouble.start("control")
            jobs = [(turn, mode) for turn in range(args.rounds) for mode in args.modes]
            found = [{"round": turn, "mode": mode} | measured(trouble, mode, args) for turn, mode in jobs]
    report.keep(args.json, figures=found)
    return told(found, args)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES[1:])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--rate", type=float, default=200, help="requests per second (200)")
    parser.add_argument("--seconds", type=float, default=5, help="of trouble (5)")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--deadline-ms", type=float, default=30, help="the challenger's (30)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single measurement here")
    return parser.parse_args()


def measured(trouble: Trouble, mode: str, args: argparse.Namespace) -> dict[str, Any]:
    """One new phase: calm, then trouble."""
    trouble.again(HALF)
    pacing = Pacing(trouble.router.url, trouble.bodies, rate=args.rate, seconds=CALM_S + args.seconds)
    try:
        time.sleep(CALM_S)
        since = trouble.mode(mode)
        answers = pacing.answers()
    finally:
        pacing.stop()
        trouble.mode("well")
    return figures(answers, since)


def figures(answers: list[Answer], since: float) -> dict[str, Any]:
    good = [(answer, json.loads(answer.body)) for answer in answers if answer.status == 200]
    calm = [answer.latency_ms for answer, said in good if said["assigned"] == "champion" and answer.due < since]
    before = Counter(said["reason"] for answer, said in good if said["assigned"] == "challenger" and answer.due < since)
    troubled = [answer.latency_ms for answer in answers if answer.due >= since]
    return {
        "requests": len(answers),
        "failed": sum(answer.status != 200 for answer in answers),
        "champion_p99_ms": quantile(calm, 0.99),
        "before": before,
        "p50_ms": quantile(troubled, 0.5),
        "p99_ms": quantile(troubled, 0.99),
        "max_ms": quantile(troubled, 1.0),
        "off_s": off_after(good, since),
        "reasons": Counter(said["reason"] for _, said in good if said["variant"] != said["assigned"]),
    }


def off_after(good: list[Said], since: float) -> float:
    """Seconds from the beginning of the trouble to the last answer that had waited for the challenger."""
    waited = [
        answer.answered - since
        for answer, said in good
        if said["assigned"] == "challenger" and answer.due >= since and said["reason"] not in SPARED
    ]
    return max((seconds for seconds in waited if seconds < PROBE_S), default=0.0)


def told(found: list[dict[str, Any]], args: argparse.Namespace) -> int:
    print(f"\n{report.machine()}\n{args.workers} workers, {args.rate:g} requests/s, half to the challenger")
    columns = (
        "trouble",
        "failed",
        "champion p99 before, ms",
        "p50 ms",
        "p99 ms",
        "worst ms",
        "off after, s",
        "instead",
    )
    report.show(columns, [row(one) for one in found], f"deadline {args.deadline_ms:g} ms")
    bars = [report.none(sum(one["failed"] for one in found), "no client error", sum(one["requests"] for one in found))]
    for one in found:
        spared = sum(one["before"].get(reason, 0) for reason in SPARED)
        bars.append(report.none(spared, f"{one['mode']}: nothing stopped it before", sum(one["before"].values())))
        mode, bar = one["mode"], args.deadline_ms + one["champion_p99_ms"] + 5
        bars.append(report.most(one["p99_ms"], bar, f"{mode}: p99 <= deadline + champion's + 5 = {bar:.1f}", "ms"))
        bars.append(report.most(one["off_s"], 1.0, f"{mode}: off on all workers <= 1 s", "s"))
    return report.judge(bars)


def row(one: dict[str, Any]) -> tuple[str, ...]:
    numbers = [f"{one[key]:.2f}" for key in ("champion_p99_ms", "p50_ms", "p99_ms", "max_ms", "off_s")]
    return (one["mode"], str(one["failed"]), *numbers, ", ".join(f"{n} {why}" for why, n in one["reasons"].items()))


if __name__ == "__main__":
    sys.exit(main())
