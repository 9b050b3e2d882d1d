"""Translate what the router or the network said into refusals, once."""

import httpx

from flows.errors import FlowsError, Unreachable
from registry.errors import NotFound, PlanConflict, Refusal, StageConflict


class RouterRefused(FlowsError):
    """The router answered, and said no; nothing was changed there."""


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
    text = str(said.get("detail") or said.get("error") or response.text[:500] or "it gave no reason")
    return kind(
        f"The router refused {response.request.method} {response.request.url.path} ({response.status_code}).",
        text if text.endswith(".") else f"{text}.",
        "Correct the request; the router's /docs page shows every field.",
    )


def _kind(response: httpx.Response) -> type[Refusal]:
    if response.status_code == 404:
        return NotFound
    if response.status_code == 409:
        return PlanConflict if response.request.method == "PUT" else StageConflict
    return RouterRefused


def _document(response: httpx.Response) -> dict[str, object]:
    try:
        said = response.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
