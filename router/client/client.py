"""The client for code that waits."""

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from router.client import talk
from router.client.retries import Retries, Said
from router.client.types import Answer, Features, Moment, OutcomeRow, Row, Status

HEADERS = {"content-type": "application/json", "accept": "application/json", "user-agent": "understudy-client"}
# Below uvicorn's 5 s: a connection that the server is about to close is not used again.
LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=2.0)
_Result = TypeVar("_Result")


class Client:
    """
    Asks one router; may be shared by threads. Every call raises a `ClientError`.

    Args:
        url: Of the serving port.
        timeout: Seconds that one attempt may take.
        connect: Seconds that connecting may take.
        retries: How patient it is.
        headers: Sent with every request, e.g. a `traceparent`.
        trust_env: Whether proxies of the environment are used.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:3000",
        *,
        timeout: float = 5.0,
        connect: float = 1.0,
        retries: Retries = Retries(),  # noqa: B008 - frozen
        headers: Mapping[str, str] | None = None,
        trust_env: bool = False,
    ) -> None:
        self._retries = retries
        self._http = httpx.Client(
            base_url=url,
            timeout=httpx.Timeout(timeout, connect=connect),
            limits=LIMITS,
            headers=HEADERS | dict(headers or {}),
            trust_env=trust_env,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def predict(
        self,
        model: str,
        features: Features,
        *,
        key: str | int | None = None,
        prediction_id: str | None = None,
        time: Moment = None,
    ) -> Answer:
        """
        Ask about one row; see `Row` for the arguments.

        Raises:
            NotAnswered: If the champion failed; it has the prediction id.
        """
        return self.predict_many(model, [Row(features=features, key=key, id=prediction_id, time=time)])[0]

    def predict_many(self, model: str, rows: Sequence[Row]) -> list[Answer]:
        """
        Ask about many rows; answers come in order.

        Raises:
            NotAnswered: If the champion failed on any; it has the answers of the others.
        """
        return self._run(talk.predict(model, rows, self._retries))

    def outcome(
        self,
        model: str,
        value: float | str,
        *,
        prediction_id: str | None = None,
        key: str | int | None = None,
        metric: str = "label",
        time: Moment = None,
        outcome_id: str | None = None,
    ) -> Status:
        """Tell what became of one prediction; see `OutcomeRow`. It is on disk when this returns "accepted"."""
        row = OutcomeRow(value=value, prediction_id=prediction_id, key=key, metric=metric, time=time, id=outcome_id)
        return self.outcomes(model, [row])[0]

    def outcomes(self, model: str, rows: Sequence[OutcomeRow]) -> list[Status]:
        """Tell what became of many predictions; each has its own status, in order."""
        return self._run(talk.tell(model, rows, self._retries))

    def _run(self, steps: talk.Talk[_Result]) -> _Result:
        said: Said | None = None
        while True:
            try:
                step = steps.send(said)
            except StopIteration as end:
                result: _Result = end.value
                return result
            said = self._take(step)

    def _take(self, step: Any) -> Said | None:
        if isinstance(step, talk.Pause):
            time.sleep(step.seconds)
            return None
        try:
            return self._http.post(step.path, content=step.body)
        except httpx.TransportError as error:
            return error
