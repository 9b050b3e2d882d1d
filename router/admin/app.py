"""The routes of the admin port, and who may ask for each."""

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from registry.errors import Refusal
from registry.home import Settings
from router.admin.changes import Changes
from router.admin.failures import Failures
from router.admin.gate import Gate, Named
from router.admin.lanes import Lanes
from router.admin.reads import Reads
from router.admin.refusals import Forbidden, refusal
from router.admin.signoffs import SignOffs
from router.admin.tokens import Role, TokenBook
from router.admin.workers import Workers
from router.keeper import Keeper

Endpoint = Callable[[Request], Awaitable[Response]]
MODEL = "/v1/models/{model}"


def admin_app(
    keeper: Keeper, token: str, settings: Settings | None = None, *, failures: Failures | None = None
) -> Starlette:
    """
    Routes of the admin port over one keeper.

    Args:
        keeper: What is shown, and what rolls back.
        token: The shared one, which may do everything.
        settings: Where further tokens, the workers and their files are; the environment's if absent.
        failures: Counts wrong tokens.

    Raises:
        InvalidRecord: If the file of tokens cannot be understood.
    """
    settings = settings or Settings()
    book = TokenBook(token, settings.tokens_file)
    lanes = Lanes()
    workers = Workers(settings.router_url, settings.router_workers, lambda: keeper.seen())
    reads = Reads(keeper, lanes, workers)
    changes, gate = Changes(keeper, lanes, settings.run_dir / "plans"), SignOffs(keeper, lanes)
    return Starlette(
        routes=[Route("/healthz", _healthy), *_read_routes(reads), *_change_routes(changes), *_gate_routes(gate)],
        middleware=[Middleware(Named), Middleware(Gate, book=book, failures=failures or Failures())],
        exception_handlers={Refusal: _refused, HTTPException: _unknown},
    )


def _read_routes(reads: Reads) -> list[Route]:
    return [
        _route("viewer", "GET", "/v1/models", reads.models),
        _route("viewer", "GET", "/v1/workers", reads.workers),
        _route("viewer", "GET", "/v1/audit", reads.audit),
        _route("viewer", "GET", "/v1/audit/verify", reads.verify),
        _route("viewer", "GET", f"{MODEL}/plan", reads.plan),
        _route("viewer", "GET", f"{MODEL}/plans", reads.plans),
        _route("viewer", "GET", f"{MODEL}/metrics", reads.metrics),
        _route("viewer", "GET", f"{MODEL}/rows", reads.rows),
        _route("viewer", "GET", f"{MODEL}/events", reads.events),
        _route("viewer", "GET", f"{MODEL}/breakers", reads.breakers),
        _route("viewer", "POST", f"{MODEL}/sync", reads.sync),
    ]


def _change_routes(changes: Changes) -> list[Route]:
    return [
        _route("operator", "POST", f"{MODEL}/rollback", changes.rollback),
        _route("operator", "POST", f"{MODEL}/pause", changes.pause),
        _route("operator", "POST", f"{MODEL}/resume", changes.resume),
        _route("operator", "POST", f"{MODEL}/advance", changes.advance),
        _route("approver", "PUT", f"{MODEL}/plan", changes.publish),
    ]


def _gate_routes(gate: SignOffs) -> list[Route]:
    return [
        _route("viewer", "GET", f"{MODEL}/approvals", gate.show),
        _route("approver", "POST", f"{MODEL}/approvals", gate.sign),
    ]


def _route(role: Role, method: str, path: str, endpoint: Endpoint) -> Route:
    async def asked(request: Request) -> Response:
        caller = request.state.caller
        if not caller.may(role):
            raise Forbidden(
                f"{method} {request.url.path} was refused.",
                f"The token is {caller.role}'s, but it takes {role}.",
                f"Use the token of a person who is {role}.",
            )
        return await endpoint(request)

    return Route(path, asked, methods=[method])


async def _healthy(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return refusal(error)


async def _unknown(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    what = f"{request.method} {request.url.path[:200]} was not understood."
    why = "The path takes another method." if error.status_code == 405 else "There is no such path."
    told = Refusal(what, why, "See docs/http-api.md for all paths of the admin port.")
    return refusal(told, error.status_code, dict(error.headers or {}))
