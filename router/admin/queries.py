"""Query parameters; one that cannot be right is refused by name and value."""

import math

from starlette.requests import Request

from router.decode import shown
from router.errors import BadRequest
from router.index.rows import RowQuery

_TRUTHS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def row_query(request: Request) -> RowQuery:
    """Which rows are asked for."""
    return RowQuery(
        after=whole(request, "after") or 0,
        limit=whole(request, "limit"),
        newest=whole(request, "newest"),
        labelled=_truth(request, "labelled"),
        since=_number(request, "since"),
        until=_number(request, "until"),
        phase=request.query_params.get("phase"),
    )


def age(request: Request) -> float:
    """Least age of a label in seconds; 0 if not given."""
    value = _number(request, "min_label_age") or 0.0
    if value < 0:
        raise _misfit(request, "min_label_age", "seconds, 0 or above")
    return value


def limit(request: Request, default: int, most: int) -> int:
    """How many are asked for; never more than *most*."""
    value = whole(request, "limit")
    return default if value is None else min(value, most)


def whole(request: Request, name: str) -> int | None:
    """A whole number, 0 or above; None if not given."""
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
