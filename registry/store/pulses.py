"""When a rollout was last looked at, and how long its step has baked: moved by every look, so not audited."""

from datetime import datetime
from math import isfinite
from typing import NamedTuple

from sqlalchemy import insert, select, update

from registry.errors import InvalidRecord
from registry.store.base import Store
from registry.store.rollouts import one_rollout
from registry.store.tables import pulses
from registry.store.versions import lock_model


class Pulse(NamedTuple):
    """
    The last look at a rollout.

    Attributes:
        step: The step that was under way.
        baked_s: Seconds of the model's clock that count as its stay so far.
        at: On the model's clock.
    """

    step: int
    baked_s: float
    at: datetime


class Pulses(Store):
    """The pulse of every rollout."""

    def pulse(self, rollout_id: str, *, step: int, baked_s: float, at: datetime) -> None:
        """
        Note a look; no audit entry.

        Raises:
            NotFound: If there is no such rollout.
            InvalidRecord: If *baked_s* is negative or not finite.
        """
        if not (isfinite(baked_s) and baked_s >= 0):
            raise InvalidRecord.of("The pulse", [f"it has baked {baked_s} seconds"], "Count from 0.")
        row = {"step": step, "baked_s": baked_s, "at": at}
        mine = pulses.c.rollout_id == rollout_id
        with self._writes() as connection:
            lock_model(connection, one_rollout(connection, rollout_id).model)
            if not connection.execute(update(pulses).where(mine).values(row)).rowcount:
                connection.execute(insert(pulses).values(rollout_id=rollout_id, **row))

    def pulse_of(self, rollout_id: str) -> Pulse | None:
        """Return the last look at a rollout, or None before the first."""
        query = select(pulses.c.step, pulses.c.baked_s, pulses.c.at).where(pulses.c.rollout_id == rollout_id)
        with self._reads() as connection:
            row = connection.execute(query).first()
        return None if row is None else Pulse(*row)
