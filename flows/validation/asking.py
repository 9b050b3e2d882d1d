"""Ask the router of a validation as callers would."""

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec

from flows.validation.deadline import Deadline
from flows.validation.errors import OutOfTime, RouterDied
from flows.validation.lone_router import LoneRouter

HANGS_S = 30.0
"""Longest wait for one answer: who takes longer hangs."""


class Failed(Exception):
    """The router answered, and not with a prediction."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(f"{status}: {why}")
        self.status = status


class Caller:
    """
    One connection; not for several threads.

    Args:
        router: Who is asked.
        model: About which model.
        deadline: Ends every wait.
    """

    def __init__(self, router: LoneRouter, model: str, deadline: Deadline) -> None:
        self._router, self._deadline = router, deadline
        self._path = f"/v1/models/{model}/predict"
        self._http = httpx.Client(base_url=router.url, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def ask(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """
        Predict rows of features; raises like `one`.

        Returns:
            One answer per row.
        """
        body = {"rows": [{"key": str(i), "features": row} for i, row in enumerate(rows)]}
        answers: list[dict[str, Any]] = self._checked(self.post(msgspec.json.encode(body)))["rows"]
        if len(answers) != len(rows):
            raise Failed(200, f"{len(answers)} answers for {len(rows)} rows")
        return answers

    def one(self, row: Mapping[str, Any], key: str = "1") -> tuple[dict[str, Any], float]:
        """
        Predict a single row.

        Returns:
            The answer, and the milliseconds until it was there.

        Raises:
            Failed: If it is refused, fails or hangs.
            RouterDied: If the process ends.
            OutOfTime: If the time of the validation is up.
        """
        body = msgspec.json.encode({"key": key, "features": row})
        began = time.perf_counter()
        answer = self.post(body)
        spent = (time.perf_counter() - began) * 1000
        return self._checked(answer), spent

    def post(self, body: bytes) -> httpx.Response:
        """Send any bytes; raises like `one`, but returns refusals."""
        timeout = self._deadline.left(HANGS_S)
        try:
            return self._http.post(self._path, content=body, timeout=timeout)
        except httpx.TimeoutException as error:
            self._deadline.left()
            raise Failed(0, f"no answer within {timeout:.0f} s") from error
        except httpx.TransportError as error:
            raise self._lost(error) from error

    def _lost(self, error: httpx.TransportError) -> Exception:
        """A connection that breaks is a worker that ends; the kernel may need a moment to say so."""
        try:
            for _ in range(20):
                self._router.refuse_dead()
                time.sleep(self._deadline.left(0.05))
        except (RouterDied, OutOfTime) as found:
            return found
        return Failed(0, f"the connection broke: {error or type(error).__name__}")

    def _checked(self, answer: httpx.Response) -> dict[str, Any]:
        try:
            said: dict[str, Any] = msgspec.json.decode(answer.content)
        except msgspec.DecodeError as error:
            raise Failed(answer.status_code, f"no JSON: {answer.text[:200]}") from error
        if answer.status_code != 200:
            raise Failed(answer.status_code, _why(said))
        return said


def _why(said: Mapping[str, Any]) -> str:
    """The router's own words, and of a batch the first row that failed."""
    rows = said.get("rows") or [said]
    failed = [row for row in rows if isinstance(row, dict) and "score" in row and row["score"] is None]
    reason = f" ({failed[0]['reason']})" if failed else ""
    return f"{said.get('error', 'it gave no reason')}{' ' + said['why'] if 'why' in said else ''}{reason}"
