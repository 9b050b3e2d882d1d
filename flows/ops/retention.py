"""Keep the artifacts that may be needed again, and free the space of the rest."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flows.config.aftercare import Retention
from flows.config.load import registered_config
from registry.artifacts import ArtifactStore
from registry.errors import NotFound
from registry.home import Settings
from registry.store.registry import Registry
from registry.store.retention import Fate, Keep

_NAMED = re.compile(rb"v\d+\.\d+\.\d+")
_LEFT_BEHIND = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """
    What was, or would be, deleted of one model.

    Attributes:
        deleted: Bytes by version.
        kept: Why, by version, of those archived or rejected that stay.
        dry_run: Whether nothing was changed.
    """

    model: str
    deleted: Mapping[str, int]
    kept: Mapping[str, str]
    dry_run: bool

    @property
    def freed(self) -> int:
        """Bytes in all."""
        return sum(self.deleted.values())


def prune(
    model: str,
    retention: Retention,
    *,
    settings: Settings,
    registry: Registry,
    actor: str,
    reason: str,
    at: datetime,
    dry_run: bool = True,
) -> Pruned:
    """
    Delete the artifacts of the oldest archived and rejected versions; their records and history stay.

    The registry is told first, and bytes go after that has committed: killed in between, it leaves an artifact that
    nobody may use any more, which the next call deletes.

    Args:
        model: Name of the model.
        retention: How many are kept.
        settings: Where routers keep their last good plans; what these name stays.
        registry: Knows the versions.
        actor, reason, at: Who wants it, why and when; written into the audit trail.
        dry_run: Say what would go, and change nothing.

    Raises:
        NotFound: If there is no such model.
        StoreUnavailable: If registry or artifacts cannot be written.
    """
    artifacts = ArtifactStore(settings.models_dir)
    keep, held = Keep(retention.archived, retention.rejected), last_good(settings, model)
    if dry_run:
        fates = registry.fates(model, keep, held)
    else:
        fates = registry.give_up(model, keep, held, actor=actor, reason=reason, at=at)
    going = _going(registry, artifacts, model, fates)
    if not dry_run:
        for version, (why, _) in going.items():
            artifacts.delete(model, version, at=at, why=why)
        artifacts.sweep(older_than=_LEFT_BEHIND)
    return Pruned(
        model=model,
        deleted={version: size for version, (_, size) in going.items()},
        kept={fate.version.version: fate.why for fate in fates if not fate.delete},
        dry_run=dry_run,
    )


def prune_all(
    settings: Settings,
    registry: Registry,
    models: Sequence[str] | None = None,
    *,
    actor: str,
    reason: str,
    at: datetime,
    dry_run: bool = True,
) -> list[Pruned]:
    """
    Do so for *models*, by default for all, as each configuration says; a scheduled job may call it.

    Raises:
        NotFound: If there is no such model.
        StoreUnavailable: If registry or artifacts cannot be written.
        ConfigError: If a configuration cannot be read.
    """
    return [
        prune(
            model,
            retention_of(model, settings),
            settings=settings,
            registry=registry,
            actor=actor,
            reason=reason,
            at=at,
            dry_run=dry_run,
        )
        for model in (registry.models() if models is None else models)
    ]


def retention_of(model: str, settings: Settings) -> Retention:
    """As configured; the default of a model whose configuration is not registered any more."""
    try:
        return registered_config(model, settings).retention
    except NotFound:
        return Retention()


def last_good(settings: Settings, model: str) -> set[str]:
    """Versions that routers of this machine go back to when they start without a registry."""
    try:
        kept = (settings.run_dir / "plans" / f"{model}.plan").read_bytes()
    except OSError:
        return set()
    return {name.decode() for name in _NAMED.findall(kept)}


def _going(registry: Registry, artifacts: ArtifactStore, model: str, fates: list[Fate]) -> dict[str, tuple[str, int]]:
    """Why, and bytes, of what is to be deleted now; also of what was given up before and is still there."""
    whys = {fate.version.version: fate.why for fate in fates if fate.delete}
    found = {}
    for version in registry.versions(model):
        size = artifacts.size(model, version.version) or 0
        why = whys.get(version.version)
        if why is not None:
            found[version.version] = why, size
        elif version.artifact_deleted_at is not None and size:
            found[version.version] = "it was given up before", size
    return found
