"""The admin port: plans, metrics, rows, rollback; bearer token, loopback by default."""

import math
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from registry.errors import NotFound, PlanConflict, Refusal, StageConflict, StoreUnavailable
from registry.records.plan import TrafficPlan
from router.decode import shown
from router.errors import BadRequest
from router.index.rows import RowQuery, ndjson
from router.keeper import Keeper

_STATUS: list[tuple[type[Refusal], int]] = [
    (NotFound, 404),
    (PlanConflict, 409),
    (StageConflict, 409),
    (StoreUnavailable, 503),
]
_TRUTHS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
Endpoint = Callable[[Request], Awaitable[Response]]


class Unauthorized(BadRequest):
    """No token, or a wrong one; nothing was shown or changed."""

    status = 401


def admin_app(keeper: Keeper, token: str) -> Starlette:
    """Routes of the admin port over one keeper."""
    handlers = _Handlers(keeper)
    guarded = _guarded(token)

    def route(path: str, endpoint: Endpoint, method: str = "GET") -> Route:
        return Route(path, guarded(endpoint), methods=[method])

    return Starlette(
        routes=[
            Route("/healthz", _healthy),
            route("/v1/models", handlers.models),
            route("/v1/models/{model}/plan", handlers.plan),
            route("/v1/models/{model}/plan", handlers.publish, "PUT"),
            route("/v1/models/{model}/plans", handlers.plans),
            route("/v1/models/{model}/metrics", handlers.metrics),
            route("/v1/models/{model}/rows", handlers.rows),
            route("/v1/models/{model}/events", handlers.events),
            route("/v1/models/{model}/sync", handlers.sync, "POST"),
            route("/v1/models/{model}/rollback", handlers.rollback, "POST"),
            route("/v1/models/{model}/pause", handlers.pause, "POST"),
            route("/v1/models/{model}/resume", handlers.resume, "POST"),
        ],
        exception_handlers={Refusal: _refused},
    )


class _Handlers:
    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    async def models(self, _request: Request) -> Response:
        return JSONResponse({"models": await run_in_threadpool(lambda: self._keeper.registry().models())})

    async def plan(self, request: Request) -> Response:
        return _record(await run_in_threadpool(self._keeper.plan, request.path_params["model"]))

    async def plans(self, request: Request) -> Response:
        model = request.path_params["model"]
        found = await run_in_threadpool(lambda: self._keeper.registry().plans(model))
        return _encoded({"plans": found})

    async def publish(self, request: Request) -> Response:
        try:
            plan = TrafficPlan.from_json(await request.body())
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            raise BadRequest("The plan was not published.", f"{error}.", "Send a TrafficPlan as JSON.") from error
        if plan.model != request.path_params["model"]:
            raise BadRequest("The plan was not published.", f"It is of {plan.model!r}.", "Use its own address.")
        return _record(await run_in_threadpool(lambda: self._keeper.registry().publish_plan(plan)))

    async def metrics(self, request: Request) -> Response:
        least = _age(request)
        return _record(await run_in_threadpool(self._keeper.metrics, request.path_params["model"], least))

    async def sync(self, request: Request) -> Response:
        least = _age(request)
        model = request.path_params["model"]
        return _record(await run_in_threadpool(lambda: self._keeper.sync(model, min_label_age=least)))

    async def events(self, request: Request) -> Response:
        limit = _whole(request, "limit")
        limit = 100 if limit is None else limit
        return _encoded({"events": await run_in_threadpool(self._keeper.notes, request.path_params["model"], limit)})

    async def rows(self, request: Request) -> Response:
        query = _row_query(request)
        model = request.path_params["model"]

        def stream() -> Any:
            with self._keeper.reading() as connection:
                yield from ndjson(connection, model, query)

        return StreamingResponse(stream(), media_type="application/x-ndjson")

    async def rollback(self, request: Request) -> Response:
        said = await _said(request)
        to = said.get("to")
        if to is not None and not isinstance(to, str):
            raise BadRequest("Nothing was changed.", f"to is {shown(to)}, expected a version.", "Name one, or none.")
        return _record(
            await run_in_threadpool(
                lambda: self._keeper.roll_back(
                    request.path_params["model"], actor=said["actor"], reason=said["reason"], to=to
                )
            )
        )

    async def pause(self, request: Request) -> Response:
        return await self._hold(request, paused=True)

    async def resume(self, request: Request) -> Response:
        return await self._hold(request, paused=False)

    async def _hold(self, request: Request, *, paused: bool) -> Response:
        said = await _said(request)

        def change() -> TrafficPlan:
            plan = self._keeper.plan(request.path_params["model"])
            if plan.paused == paused:
                return plan
            changed = msgspec.structs.replace(
                plan, epoch=plan.epoch + 1, paused=paused, actor=said["actor"], reason=said["reason"]
            )
            return self._keeper.registry().publish_plan(changed)

        return _record(await run_in_threadpool(change))


def _guarded(token: str) -> Callable[[Endpoint], Endpoint]:
    expected = f"Bearer {token}".encode()

    def guard(endpoint: Endpoint) -> Endpoint:
        async def guarded(request: Request) -> Response:
            given = request.headers.get("authorization", "").encode("utf-8", "surrogateescape")
            if not secrets.compare_digest(given, expected):
                raise Unauthorized(
                    f"{request.method} {request.url.path} was refused.",
                    "The bearer token is missing or wrong.",
                    "Send 'Authorization: Bearer <token>'; it is in admin-token of the state folder.",
                )
            return await endpoint(request)

        return guarded

    return guard


async def _said(request: Request) -> dict[str, Any]:
    try:
        body: Any = msgspec.json.decode(await request.body() or b"{}")
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadRequest("Nothing was changed.", f"The body is no JSON: {error}.", "Send actor and reason.") from error
    said = dict(body) if isinstance(body, dict) else {}
    said.setdefault("actor", request.headers.get("x-actor"))
    missing = [name for name in ("actor", "reason") if not isinstance(said.get(name), str) or not said[name].strip()]
    if missing:
        raise BadRequest("Nothing was changed.", f"{' and '.join(missing)} missing.", "Say who does it, and why.")
    return said


def _row_query(request: Request) -> RowQuery:
    return RowQuery(
        after=_whole(request, "after") or 0,
        limit=_whole(request, "limit"),
        newest=_whole(request, "newest"),
        labelled=_truth(request, "labelled"),
        since=_number(request, "since"),
        until=_number(request, "until"),
        phase=request.query_params.get("phase"),
    )


def _age(request: Request) -> float:
    value = _number(request, "min_label_age") or 0.0
    if value < 0:
        raise _misfit(request, "min_label_age", "seconds, 0 or above")
    return value


def _whole(request: Request, name: str) -> int | None:
    value = _number(request, name)
    if value is None:
        return None
    if not (value.is_integer() and 0 <= value < 2**53):
        raise _misfit(request, name, "a whole number, 0 or above")
    return int(value)


def _truth(request: Request, name: str) -> bool | None:
    text = request.query_params.get(name)
    if text is not None and text.lower() not in _TRUTHS:
        raise _misfit(request, name, "true or false")
    return None if text is None else _TRUTHS[text.lower()]


def _number(request: Request, name: str) -> float | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError as error:
        raise _misfit(request, name, "a number") from error
    if not math.isfinite(value):
        raise _misfit(request, name, "a finite number")
    return value


def _misfit(request: Request, name: str, wanted: str) -> BadRequest:
    text = shown(request.query_params[name])
    return BadRequest("Nothing was read.", f"{name} is {text}, expected {wanted}.", "Correct it.")


async def _healthy(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), getattr(error, "status", 422))
    return JSONResponse({"error": error.what, "why": error.why, "mend": error.mend}, status_code=status)


def _record(record: Any) -> Response:
    return Response(record.to_json(), media_type="application/json")


def _encoded(value: Any) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
