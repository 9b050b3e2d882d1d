"""The client for code that runs in an event loop."""

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from router.client import talk
from router.client.client import HEADERS, LIMITS
from router.client.retries import Retries, Said
from router.client.types import Answer, Features, Moment, OutcomeRow, Row, Status

_Result = TypeVar("_Result")


class AsyncClient:
    """
    Asks one router; may be shared by tasks of one event loop. Every call raises a `ClientError`.

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
        self._http = httpx.AsyncClient(
            base_url=url,
            timeout=httpx.Timeout(timeout, connect=connect),
            limits=LIMITS,
            headers=HEADERS | dict(headers or {}),
            trust_env=trust_env,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def predict(
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
        return (await self.predict_many(model, [Row(features=features, key=key, id=prediction_id, time=time)]))[0]

    async def predict_many(self, model: str, rows: Sequence[Row]) -> list[Answer]:
        """
        Ask about many rows; answers come in order.

        Raises:
            NotAnswered: If the champion failed on any; it has the answers of the others.
        """
        return await self._run(talk.predict(model, rows, self._retries))

    async def outcome(
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
        return (await self.outcomes(model, [row]))[0]

    async def outcomes(self, model: str, rows: Sequence[OutcomeRow]) -> list[Status]:
        """Tell what became of many predictions; each has its own status, in order."""
        return await self._run(talk.tell(model, rows, self._retries))

    async def _run(self, steps: talk.Talk[_Result]) -> _Result:
        said: Said | None = None
        while True:
            try:
                step = steps.send(said)
            except StopIteration as end:
                result: _Result = end.value
                return result
            said = await self._take(step)

    async def _take(self, step: Any) -> Said | None:
        if isinstance(step, talk.Pause):
            await asyncio.sleep(step.seconds)
            return None
        try:
            return await self._http.post(step.path, content=step.body)
        except httpx.TransportError as error:
            return error
