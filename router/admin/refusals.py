"""Refusals of the admin port, and how all of them are told."""

import msgspec
from starlette.responses import Response

from registry.errors import ApprovalForbidden, NotFound, PlanConflict, Refusal, StageConflict, StoreUnavailable
from router.errors import BadRequest

JSON = "application/json"
_STATUS: tuple[tuple[type[Refusal], int], ...] = (
    (NotFound, 404),
    (ApprovalForbidden, 403),
    (PlanConflict, 409),
    (StageConflict, 409),
    (StoreUnavailable, 503),
)


class Unauthorized(BadRequest):
    """No token, or a wrong one; nothing was shown or changed."""

    status = 401


class Forbidden(BadRequest):
    """A token whose role does not reach that far; nothing was shown or changed."""

    status = 403


class TooManyFailures(BadRequest):
    """Too many wrong tokens came from one address."""

    status = 429


class Busy(BadRequest):
    """Too many ask at once; nothing was begun."""

    status = 503


def status_of(error: Refusal) -> int:
    """The HTTP status that tells of *error*."""
    own = getattr(error, "status", 422)
    return next((code for kind, code in _STATUS if isinstance(error, kind)), own)


def refusal(error: Refusal, status: int | None = None, headers: dict[str, str] | None = None) -> Response:
    """The answer that names what did not happen, why, and how to mend it."""
    body = msgspec.json.encode({"error": error.what, "why": error.why, "mend": error.mend})
    return Response(body, status or status_of(error), headers, JSON)
