"""Read prefect.yaml: what is deployed, and how."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

import flows
from flows.errors import ConfigError

NAME = "prefect.yaml"


def prefect_yaml() -> Path:
    """
    Find the file beside the installed package, or at the root of a checkout.

    Raises:
        ConfigError: If it is at neither place.
    """
    package = Path(flows.__file__).parent
    places = [package / "ops" / NAME, package.parent / NAME]
    for place in places:
        if place.exists():
            return place
    shown = " nor ".join(map(str, places))
    raise ConfigError("The deployments are not known.", f"There is neither {shown}.", "Install the package again.")


def read_deployments(file: Path) -> list[dict[str, Any]]:
    """List the deployments as written, in order."""
    document: dict[str, Any] = yaml.safe_load(file.read_text())
    deployments: list[dict[str, Any]] = document["deployments"]
    return deployments


def load_flow(entrypoint: str) -> Any:
    """Import the flow that a module entrypoint names."""
    module, _, name = entrypoint.rpartition(".")
    return getattr(importlib.import_module(module), name)


def trigger_parameters(deployment: Mapping[str, Any]) -> dict[str, str]:
    """Every parameter that a trigger of *deployment* fills in, with its template."""
    found: dict[str, str] = {}
    for trigger in deployment.get("triggers", ()):
        found |= trigger.get("parameters", {})
    return found
