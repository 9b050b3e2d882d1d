"""A synchronous client of both ports of the router."""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec

from flows.client.errors import refusal, unreachable
from flows.client.workers import wait_for_workers
from registry.home import Settings
from registry.records.live import JoinedRow, ModelMetrics, OutcomeStatus
from registry.records.plan import TrafficPlan

# Below uvicorn's 5 s: a connection that the server is about to close is never reused.
_LIMITS = httpx.Limits(max_keepalive_connections=20, max_connections=100, keepalive_expiry=2.0)


class _Statuses(msgspec.Struct):
    rows: list[OutcomeStatus]


class RouterClient:
    """
    Both ports of the router, with the token of the state folder.

    Every call raises Unreachable when nothing answers, NotFound for an unknown
    model, PlanConflict when somebody published first, RouterRefused otherwise.

    Args:
        settings: Names addresses and token.
        timeout: Seconds that one answer may take.
        actor: Who is written into the router's audit trail, where a call names nobody.
    """

    def __init__(self, settings: Settings, *, timeout: float = 30.0, actor: str = "flows") -> None:
        self._settings = settings
        headers = {"Authorization": f"Bearer {settings.token()}", "X-Actor": actor}
        self._serving = httpx.Client(base_url=settings.router_url, timeout=timeout, limits=_LIMITS, trust_env=False)
        self._admin = httpx.Client(
            base_url=settings.admin_url, timeout=timeout, limits=_LIMITS, trust_env=False, headers=headers
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._serving.close()
        self._admin.close()

    def predict(self, model: str, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """
        Ask for predictions, as a caller would.

        Args:
            model: Name of the model.
            rows: Each {"key", "features", "id"?, "time"?}; at least one.

        Returns:
            One answer per row, in order.
        """
        answer = _call(self._serving, "POST", f"/v1/models/{model}/predict", content=_json({"rows": list(rows)}))
        answers: list[dict[str, Any]] = msgspec.json.decode(answer.content)["rows"]
        return answers

    def send_outcomes(self, model: str, rows: Sequence[Mapping[str, Any]]) -> list[OutcomeStatus]:
        """Tell what became of predictions; each row is an `Outcome`, its status durable when this returns."""
        if not rows:
            return []
        answer = _call(self._serving, "POST", f"/v1/models/{model}/outcomes", content=_json(list(rows)))
        return msgspec.json.decode(answer.content, type=_Statuses).rows

    def metrics(self, model: str, *, min_label_age: float = 0.0) -> ModelMetrics:
        """
        Sufficient statistics per phase and variant, as far as ingested.

        Args:
            model: Name of the model.
            min_label_age: Labels and KPIs of requests younger than so many seconds, by the model's
                clock, are left out.
        """
        wanted = _query(min_label_age=min_label_age or None)
        return ModelMetrics.from_json(_call(self._admin, "GET", f"/v1/models/{model}/metrics", params=wanted).content)

    def sync(self, model: str, *, min_label_age: float = 0.0) -> ModelMetrics:
        """Wait until everything answered so far is ingested and joined; then as `metrics`."""
        wanted = _query(min_label_age=min_label_age or None)
        return ModelMetrics.from_json(_call(self._admin, "POST", f"/v1/models/{model}/sync", params=wanted).content)

    def rows(
        self,
        model: str,
        *,
        after: int | None = None,
        limit: int | None = None,
        newest: int | None = None,
        labelled: bool | None = None,
        since: float | None = None,
        until: float | None = None,
        phase: str | None = None,
    ) -> Iterator[JoinedRow]:
        """
        Stream joined rows in sequence order.

        Args:
            model: Name of the model.
            after: Cursor; only rows with a larger sequence.
            limit: At most so many, from the front.
            newest: Only the last so many that match, still ascending.
            labelled: True: only rows whose label has arrived; False: only the others.
            since: Earliest time, in epoch seconds.
            until: Rows before this time, in epoch seconds.
            phase: Only rows of this phase, e.g. "r-0007.2".
        """
        wanted = _query(
            after=after, limit=limit, newest=newest, labelled=labelled, since=since, until=until, phase=phase
        )
        decoder = msgspec.json.Decoder(JoinedRow)
        for line in _lines(self._admin, f"/v1/models/{model}/rows", wanted):
            yield decoder.decode(line)

    def rows_raw(
        self,
        model: str,
        *,
        after: int | None = None,
        limit: int | None = None,
        newest: int | None = None,
        labelled: bool | None = None,
        since: float | None = None,
        until: float | None = None,
        phase: str | None = None,
    ) -> bytes:
        """Read the same as `rows`, as NDJSON bytes, e.g. for polars."""
        wanted = _query(
            after=after, limit=limit, newest=newest, labelled=labelled, since=since, until=until, phase=phase
        )
        return _call(self._admin, "GET", f"/v1/models/{model}/rows", params=wanted).content

    def events(self, model: str, *, limit: int = 100) -> list[dict[str, Any]]:
        """List notable events of the router, newest first: rolled back, breaker open, degraded."""
        said = _call(self._admin, "GET", f"/v1/models/{model}/events", params={"limit": str(limit)}).json()
        events: list[dict[str, Any]] = said if isinstance(said, list) else said["events"]
        return events

    def plan(self, model: str) -> TrafficPlan:
        """Return the newest plan."""
        return TrafficPlan.from_json(_call(self._admin, "GET", f"/v1/models/{model}/plan").content)

    def publish_plan(self, plan: TrafficPlan) -> TrafficPlan:
        """Publish *plan*; its epoch must be the newest plus one."""
        answer = _call(self._admin, "PUT", f"/v1/models/{plan.model}/plan", content=plan.to_json())
        return TrafficPlan.from_json(answer.content)

    def rollback(self, model: str, *, actor: str, reason: str, to: str | None = None) -> TrafficPlan:
        """Give all callers to the champion, or to version *to*; works without flows and registry."""
        return TrafficPlan.from_json(self._act(model, "rollback", actor=actor, reason=reason, to=to))

    def pause(self, model: str, *, actor: str, reason: str) -> TrafficPlan:
        """Hold the ramp; guards stay active."""
        return TrafficPlan.from_json(self._act(model, "pause", actor=actor, reason=reason))

    def resume(self, model: str, *, actor: str, reason: str) -> TrafficPlan:
        """Let a paused ramp go on."""
        return TrafficPlan.from_json(self._act(model, "resume", actor=actor, reason=reason))

    def advance(
        self, model: str, *, actor: str, reason: str, share: float | None = None, variant: str | None = None
    ) -> TrafficPlan:
        """
        Make the next step of the rollout, without waiting for its verdict; or give a challenger another share.

        Args:
            model: Name of the model.
            actor: Who wants it.
            reason: Why.
            share: From 0 to 1, for a plan without a rollout; None for the next step.
            variant: Whose share, if there are several challengers.
        """
        return TrafficPlan.from_json(
            self._act(model, "advance", actor=actor, reason=reason, share=share, variant=variant)
        )

    def workers(self) -> list[dict[str, Any]]:
        """Tell what every worker of the router says of itself: plans, breakers, stops."""
        found: list[dict[str, Any]] = _call(self._admin, "GET", "/v1/workers").json()["workers"]
        return found

    def ready(self) -> dict[str, Any]:
        """Tell what one worker says of itself; "degraded" is an answer, not an error."""
        said: dict[str, Any] = _send(self._serving, "GET", "/readyz").json()
        return said

    def wait_for_epoch(self, model: str, epoch: int, timeout: float = 15.0) -> None:
        """
        Wait until every worker answers by plan *epoch* or a newer one.

        Raises:
            Unreachable: If that takes longer than *timeout* seconds.
        """
        wait_for_workers(
            self._settings.router_url,
            model,
            epoch,
            workers=self._settings.router_workers,
            deadline=time.monotonic() + timeout,
        )

    def _act(self, model: str, verb: str, *, actor: str, **said: float | str | None) -> bytes:
        body = {"actor": actor} | {name: value for name, value in said.items() if value is not None}
        # Sent again by whatever is between here and there, it stays one change.
        headers = {"X-Actor": actor.encode("ascii", "replace").decode(), "Idempotency-Key": uuid.uuid4().hex}
        return _call(self._admin, "POST", f"/v1/models/{model}/{verb}", content=_json(body), headers=headers).content


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)


def _query(**wanted: float | bool | str | None) -> dict[str, str]:
    return {name: _text(value) for name, value in wanted.items() if value is not None}


def _text(value: float | bool | str) -> str:
    if isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _send(client: httpx.Client, method: str, path: str, **kwargs: Any) -> httpx.Response:
    try:
        return client.request(method, path, **kwargs)
    except httpx.TransportError as error:
        raise unreachable(str(client.base_url), error) from error


def _call(client: httpx.Client, method: str, path: str, **kwargs: Any) -> httpx.Response:
    response = _send(client, method, path, **kwargs)
    if response.is_error:
        raise refusal(response)
    return response


def _lines(client: httpx.Client, path: str, params: Mapping[str, str]) -> Iterator[bytes]:
    try:
        with client.stream("GET", path, params=params) as response:
            if response.is_error:
                response.read()
                raise refusal(response)
            yield from _split(response.iter_bytes())
    except httpx.TransportError as error:
        raise unreachable(str(client.base_url), error) from error


def _split(chunks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from filter(None, whole)
    if rest:
        yield rest
