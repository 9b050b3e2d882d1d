"""
Load on the router beside BentoML's own route and a bare Starlette, in one run.

Rounds alternate between the systems, so that whatever else the machine does hits all of them; compare ratios,
not seconds. Every system has one worker process and one thread per model.

Examples:
    python benchmarks/router_load.py
    python benchmarks/router_load.py --rounds 7 --seconds 5 --connections 1 16 64 --json figures.json
"""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import xgboost
from rich.console import Console
from rich.progress import track
from rich.table import Table

from registry.artifacts import ArtifactStore
from registry.assignment import home_slices
from registry.home import Settings
from registry.records.plan import Arm, Guards, Slice
from registry.records.version import Feature, ModelVersion, TrainingData
from registry.scoring.scorer import scorer_files
from registry.scoring.spec import NumericColumn, ScorerSpec
from registry.store.registry import Registry

HERE = Path(__file__).parent
AT = datetime(2026, 1, 1, tzinfo=UTC)
WIDTH = 20
NAMES = [f"f{i}" for i in range(WIDTH)]


def train(seed: int) -> xgboost.Booster:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(5000, WIDTH)).astype(np.float32)
    labels = (rows[:, 0] + rows[:, 1] * rows[:, 2] + rng.normal(size=5000) > 0).astype(np.float32)
    settings = {"objective": "binary:logistic", "max_depth": 5, "nthread": 1, "seed": seed}
    return xgboost.train(settings, xgboost.DMatrix(rows, labels), num_boost_round=200)


def register(settings: Settings, registry: Registry, version: str, booster: xgboost.Booster) -> None:
    columns = tuple(NumericColumn(feature=name) for name in NAMES)
    spec = ScorerSpec(task="binary", kind="xgboost", columns=columns, booster="model.ubj")
    files = scorer_files(spec, bytes(booster.save_raw("ubj")))
    registry.register_version(
        ModelVersion(
            model="m",
            version=version,
            task="binary",
            target="y",
            features=tuple(Feature(name=name, kind="numeric") for name in NAMES),
            algorithm="xgboost",
            data=TrainingData(rows=5000, start=None, end=None, source="benchmark", fingerprint="0"),
            artifact_digest=ArtifactStore(settings.models_dir).save("m", version, files),
            parity=0.0,
            created_at=AT,
            actor="benchmark",
            reason="benchmark",
        )
    )


def split(registry: Registry, share: int, shadows: tuple[str, ...] = ()) -> int:
    """Publish a plan; returns its epoch."""
    plan = registry.plan("m")
    assert plan is not None
    arms = (Arm(variant="champion", version="v1.0.0"), Arm(variant="challenger", version="v1.1.0"))
    changed = msgspec.structs.replace(
        plan,
        epoch=plan.epoch + 1,
        phase=f"p{plan.epoch}",
        slices=tuple(Slice(variant=v, weight=w) for v, w in home_slices({"challenger": share} if share else {})),
        arms=arms if share else arms[:1],
        shadows=shadows,
    )
    return registry.publish_plan(changed).epoch


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(port: int, path: str) -> bytes | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
            return answer.read()
    except urllib.error.HTTPError:
        return b""
    except OSError:
        return None


def wait(ready: object, what: str) -> None:
    for _ in range(600):
        if ready():  # type: ignore[operator]
            return
        time.sleep(0.1)
    raise SystemExit(f"{what} did not come up in a minute")


def measure(port: int, path: str, bodies: Path, connections: int, seconds: float) -> dict[str, float]:
    words = ["--port", str(port), "--path", path, "--bodies", str(bodies)]
    words += ["--connections", str(connections), "--seconds", str(seconds)]
    done = subprocess.run([sys.executable, str(HERE / "load_client.py"), *words], capture_output=True, check=True)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="of one measurement")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--json", type=Path, help="write all figures here")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = run(Path(folder), args)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1))
    show(figures, args)


def run(folder: Path, args: argparse.Namespace) -> list[dict]:
    settings = Settings(home=folder / "state", router_port=free_port(), admin_port=free_port()).prepare()
    champion, challenger = train(0), train(1)
    champion.save_model(folder / "model.ubj")
    rng = np.random.default_rng(2)
    values = rng.normal(size=(512, WIDTH)).round(4).tolist()
    ours, theirs = folder / "ours.ndjson", folder / "theirs.ndjson"
    ours.write_text("\n".join(json.dumps({"key": f"k{i}", "features": row}) for i, row in enumerate(values)))
    theirs.write_text("\n".join(json.dumps({"features": row}) for row in values))
    bento, floor = free_port(), free_port()
    env = {**os.environ, "UNDERSTUDY_HOME": str(settings.home), "BENTOML_HOME": str(settings.models_dir)}
    env |= {"BENCHMARK_MODEL": str(folder / "model.ubj"), "UNDERSTUDY_ADMIN_PORT": str(settings.admin_port)}
    env |= {"PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent)]), "OMP_NUM_THREADS": "1"}
    serve = ["-m", "bentoml", "serve"]
    commands = [
        [*serve, "router.service:UnderstudyRouter", "--port", str(settings.router_port), "--api-workers", "1"],
        ["-m", "router.control"],
        ["-m", "router.shadow"],
        [*serve, "peers:Peer", "--port", str(bento), "--api-workers", "1"],
        ["-m", "uvicorn", "peers:floor", "--factory", "--port", str(floor), "--no-access-log"],
    ]
    processes: list[subprocess.Popen[bytes]] = []
    with Registry.open(settings.registry_url) as registry, (folder / "log").open("wb") as log:
        register(settings, registry, "v1.0.0", champion)
        register(settings, registry, "v1.1.0", challenger)
        registry.install_first("m", "v1.0.0", guards=Guards(), salt="s", actor="benchmark", reason="benchmark", at=AT)
        try:
            for command in commands:  # each is killed below, even if a later one does not start
                processes.append(  # noqa: PERF401
                    subprocess.Popen(
                        [sys.executable, *command], env=env, stdout=log, stderr=log, start_new_session=True, cwd=HERE
                    )
                )
            for port, path in ((settings.router_port, "/readyz"), (bento, "/readyz"), (floor, "/")):
                wait(lambda port=port, path=path: get(port, path) is not None, f"port {port}")
            return rounds(args, registry, settings, (ours, theirs), (bento, floor))
        finally:
            for process in processes:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)


def rounds(
    args: argparse.Namespace, registry: Registry, settings: Settings, bodies: tuple[Path, Path], peers: tuple[int, int]
) -> list[dict]:
    cases: list[tuple[str, tuple[int, tuple[str, ...]] | None, int, str]] = [
        ("bare Starlette (floor)", None, peers[1], "/predict"),
        ("BentoML @bentoml.api", None, peers[0], "/predict"),
        ("router, champion only", (0, ()), settings.router_port, "/v1/models/m/predict"),
        ("router, 90/10 split", (100_000, ()), settings.router_port, "/v1/models/m/predict"),
        ("router, shadow of everything", (0, ("v1.1.0",)), settings.router_port, "/v1/models/m/predict"),
    ]
    figures = []
    console = Console(stderr=True)
    jobs = [(r, c, case) for r in range(args.rounds) for c in args.connections for case in cases]
    for number, connections, (name, plan, port, path) in track(jobs, "measuring", console=console):
        if plan is not None:
            epoch = split(registry, *plan)
            wait(lambda epoch=epoch: f'"m":{epoch}'.encode() in (get(settings.router_port, "/readyz") or b""), "plan")
        measure(port, path, bodies[plan is None], connections, 0.3)
        found = measure(port, path, bodies[plan is None], connections, args.seconds)
        figures.append({"system": name, "round": number, "connections": connections, **found})
    return figures


def show(figures: list[dict], args: argparse.Namespace) -> None:
    peer = "BentoML @bentoml.api"
    for connections in args.connections:
        mine = [one for one in figures if one["connections"] == connections]
        table = Table(title=f"{connections} connections, {args.rounds} rounds: median (ratio: median, least to most)")
        for column in ("system", "requests/s", "p50 ms", "p99 ms", "requests/s against BentoML's route", "failed"):
            table.add_column(column, justify="left" if column == "system" else "right")
        base = {one["round"]: one["per_second"] for one in mine if one["system"] == peer}
        for name in dict.fromkeys(one["system"] for one in mine):
            its = [one for one in mine if one["system"] == name]
            ratios = [one["per_second"] / base[one["round"]] for one in its]
            middle = {key: statistics.median(one[key] for one in its) for key in ("per_second", "p50_ms", "p99_ms")}
            table.add_row(
                name,
                f"{middle['per_second']:,.0f}",
                f"{middle['p50_ms']:.2f}",
                f"{middle['p99_ms']:.2f}",
                f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
                str(sum(one["failed"] for one in its)),
            )
        Console().print(table)


if __name__ == "__main__":
    main()
