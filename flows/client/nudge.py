"""Ask Prefect to look at a rollout now, from where no flow runs and nobody wants to load one."""

import uuid
from datetime import UTC, datetime

import httpx

from flows.client.clock import lives_in_another_time
from registry.home import Settings
from registry.telling import STEERED

PATIENCE_S = 1.0
"""Seconds that the server may take; the schedule finds the same work minutes later."""


def ask_for_a_look(settings: Settings, model: str) -> bool:
    """
    Let the flow `rollout` look at *model* as soon as a worker is free; never raises, and waits for a second at most.

    Returns:
        Whether the server took it; not if it is away or slow, or if a replay moves the model.
    """
    if lives_in_another_time(settings, model):
        return False
    told = {
        "id": str(uuid.uuid4()),
        "occurred": datetime.now(UTC).isoformat(),
        "event": STEERED,
        "resource": {"prefect.resource.id": f"understudy.model.{model}", "prefect.resource.name": model},
        "related": [],
        "payload": {"model": model},
    }
    try:
        with httpx.Client(base_url=settings.prefect_api_url, timeout=PATIENCE_S, trust_env=False) as client:
            client.post("/events", json=[told]).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return False
    return True
