"""Who agreed to a rollout, in which role, and to exactly what."""

from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from registry.store.audit import append
from registry.store.base import Cause, Store
from registry.store.rollouts import one_rollout, over
from registry.store.tables import approvals
from registry.store.types import stamp
from registry.store.versions import lock_model


class Approvals(Store):
    """The approvals of every rollout."""

    def approve(
        self, rollout_id: str, *, actor: str, role: str, reason: str, at: datetime, decision_digest: str
    ) -> None:
        """
        Note that *actor* agrees in *role*; saying it twice changes nothing.

        Args:
            rollout_id: An active rollout.
            actor: Who agrees.
            role: As what, e.g. "ml_lead".
            reason: Why.
            at: When.
            decision_digest: What they have read; another decision needs a new approval.

        Raises:
            NotFound: If there is no such rollout.
            StageConflict: If it is over.
        """
        row = {"rollout_id": rollout_id, "role": role, "actor": actor, "decision_digest": decision_digest}
        with self._writes() as connection:
            lock_model(connection, one_rollout(connection, rollout_id).model)
            rollout = one_rollout(connection, rollout_id)
            if not rollout.active:
                raise over(rollout, f"The approval of {rollout_id} by {actor} was not noted.")
            if connection.execute(select(approvals.c.number).filter_by(**row)).first():
                return
            connection.execute(insert(approvals).values(**row, reason=reason, at=at))
            append(
                connection,
                Cause(actor, reason, at),
                "rollout.approved",
                model=rollout.model,
                subject=rollout_id,
                after={"role": role, "decision_digest": decision_digest},
            )

    def approvals(self, rollout_id: str) -> list[dict[str, Any]]:
        """
        List who agreed, oldest first.

        Returns:
            rollout_id, role, actor, reason, decision_digest and at (ISO 8601, UTC) of each.
        """
        query = select(approvals).where(approvals.c.rollout_id == rollout_id).order_by(approvals.c.number)
        with self._reads() as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
        return [{k: v for k, v in row.items() if k != "number"} | {"at": stamp(row["at"])} for row in rows]
