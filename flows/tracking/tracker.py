"""Note what happened; never in the way of what happens."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, Self

import msgspec

from flows.config.aftercare import Tracking
from flows.config.load import registered_config
from flows.config.model import ModelConfig
from flows.tracking import entries
from flows.tracking.entries import SeenLook
from flows.tracking.entry import Entry, Trial
from flows.tracking.outbox import Outbox
from registry.errors import Refusal
from registry.home import Settings
from registry.records.retraining import RetrainingEvent
from registry.records.rollout import Rollout
from registry.records.verdict import Decision
from registry.records.version import ModelVersion

log = logging.getLogger("understudy.tracking")
PATIENCE = 2.0
"""Seconds that a flow waits at most for another process to let go of the outbox."""
NO_FILES: Mapping[str, bytes] = MappingProxyType({})


class Configured(Protocol):
    """The part of a configuration that says how to track."""

    @property
    def tracking(self) -> Tracking:
        """Section `tracking`."""


class Tracker:
    """
    Writes what happened into the outbox, in milliseconds; `flows.tracking.send` delivers it later.

    None of its methods raises: what cannot be written is logged, and whatever was noted goes on.
    """

    def __init__(self, settings: Settings, config: ModelConfig | Configured) -> None:
        self._settings = settings
        self._wanted = config.tracking
        self._outbox = Outbox(settings, PATIENCE)

    @classmethod
    def of(cls, settings: Settings, model: str) -> Self:
        """As the registered configuration of *model* says; by the defaults if there is none."""
        try:
            return cls(settings, registered_config(model, settings))
        except (Refusal, OSError):
            return cls(settings, _Default())

    def note_look(self, look: SeenLook) -> None:
        """Note a look at a model, and the retraining that it asked for."""
        self._note(lambda: [(entry, NO_FILES) for entry in entries.of_look(look)])

    def note_decision(self, decision: Decision) -> None:
        """Note a verdict over champion and challenger, with its report."""
        self._note(lambda: [(entries.of_decision(decision), self._report(decision))])

    def note_rollout(self, rollout: Rollout, kind: str, said: str, at: datetime) -> None:
        """
        Note one move of a rollout.

        Args:
            rollout: As it is after the move.
            kind: e.g. "start", "advance", "promote", "roll_back".
            said: Why.
            at: On the model's clock.
        """
        self._note(lambda: [(entries.of_rollout(rollout, kind, said, at), NO_FILES)])

    def note_deployment(self, model: str, version: str, kind: str, said: str, actor: str, at: datetime) -> None:
        """Note that *version* answers callers for a reason that is no rollout: the first one, or one brought back."""
        self._note(lambda: [(entries.of_deployment(model, version, kind, said, actor, at), NO_FILES)])

    def note_candidate(
        self, version: ModelVersion, trials: Sequence[Trial] = (), files: Mapping[str, bytes] = NO_FILES
    ) -> None:
        """
        Note a version that was registered.

        Args:
            version: As it was registered.
            trials: What was tried on the way, best known first; dropped if `tracking.trials` is off.
            files: Artifacts of the run by name, e.g. card.md and contract.json.
        """
        kept = tuple(trials) if self._wanted.trials else ()
        self._note(lambda: [(entries.of_candidate(version, kept, tuple(files)), files)])

    def note_retraining(
        self, event: RetrainingEvent, version: ModelVersion | None = None, decision: Decision | None = None
    ) -> None:
        """
        Note what came of a retraining.

        Args:
            event: Once it is closed.
            version: What it made; None if it failed, or was refused.
            decision: Over that version.
        """

        def make() -> Sequence[tuple[Entry, Mapping[str, bytes]]]:
            files = self._report(decision) if decision else NO_FILES
            noted = entries.of_retraining(event, version, decision, tuple(files))
            return [(entry, files if entry.attachments else NO_FILES) for entry in noted]

        self._note(make)

    def _note(self, make: Callable[[], Sequence[tuple[Entry, Mapping[str, bytes]]]]) -> None:
        if not self._wanted.enabled:
            return
        try:
            for entry, files in make():
                self._outbox.put(msgspec.structs.replace(entry, uri=self._wanted.uri), files)
        except Exception as error:  # noqa: BLE001  a full disk, a record of another time: the flow goes on
            log.warning("a run was not noted for MLflow: %s: %s", type(error).__name__, error)

    def _report(self, decision: Decision) -> Mapping[str, bytes]:
        documents = {"decision.json": decision.to_json()}
        report = _read(self._settings.reports_dir / decision.report) if decision.report else None
        return documents | ({"decision.html": report} if report else {})


class _Default:
    tracking = Tracking()


def _read(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None
