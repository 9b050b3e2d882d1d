"""
How long a whole training takes by the number of rows, and how much memory: 30 columns, 50 trials.

One process per size, on the cores that --cores names. With --retrain it is the whole `run_retraining` in a state
folder of its own, with a champion that is challenged: validation, comparison and registration included.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rig import report
from rig.tables import config, table

EXAMPLES = """
Examples:
  python benchmarks/training_size.py                                     # 100,000 rows, 50 trials, two cores
  python benchmarks/training_size.py --rows 1e6 5e6 --cores 0 1 2 3 --threads 4
  python benchmarks/training_size.py --retrain
"""
BARS = {100_000: 600.0}
LIMIT_S = 7200.0
NOW = datetime(2100, 1, 1, tzinfo=UTC)


def main() -> int:
    args = parsed()
    if args.one:
        sys.stdout.write(json.dumps(measured(args)) + "\n")
        return 0
    found = [apart(int(rows), args) for rows in args.rows]
    report.keep(args.json, figures=found)
    return told(found, args)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", nargs="+", type=float, default=[1e5])
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--cores", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--threads", type=int, default=2, help="of one fit (2)")
    parser.add_argument("--workers", type=int, default=1, help="trials at once (1)")
    parser.add_argument("--budget", default="30m", help="training.time_budget (30m, the default)")
    parser.add_argument("--retrain", action="store_true", help="the whole retraining, not only the candidate")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single measurement here")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def apart(rows: int, args: argparse.Namespace) -> dict[str, Any]:
    """In a process of its own, so that its peak memory is its own."""
    given = ["--rows", str(rows), "--trials", str(args.trials), "--threads", str(args.threads)]
    given += ["--workers", str(args.workers), "--budget", args.budget, *(["--retrain"] if args.retrain else [])]
    cores = ",".join(map(str, args.cores))
    quiet = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "POLARS_MAX_THREADS": str(len(args.cores))}
    with tempfile.TemporaryDirectory(prefix="sizes-") as home:
        place = os.environ | quiet | {"UNDERSTUDY_HOME": home, "DO_NOT_TRACK": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
        command = ["taskset", "-c", cores, sys.executable, __file__, "--one", *given]
        done = subprocess.run(command, env=place, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def measured(args: argparse.Namespace) -> dict[str, Any]:
    rows = int(args.rows[0])
    frame = table(rows)
    training = {"trials": args.trials, "threads": args.threads, "workers": args.workers, "time_budget": args.budget}
    stages: list[tuple[str, float]] = []
    before, started = cpu_s(), time.monotonic()

    def note(_share: float, doing: str) -> None:
        stages.append((doing, time.monotonic() - started))
        print(f"{stages[-1][1]:8.1f} s  {doing}", file=sys.stderr)

    metrics = (retrained if args.retrain else trained)(config(**training), frame, note)
    ends = [*[at for _, at in stages[1:]], time.monotonic() - started]
    return {
        "rows": rows,
        "wall_s": time.monotonic() - started,
        "cpu_s": cpu_s() - before,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "table_gb": frame.estimated_size() / 1e9,
        "trials": sum(doing.startswith("Trial") for doing, _ in stages),
        "tuning_s": sum(end - at for (doing, at), end in zip(stages, ends, strict=True) if doing.startswith("Trial")),
        "auc": metrics["auc"],
    }


def trained(model: Any, frame: Any, told: Any) -> dict[str, float]:
    from flows.training.candidate import train_candidate

    done = train_candidate(model, frame, champion=None, champion_scorer=None, seed=0, as_of=NOW, on_progress=told)
    return done.metrics


def retrained(model: Any, frame: Any, told: Any) -> dict[str, float]:
    """Of a challenger; the champion has learned from the older three quarters, in a few trials."""
    from flows.data.digest import rows_digest
    from flows.data.gather import Extracted
    from flows.training.first import train_first
    from flows.training.retraining import run_retraining
    from flows.training.shop import Shop
    from registry.artifacts import ArtifactStore
    from registry.home import Settings
    from registry.store.registry import Registry

    settings = Settings().prepare()
    artifacts = ArtifactStore(settings.models_dir)
    quick = model.model_copy(update={"training": model.training.model_copy(update={"trials": 2})})
    with Registry.open(settings.registry_url) as registry:
        parts = {"settings": settings, "registry": registry, "artifacts": artifacts}
        train_first(quick, frame.head(frame.height * 3 // 4), actor="benchmark", as_of=NOW, **parts)
        found = Extracted(frame=frame, source="benchmark", version=rows_digest(frame))
        shop = Shop(config=model, extract=lambda *_: found, clock=lambda: NOW, progress=told, **parts)
        done = run_retraining(shop, actor="benchmark", reason="benchmark")
    print(done.said, file=sys.stderr)
    return done.version.metrics if done.version else {"auc": float("nan")}


def cpu_s() -> float:
    """Of this process and of those it has waited for."""
    of = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in of)


def told(found: list[dict[str, Any]], args: argparse.Namespace) -> int:
    print(f"\n{report.machine()}\n{len(args.cores)} cores, {args.threads} threads, {args.workers} trials at once")
    columns = ("rows", "table GB", "trials", "tuning s", "whole s", "CPU s", "peak GB", "AUC")
    report.show(columns, [row(one) for one in found], "retrain" if args.retrain else "train_candidate")
    bars = [
        report.most(one["wall_s"], BARS.get(one["rows"], LIMIT_S), f"{one['rows']:,} rows: seconds", "s")
        for one in found
    ]
    return report.judge(bars)


def row(one: dict[str, Any]) -> tuple[str, ...]:
    numbers = [f"{one[key]:,.1f}" for key in ("tuning_s", "wall_s", "cpu_s", "peak_gb")]
    return (f"{one['rows']:,}", f"{one['table_gb']:.2f}", str(one["trials"]), *numbers, f"{one['auc']:.4f}")


if __name__ == "__main__":
    sys.exit(main())
