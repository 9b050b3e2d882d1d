"""The last good plan as a checksummed file, and the local override that stops challengers."""

import hashlib
import logging
import os
import threading
from pathlib import Path

import msgspec
from msgspec import UNSET, UnsetType

from registry.errors import Refusal
from registry.records.base import Record
from registry.records.plan import TrafficPlan
from registry.records.version import ModelVersion
from router.report import Stop

log = logging.getLogger("understudy.router")


class Kept(Record, frozen=True, kw_only=True):
    """A plan with the versions it names."""

    plan: TrafficPlan
    versions: dict[str, ModelVersion]


class Override(Record, frozen=True, kw_only=True):
    """
    Challengers of all plans up to *epoch* are off, and those of the same rollout for ever.

    Attributes:
        actor: Who took them off.
        rollout: Id of the rollout that the plan belonged to; None for a plan published by hand.
        restore: The former champion, if it shall answer in place of the one that is watched.
    """

    epoch: int
    reason: str
    actor: str = "router"
    rollout: str | None = None
    restore: str | UnsetType = UNSET

    @property
    def stop(self) -> Stop:
        """What the board says of it."""
        return Stop(self.epoch, self.reason, self.rollout, self.restore or None)

    def holds(self, plan: TrafficPlan) -> bool:
        """Whether the challengers of this plan are off."""
        return self.stop.holds(plan)

    def applies(self, plan: TrafficPlan) -> bool:
        """Whether there is somebody whom it takes off."""
        return (bool(plan.challengers) and self.holds(plan)) or self.stop.restores(plan)


def override_by(stop: Stop) -> Override:
    """What to keep of a stop that the workers have made."""
    restore = UNSET if stop.restore is None else stop.restore
    return Override(epoch=stop.epoch, reason=stop.reason, rollout=stop.rollout, restore=restore)


def keep(folder: Path, kept: Kept) -> None:
    """Replace the file of this model; a reader sees the old or the new one, whole."""
    folder.mkdir(parents=True, exist_ok=True)
    body = kept.to_json()
    replace_file(folder / f"{kept.plan.model}.plan", hashlib.sha256(body).hexdigest().encode() + b"\n" + body)


def recall(folder: Path) -> list[Kept]:
    """All kept plans whose checksum is right and that this version of ours understands."""
    found = []
    for path in sorted(folder.glob("*.plan")):
        try:
            checksum, _, body = path.read_bytes().partition(b"\n")
            if checksum == hashlib.sha256(body).hexdigest().encode():
                found.append(Kept.from_json(body))
        except (OSError, ValueError, msgspec.MsgspecError, Refusal) as error:
            log.warning("%s is not used: %s", path, error)
    return found


def stop_challengers(folder: Path, model: str, override: Override) -> None:
    """Tell every worker on this machine, with or without a registry."""
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / f"{model}.override", override.to_json())


def override_of(folder: Path, model: str) -> Override | None:
    """What was told last; None without a readable one."""
    try:
        return Override.from_json((folder / f"{model}.override").read_bytes())
    except (OSError, ValueError, msgspec.MsgspecError, Refusal):
        return None


def overrides(folder: Path) -> dict[str, Override]:
    """What was told last of every model."""
    found = {path.stem: override_of(folder, path.stem) for path in sorted(folder.glob("*.override"))}
    return {model: override for model, override in found.items() if override is not None}


def replace_file(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write beside, make durable unless a lost power may undo it, rename over."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    with temporary.open("wb") as file:
        file.write(data)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    temporary.replace(path)
