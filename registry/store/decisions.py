"""What was concluded about challengers."""

from sqlalchemy import insert, select

from registry.errors import AlreadyExists, NotFound
from registry.records.verdict import Decision
from registry.store.audit import append
from registry.store.base import Cause, Store, kept
from registry.store.tables import decisions

ACTOR = "understudy"


class Decisions(Store):
    """Decisions of every model."""

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
