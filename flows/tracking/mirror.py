"""The registry repeated in MLflow's: one way, and only what has changed."""

from collections.abc import Mapping, Sequence
from typing import Any

from flows.tracking.entries import of_candidate, version_run
from flows.tracking.runs import ORIGIN, Runs
from flows.tracking.signature import FOLDER
from registry.records.plan import CHAMPION
from registry.records.version import ModelVersion
from registry.store.registry import Registry

SEQUENCE = "understudy.audit"
"""Tag of a registered model: the last entry of our audit trail that it shows."""
NOT_OURS = "MLflow has a registered model {!r} of other origin; ours is not repeated there."
_ALIASES = ("champion", "challenger", "previous")


def mirror(client: Any, runs: Runs, registry: Registry, model: str, origin: str) -> str:
    """
    Make MLflow's registered model show what the registry says now; safe to repeat, and to cut off.

    Versions carry the tags `semver` and `stage`, aliases say champion, challenger and previous.

    Args:
        client: An `MlflowClient`.
        runs: Finds, or makes, the run of each version.
        registry: Says what is so; it is only read.
        model: Name of the model.
        origin: Name of the state folder; a registered model of another one is left alone.

    Returns:
        Why nothing was done, if the name belongs to somebody else; otherwise empty.
    """
    newest = registry.audit(model, limit=1)
    sequence = str(newest[0].sequence) if newest else ""
    there = _registered(client, model, origin)
    if there.tags.get(ORIGIN) != origin:
        return NOT_OURS.format(model)
    if there.tags.get(SEQUENCE) == sequence:
        return ""
    versions = registry.versions(model)
    numbers = _versions(client, runs, model, versions)
    _point(client, model, there.aliases, _aliases(registry, model, versions), numbers)
    client.set_registered_model_tag(model, SEQUENCE, sequence)
    return ""


def _registered(client: Any, model: str, origin: str) -> Any:
    found = client.search_registered_models(f"name = '{model}'", max_results=1)
    if not found:
        client.create_registered_model(model, {ORIGIN: origin}, "Mirror of an Understudy registry; change it there.")
    return client.get_registered_model(model)


def _versions(client: Any, runs: Runs, model: str, versions: Sequence[ModelVersion]) -> dict[str, str]:
    """Create what is missing, oldest first; return MLflow's number of each version."""
    known = _known(client, model)
    for version in reversed(versions):
        there = known.get(version.version) or _create(client, runs, version)
        if there.tags.get("stage") != version.stage:
            client.set_model_version_tag(model, there.version, "stage", version.stage)
        known[version.version] = there
    return {semver: str(there.version) for semver, there in known.items()}


def _known(client: Any, model: str) -> dict[str, Any]:
    """By semantic version; of two, which a server leaves that answered too late, the older one stays."""
    found: dict[str, Any] = {}
    pages = _all_versions(client, model)
    for there in sorted(pages, key=lambda one: int(one.version)):
        semver = there.tags.get("semver")
        if semver in found:
            client.delete_model_version(model, there.version)
        elif semver:
            found[semver] = there
    return found


def _all_versions(client: Any, model: str) -> list[Any]:
    found: list[Any] = []
    token = None
    while True:
        page = client.search_model_versions(f"name = '{model}'", max_results=200, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def _create(client: Any, runs: Runs, version: ModelVersion) -> Any:
    run = version_run(version.model, version.version, version.artifact_digest)
    run_id = runs.find("retraining_pipeline", run) or runs.deliver(of_candidate(version), {})
    return client.create_model_version(
        version.model,
        f"runs:/{run_id}/{FOLDER}",
        run_id,
        tags={"semver": version.version, "stage": version.stage, "artifact_digest": version.artifact_digest},
        description=version.reason,
        await_creation_for=0,
    )


def _aliases(registry: Registry, model: str, versions: Sequence[ModelVersion]) -> dict[str, str]:
    stages = {version.version: version.stage for version in versions}
    active = registry.active_rollout(model)
    found = {"champion": next((name for name, stage in stages.items() if stage == "production"), None)}
    found["challenger"] = active.challenger if active else None
    found["previous"] = _previous(registry, model)
    return {alias: version for alias, version in found.items() if version is not None}


def _previous(registry: Registry, model: str) -> str | None:
    """Who was champion before; one that returns takes back everything after its first time."""
    reigns: list[str] = []
    for plan in reversed(registry.plans(model, limit=None)):
        champion = plan.version_of(CHAMPION)
        if champion in reigns:
            del reigns[reigns.index(champion) + 1 :]
        else:
            reigns.append(champion)
    return reigns[-2] if len(reigns) > 1 else None


def _point(
    client: Any, model: str, now: Mapping[str, Any], wanted: Mapping[str, str], numbers: Mapping[str, str]
) -> None:
    for alias in _ALIASES:
        number = numbers.get(wanted.get(alias, ""))
        if number is None and alias in now:
            client.delete_registered_model_alias(model, alias)
        elif number is not None and str(now.get(alias)) != number:
            client.set_registered_model_alias(model, alias, number)
