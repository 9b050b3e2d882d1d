"""What viewers see."""

from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from router.admin import queries
from router.admin.lanes import Lanes
from router.admin.refusals import JSON
from router.admin.workers import Workers
from router.index.rows import ndjson
from router.keeper import Keeper

MOST_EVENTS, MOST_PLANS, MOST_ENTRIES = 10_000, 10_000, 10_000


class Reads:
    """Routes that change nothing."""

    def __init__(self, keeper: Keeper, lanes: Lanes, workers: Workers) -> None:
        self._keeper, self._lanes, self._workers = keeper, lanes, workers

    async def models(self, _request: Request) -> Response:
        """Names of all models with a plan."""
        return JSONResponse({"models": await self._lanes.looks.run(lambda: self._keeper.registry().models())})

    async def plan(self, request: Request) -> Response:
        """The newest plan."""
        return record(await self._lanes.looks.run(lambda: self._keeper.plan(_model(request))))

    async def plans(self, request: Request) -> Response:
        """Former plans, newest first."""
        most = queries.limit(request, 100, MOST_PLANS)
        found = await self._lanes.looks.run(lambda: self._keeper.registry().plans(_model(request), most))
        return encoded({"plans": found})

    async def events(self, request: Request) -> Response:
        """What people want to know, newest first."""
        most = queries.limit(request, 100, MOST_EVENTS)
        found = await self._lanes.looks.run(lambda: self._keeper.notes(_model(request), most))
        return encoded({"events": found})

    async def breakers(self, request: Request) -> Response:
        """Circuit breakers of every worker that answers."""
        return encoded(await self._workers.breakers(_model(request)))

    async def workers(self, _request: Request) -> Response:
        """State of every worker that answers."""
        return encoded({"workers": await self._workers.states()})

    async def audit(self, request: Request) -> Response:
        """Who did what, newest first."""
        most = queries.limit(request, 50, MOST_ENTRIES)
        model = request.query_params.get("model")
        found = await self._lanes.looks.run(lambda: self._keeper.registry().audit(model, most))
        return encoded({"entries": found})

    async def verify(self, _request: Request) -> Response:
        """Whether the trail is as it was written."""
        findings = await self._lanes.statistics.run(lambda: self._keeper.registry().verify_audit())
        return encoded({"intact": not findings, "findings": findings})

    async def metrics(self, request: Request) -> Response:
        """Sufficient statistics, as far as ingested."""
        least = queries.age(request)
        return record(await self._lanes.statistics.run(lambda: self._keeper.metrics(_model(request), least)))

    async def sync(self, request: Request) -> Response:
        """Wait until everything is ingested; then as metrics."""
        least = queries.age(request)
        return record(await self._lanes.statistics.run(lambda: self._keeper.sync(_model(request), min_label_age=least)))

    async def rows(self, request: Request) -> Response:
        """Joined rows, streamed."""
        query, model = queries.row_query(request), _model(request)

        async def stream() -> AsyncIterator[bytes]:
            with ExitStack() as stack:
                connection = stack.enter_context(self._keeper.reading())
                async for chunk in self._lanes.rows.each(ndjson(connection, model, query)):
                    yield chunk

        return StreamingResponse(stream(), media_type="application/x-ndjson")


def record(found: Any) -> Response:
    """One record as the body."""
    return Response(found.to_json(), media_type=JSON)


def encoded(value: Any) -> Response:
    """Plain values and records as the body."""
    return Response(msgspec.json.encode(value), media_type=JSON)


def _model(request: Request) -> str:
    model: str = request.path_params["model"]
    return model
