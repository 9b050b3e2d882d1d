"""
Four processes promote different versions of one model at once; how many versions are in production afterwards?

Ours on SQLite and on Postgres, and MLflow's registry on SQLite. A round begins for all processes at the same moment:
each has its own version, and asks for it to be the one in production. After the round somebody else counts. A lawful
refusal ("somebody else was first") is an answer; an error is an exception that tells of the database instead.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests"), str(HERE.parent / "tests" / "registry")]

EXAMPLES = """
Examples:
  python benchmarks/registry_races.py                    # 40 rounds of each, about a minute
  python benchmarks/registry_races.py --rounds 10 --only mlflow-sqlite
"""
MODEL = "churn"
CHALLENGERS = ("v1.1.0", "v1.2.0", "v1.3.0", "v1.4.0")
SYSTEMS = ("ours-sqlite", "ours-postgres", "mlflow-sqlite")


@dataclass
class Races:
    """What was seen of one system."""

    system: str
    productions: Counter[int] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)

    @property
    def lawful(self) -> int:
        return self.productions[1]


def ours(url: str, challenger: str) -> Callable[[], str]:
    """A rollout that succeeds at once: stages, plan and audit entries in one transaction."""
    import msgspec
    from registry_making import WHO, a_plan, a_rollout

    from registry.errors import AlreadyExists, PlanConflict, StageConflict
    from registry.store.registry import Registry

    registry = Registry.open(url)

    def promote() -> str:
        champion, plan = registry.champion(MODEL), registry.plan(MODEL)
        assert champion is not None
        assert plan is not None
        if champion.version == challenger:
            return "was it already"
        rollout = a_rollout(registry.next_rollout_id(MODEL), champion=champion.version, challenger=challenger)
        try:
            registry.start_rollout(rollout, **WHO)
            done = msgspec.structs.replace(rollout, revision=2, status="succeeded")
            stages: Any = {challenger: "production", champion.version: "archived"}
            registry.move_rollout(done, plan=a_plan(plan.epoch + 1, champion=challenger), stages=stages, **WHO)
        except (AlreadyExists, PlanConflict, StageConflict):
            return "refused"
        return "promoted"

    return promote


def mlflow(url: str, challenger: str) -> Callable[[], str]:
    """Their way: to Production, archiving what is there."""
    client = _mlflow_client(url)

    def promote() -> str:
        number = str(CHALLENGERS.index(challenger) + 2)
        client.transition_model_version_stage(MODEL, number, "Production", archive_existing_versions=True)
        return "promoted"

    return promote


def worker(kind: str, url: str, challenger: str) -> None:
    """Promote whenever a line comes in; say what came of it, and how long it took."""
    promote = (ours if kind == "ours" else mlflow)(url, challenger)
    print("ready", flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        try:
            said = promote()
        except Exception as error:  # noqa: BLE001  whatever their registry raises is what is counted
            said = f"error:{type(error).__name__}"
        print(f"{said}\t{1000 * (time.perf_counter() - started):.2f}", flush=True)


def race(system: str, url: str, rounds: int) -> Races:
    """Let them run; the count of a round is made when all have answered."""
    kind, seen = system.split("-")[0], Races(system)
    count = _prepared(kind, url)
    command = [sys.executable, __file__, "--worker", kind, url]
    peers = [
        subprocess.Popen([*command, name], stdin=-1, stdout=-1, stderr=subprocess.DEVNULL, text=True)
        for name in CHALLENGERS
    ]
    try:
        for peer in peers:
            _line(peer)
        for _ in range(rounds):
            for peer in peers:
                assert peer.stdin is not None
                peer.stdin.write("go\n")
                peer.stdin.flush()
            for said, took in (_line(peer).split("\t") for peer in peers):
                seen.answers[said] += 1
                seen.milliseconds.append(float(took))
            seen.productions[count()] += 1
    finally:
        for peer in peers:
            peer.communicate(timeout=60)
    return seen


def _line(peer: "subprocess.Popen[str]") -> str:
    assert peer.stdout is not None
    return peer.stdout.readline().strip()


def _prepared(kind: str, url: str) -> Callable[[], int]:
    """A champion and four challengers; returns how to count versions in production."""
    if kind == "ours":
        from registry_making import install

        from registry.store.registry import Registry

        registry = Registry.open(url)
        install(registry, *CHALLENGERS)
        return lambda: len(registry.versions(MODEL, "production"))
    client = _mlflow_client(url)
    client.create_registered_model(MODEL)
    for _ in range(len(CHALLENGERS) + 1):
        run = client.create_run(client.create_experiment(f"e{time.time_ns()}"))
        client.create_model_version(MODEL, f"runs:/{run.info.run_id}/model", run.info.run_id)
    client.transition_model_version_stage(MODEL, "1", "Production")
    return lambda: sum(one.current_stage == "Production" for one in client.search_model_versions(f"name='{MODEL}'"))


def _mlflow_client(url: str) -> Any:
    warnings.simplefilter("ignore")  # stages are deprecated there, and still what people use
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=url, registry_uri=url)


@contextmanager
def database(system: str) -> Iterator[str | None]:
    """A fresh database of the kind that the system's name ends in; None where there is no Postgres."""
    if system.endswith("sqlite"):
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/races.sqlite"
        return
    from postgres_making import started_server

    with started_server() as server:
        yield server


def told(found: list[Races], rounds: int) -> int:
    from rig import report

    rows = [
        (
            one.system,
            f"{one.lawful}/{rounds}",
            str(max(one.productions)),
            ", ".join(f"{count} {said}" for said, count in one.answers.most_common()),
            f"{sorted(one.milliseconds)[len(one.milliseconds) // 2]:.1f}",
        )
        for one in found
    ]
    print(f"\n{report.machine()}")
    report.show(("registry", "rounds with exactly one production", "most at once", "answers", "ms, median"), rows)
    mine = [one for one in found if one.system.startswith("ours")]
    errors = sum(count for one in mine for said, count in one.answers.items() if said.startswith("error"))
    bad = sum(rounds - one.lawful for one in mine)
    return report.judge(
        [
            report.none(bad, "no round of ours ends with another number than one", rounds * len(mine)),
            report.none(errors, "no error of ours", sum(sum(one.answers.values()) for one in mine)),
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--only", choices=SYSTEMS, action="append", help="may be repeated")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        worker(*args.worker)
        return 0
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"UNDERSTUDY_HOME": home, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
        found = list(raced(args.only or SYSTEMS, args.rounds))
    return told(found, args.rounds)


def raced(systems: Sequence[str], rounds: int) -> Iterator[Races]:
    for system in systems:
        with database(system) as url:
            if url is None:
                print(f"{system}: left out, there is no Postgres on this machine")
                continue
            yield race(system, url, rounds)


if __name__ == "__main__":
    sys.exit(main())
