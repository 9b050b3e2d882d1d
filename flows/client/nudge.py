"""Ask Prefect to look at a rollout now, from where no flow runs and nobody wants to load one."""

import httpx

from flows.client.clock import lives_in_another_time
from registry.home import Settings

DEPLOYMENT = "rollout/rollout-on-demand"
PATIENCE_S = 1.0
"""Seconds for each of two requests; the schedule finds the same work minutes later."""


def ask_for_a_look(settings: Settings, model: str) -> bool:
    """
    Let the flow `rollout` look at *model* as soon as a worker is free; never raises, and waits for 2 seconds at most.

    Returns:
        Whether a run was made; not if the server is away or slow, or if a replay moves the model.
    """
    if lives_in_another_time(settings, model):
        return False
    try:
        with httpx.Client(base_url=settings.prefect_api_url, timeout=PATIENCE_S, trust_env=False) as client:
            found = client.get(f"/deployments/name/{DEPLOYMENT}").raise_for_status().json()["id"]
            wanted = {"parameters": {"model": model}, "tags": [f"next-look:{model}"]}
            client.post(f"/deployments/{found}/create_flow_run", json=wanted).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError):
        return False
    return True
