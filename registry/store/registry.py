"""The registry: one object in front of all its parts."""

from types import TracebackType
from typing import Self

from registry.store.approvals import Approvals
from registry.store.audit import AuditTrail
from registry.store.champions import Champions
from registry.store.decisions import Decisions
from registry.store.engine import make_engine, translated
from registry.store.incidents import Incidents
from registry.store.looks import Looks
from registry.store.migrate import HEAD, revision, upgrade
from registry.store.notices import Notices
from registry.store.plans import Plans
from registry.store.pulses import Pulses
from registry.store.retention import Retention
from registry.store.retraining import Retraining
from registry.store.rollouts import Rollouts
from registry.store.versions import Versions
from registry.store.watches import Watches


class Steering(Rollouts, Pulses, Approvals, Champions, Watches, Incidents, Notices):
    """Everything that moves callers, and what is written with it."""


class Registry(Versions, Plans, Steering, Retention, Retraining, Decisions, Looks, AuditTrail):
    """
    Source of truth about versions, plans, rollouts and what people decided.

    Every method is one transaction: it changes all it names, with its audit entries, or
    nothing. May be shared by threads; every process opens its own. Moments are given by
    the caller, so that replays can live in another time.
    """

    @classmethod
    def open(cls, url: str, *, patience_s: float | None = None) -> Self:
        """
        Connect, and bring the tables up to date.

        Args:
            url: SQLAlchemy URL, e.g. "sqlite:////home/me/.understudy/registry.sqlite".
            patience_s: How long a writer waits for another one before it refuses; see `make_engine`.

        Raises:
            StoreUnavailable: If it cannot be reached, written or understood.
        """
        registry = cls(make_engine(url, patience_s), url)
        try:
            registry._migrate()
        except BaseException:
            registry.close()
            raise
        return registry

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _migrate(self) -> None:
        with translated(self._url):
            with self._reads() as connection:
                current = revision(connection)
            if current != HEAD:
                with self._writes() as connection:
                    upgrade(connection)
