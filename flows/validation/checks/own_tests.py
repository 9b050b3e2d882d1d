"""What do the user's own test functions say?"""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import msgspec

from flows.validation.errors import OutOfTime
from flows.validation.exam import Exam
from flows.validation.report import Check
from flows.validation.tied import kill_session

LONGEST = 500
"""Characters of a reason that are kept: it goes into the audit trail."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the process of the tests must know; in `order.json` of its folder, beside `holdout.parquet`."""

    url: str
    model: str
    version: str
    tests: list[str]
    parent: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one test; a line of `outcomes.jsonl`."""

    passed: bool
    said: str


def own_tests(exam: Exam) -> list[Check]:
    """
    Run the configured functions in a process of their own, in the working directory.

    One that raises, hangs or ends its process has failed; the others run all the same.
    """
    pending, checks = list(exam.rules.tests), list[Check]()
    while pending:
        done = _run(exam, pending, len(checks))
        checks += [_check(name, one) for name, one in zip(pending, done, strict=False)]
        pending = pending[len(done) :]
    return checks


def _run(exam: Exam, tests: list[str], number: int) -> list[Outcome]:
    """Outcomes of the first tests: at least one, the last of which may have ended the process."""
    folder = exam.router.settings.home / f"tests-{number}"
    folder.mkdir()
    order = Order(
        url=exam.router.url, model=exam.version.model, version=exam.version.version, tests=tests, parent=os.getpid()
    )
    (folder / "order.json").write_bytes(msgspec.json.encode(order))
    frame = exam.asked.frame.select([feature.name for feature in exam.version.features])
    if exam.asked.labels is not None:
        import polars as pl

        frame = frame.with_columns(pl.Series("_label", exam.asked.labels))
    frame.write_parquet(folder / "holdout.parquet")
    ended = _ended(exam, folder)
    done = _outcomes(folder)
    if len(done) < len(tests):
        done.append(Outcome(passed=False, said=f"{ended}{_last_words(folder)}"))
    return done


def _ended(exam: Exam, folder: Path) -> str:
    """Wait for the process; how it ended, should it have ended early."""
    try:
        seconds = exam.deadline.left()
    except OutOfTime:
        return "It was not run: the time of the validation was up."
    with (folder / "output.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  the command is our own
            [sys.executable, "-m", "flows.validation.run_tests", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH")])),
            },
        )
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        return f"It did not end within the {seconds:.1f} s that were left of validation.timeout."
    finally:
        kill_session(process.pid)
        process.wait()
    return f"Its process was ended by signal {-code}." if code < 0 else f"Its process ended with exit code {code}."


def _outcomes(folder: Path) -> list[Outcome]:
    with suppress(FileNotFoundError):
        lines = (folder / "outcomes.jsonl").read_bytes().splitlines()
        return [msgspec.convert(json.loads(line), Outcome) for line in lines]
    return []


def _last_words(folder: Path) -> str:
    with suppress(OSError):
        lines = (folder / "output.log").read_text(errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        return f" It said last: {said[-1][:200]}" if said else ""
    return ""


def _check(name: str, outcome: Outcome) -> Check:
    return Check(name=f"test: {name}", passed=outcome.passed, said=outcome.said[:LONGEST])
