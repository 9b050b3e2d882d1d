"""What a worker finds about itself before it takes the first request."""

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

from registry.home import Settings
from registry.records.version import Feature
from router.models import Loaded, Snapshot

log = logging.getLogger("understudy.router")


def self_check(settings: Settings, snapshots: Mapping[str, Snapshot]) -> dict[str, str]:
    """
    Look at the folder, the plans and the models, and log what was found.

    Returns:
        What is wrong, by what it concerns, e.g. "churn v1.2.0"; for `/readyz`. Nothing of it keeps
        the worker from answering by what is well.
    """
    found = dict(_folder(settings))
    if not snapshots:
        found["plans"] = "there is none; train a model: `understudy train`"
    for model, snapshot in snapshots.items():
        for loaded in {id(one): one for one in snapshot.loaded.values()}.values():
            said = probe(loaded)
            if said:
                found[f"{model} {loaded.version.version}"] = said
    models = ", ".join(f"{model} (epoch {one.plan.epoch})" for model, one in snapshots.items()) or "no model"
    log.info("worker %d checked itself: %s; %d troubles", os.getpid(), models, len(found))
    for name, said in found.items():
        log.warning("%s: %s", name, said)
    return found


def probe(loaded: Loaded) -> str | None:
    """
    Score one row that any request might bring; what was wrong with the answer, if anything.

    A remote version is not asked: its server may be away now and back at the first request.
    """
    if loaded.remote is not None:
        return None
    try:
        loaded.prove([probe_row(loaded.version.features)])
    except Exception as error:  # noqa: BLE001 - whatever a model does at its first row is a trouble, not a crash
        return f"it does not answer a probe row: {type(error).__name__}: {str(error)[:200]}"
    return None


def probe_row(features: Sequence[Feature]) -> dict[str, Any]:
    """A row of zeros and first levels."""
    return {one.name: (*one.levels, "")[0] if one.kind == "categorical" else 0.0 for one in features}


def _folder(settings: Settings) -> Mapping[str, str]:
    folders = (settings.events_dir, settings.run_dir)
    return {str(one): "it cannot be written" for one in folders if not os.access(one, os.W_OK | os.X_OK)}
