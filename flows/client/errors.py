"""Translate what the router or the network said into refusals, once."""

import httpx

from flows.errors import FlowsError, Unreachable
from registry.errors import NotFound, PlanConflict, Refusal, StageConflict


class RouterRefused(FlowsError):
    """The router answered, and said no; nothing was changed there."""


class RouterFailed(RouterRefused):
    """The router broke down over a request, or is not the router at all."""

    exit_code = 3


_LOOK = "Look at `understudy status`, and at the log that it names."


def unreachable(url: str, error: httpx.TransportError) -> Unreachable:
    """Name the address that did not answer, and how to start it."""
    why = "It did not answer in time" if isinstance(error, httpx.TimeoutException) else "Nothing listens there"
    detail = f" ({error})" if str(error) else ""
    return Unreachable(
        f"The router at {url} does not answer.",
        f"{why}{detail}.",
        "Start it with `understudy up`, or look at `understudy status`.",
    )


def refusal(response: httpx.Response) -> Refusal:
    """Keep the router's own words, as the error that the registry would have raised."""
    kind, said = _kind(response), _document(response)
    if {"error", "why", "mend"} <= said.keys():
        return kind(str(said["error"]), str(said["why"]), str(said["mend"]))
    if "html" in response.headers.get("content-type", ""):
        return _foreign(response)
    text = str(said.get("detail") or said.get("error") or response.text[:500] or "it gave no reason")
    return kind(
        f"The router refused {response.request.method} {response.request.url.path} ({response.status_code}).",
        text if text.endswith(".") else f"{text}.",
        _LOOK if kind is RouterFailed else "Correct the request; the router's /docs page shows every field.",
    )


def _foreign(response: httpx.Response) -> "RouterFailed":
    """Something else listens where the router should."""
    where = response.request.url.copy_with(raw_path=b"/")
    return RouterFailed(
        f"What answers at {where} is not the router.",
        f"It answered {response.request.method} {response.request.url.path} with a web page ({response.status_code}).",
        "`understudy doctor` names the program; stop it, or set UNDERSTUDY_ROUTER_PORT and UNDERSTUDY_ADMIN_PORT.",
    )


def _kind(response: httpx.Response) -> type[Refusal]:
    if response.status_code == 404:
        return NotFound
    if response.status_code == 409:
        return PlanConflict if response.request.method == "PUT" else StageConflict
    return RouterFailed if response.status_code >= 500 else RouterRefused


def _document(response: httpx.Response) -> dict[str, object]:
    try:
        said = response.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
