"""What was concluded: decisions and drift reports."""

from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from registry.errors import AlreadyExists, NotFound
from registry.records.verdict import Decision
from registry.store.audit import append
from registry.store.base import Cause, Store, kept
from registry.store.tables import decisions, drift_reports
from registry.store.types import stamp

ACTOR = "understudy"


class Decisions(Store):
    """Decisions and drift reports of every model."""

    def save_decision(self, decision: Decision) -> None:
        """
        Keep a decision; saving the same one again changes nothing.

        Raises:
            AlreadyExists: If another decision has its id.
            InvalidRecord: If a number is NaN or of the wrong type.
        """
        decision = kept(decision)
        document = decision.to_json().decode()
        with self._writes() as connection:
            known = connection.scalar(select(decisions.c.document).where(decisions.c.id == decision.id))
            if known == document:
                return
            if known is not None:
                raise AlreadyExists(
                    f"Decision {decision.id} was not stored.", "Another one has this id.", "Give it an id of its own."
                )
            connection.execute(
                insert(decisions).values(
                    id=decision.id, model=decision.model, document=document, created_at=decision.created_at
                )
            )
            append(
                connection,
                Cause(ACTOR, decision.headline, decision.created_at),
                "decision.saved",
                model=decision.model,
                subject=decision.id,
                after={"outcome": decision.outcome, "challenger": decision.challenger, "digest": decision.digest()},
            )

    def decision(self, id: str) -> Decision:  # noqa: A002 (the record's own word)
        """
        Look up one decision.

        Raises:
            NotFound: With the newest that are known.
        """
        with self._reads() as connection:
            document = connection.scalar(select(decisions.c.document).where(decisions.c.id == id))
            newest = connection.scalars(select(decisions.c.id).order_by(decisions.c.number.desc()).limit(5))
            if document is None:
                known = ", ".join(newest) or "none yet"
                raise NotFound(f"There is no decision {id!r}.", f"Newest: {known}.", "Name one of these.")
        return Decision.from_json(document)

    def decisions(self, model: str | None = None) -> list[Decision]:
        """List decisions, newest first."""
        query = select(decisions.c.document).order_by(decisions.c.number.desc())
        if model is not None:
            query = query.where(decisions.c.model == model)
        with self._reads() as connection:
            return [Decision.from_json(document) for document in connection.scalars(query)]

    def save_drift_report(self, model: str, at: datetime, report: dict[str, Any]) -> None:
        """Keep what a drift check of *model* found; NaN is kept as null."""
        with self._writes() as connection:
            connection.execute(insert(drift_reports).values(model=model, at=at, report=report))

    def drift_reports(self, model: str, limit: int | None = None) -> list[dict[str, Any]]:
        """List reports, newest first; each has "at" (ISO 8601, UTC) beside what was saved."""
        query = (
            select(drift_reports.c.report, drift_reports.c.at)
            .where(drift_reports.c.model == model)
            .order_by(drift_reports.c.at.desc(), drift_reports.c.number.desc())
            .limit(limit)
        )
        with self._reads() as connection:
            return [row.report | {"at": stamp(row.at)} for row in connection.execute(query)]
