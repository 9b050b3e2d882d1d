"""A process that runs a user's test functions: `python -m flows.validation.run_tests FOLDER`."""

import importlib
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec
import polars as pl

from flows.validation.checks.own_tests import Order, Outcome
from flows.validation.subject import Answers, VersionUnderTest
from flows.validation.tied import die_with

PATIENCE_S = 60.0


def main(folder: Path) -> int:
    """Run all tests of an order; each outcome is written as soon as it is known."""
    order = msgspec.json.decode((folder / "order.json").read_bytes(), type=Order)
    die_with(order.parent)
    subject = _subject(order, pl.read_parquet(folder / "holdout.parquet"))
    with (folder / "outcomes.jsonl").open("ab", buffering=0) as file:
        for name in order.tests:
            file.write(msgspec.json.encode(outcome_of(name, subject)) + b"\n")
    return 0


def outcome_of(name: str, subject: VersionUnderTest) -> Outcome:
    """Import and call one function; whatever it raises is its outcome."""
    try:
        module, _, function = name.partition(":")
        getattr(importlib.import_module(module), function)(subject)
    except AssertionError as error:
        return Outcome(passed=False, said=str(error).strip() or f"It does not hold: {_line(error)}")
    except BaseException as error:  # noqa: BLE001  whatever a user's code raises, SystemExit included
        return Outcome(passed=False, said=f"{type(error).__name__}: {error} (at {_line(error)})")
    return Outcome(passed=True, said="It holds.")


def _line(error: BaseException) -> str:
    """The line of the user that raised."""
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1]
    return f"{Path(last.filename).name}:{last.lineno}: {last.line}"


def _subject(order: Order, holdout: pl.DataFrame) -> VersionUnderTest:
    http = httpx.Client(base_url=order.url, trust_env=False, timeout=PATIENCE_S)

    def predict(rows: Sequence[Mapping[str, Any]]) -> Answers:
        body = {"rows": [{"key": str(i), "features": dict(row)} for i, row in enumerate(rows)]}
        answer = http.post(f"/v1/models/{order.model}/predict", content=msgspec.json.encode(body))
        assert answer.status_code == 200, f"The router answered {answer.status_code}: {answer.text[:300]}"
        answers: Answers = answer.json()["rows"]
        return answers

    return VersionUnderTest(url=order.url, model=order.model, version=order.version, holdout=holdout, predict=predict)


if __name__ == "__main__":
    code = main(Path(sys.argv[1]))
    sys.stdout.flush()
    os._exit(code)  # threads that a test left behind hold nobody up
