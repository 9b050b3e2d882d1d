"""What a rollout would be, found out by beginning it without keeping it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from flows.cli.office import settings
from flows.cli.options import login_name
from registry.records.rollout import Rollout
from registry.store.registry import Registry

if TYPE_CHECKING:
    from flows.config.model import ModelConfig
    from registry.records.verdict import Decision

UNVALIDATED = "It was never validated: that happens first, and takes seconds."


class Rehearsal(Registry):
    """A registry that refuses what the real one refuses, and keeps nothing."""

    @contextmanager
    def _writes(self) -> Iterator[Connection]:
        with suppress(_OverError), super()._writes() as connection:
            yield connection
            raise _OverError


class _OverError(Exception):
    """Ends a transaction without keeping it."""


def foreseen(
    config: "ModelConfig", *, version: str, decision: "Decision | None", at: datetime
) -> tuple[Rollout, list[str]]:
    """
    Say which rollout would begin; changes nothing.

    Args:
        config: Of the model, with what the person wants.
        version: The challenger.
        decision: What speaks for it, if anything.
        at: On the model's clock.

    Returns:
        The rollout, and what would happen besides.

    Raises:
        Refusal: Whatever beginning it would raise.
    """
    from flows.rollout.begin import begin_rollout
    from flows.validation.evidence import passed

    with Rehearsal.open(settings().registry_url) as registry:
        unvalidated = config.validation.enabled and passed(registry, registry.version(config.model, version)) is None
        if unvalidated:
            section = config.validation.model_copy(update={"enabled": False})
            config = config.model_copy(update={"validation": section})
        rollout = begin_rollout(
            config,
            registry,
            model=config.model,
            challenger=version,
            decision=decision,
            actor=login_name(),
            reason="rehearsal",
            at=at,
        )
    return rollout, [UNVALIDATED] if unvalidated else []
