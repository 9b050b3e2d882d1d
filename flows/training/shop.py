"""What a retraining needs around it, given by whoever runs it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from flows.config.model import ModelConfig
from flows.data.contract.records import Contract
from flows.data.gather import Extracted
from flows.notify import Message, notice_of, send_first, tell_notice
from flows.training.progress import Progress, silent
from registry.artifacts import ArtifactStore
from registry.home import Settings
from registry.store.registry import Registry

T = TypeVar("T")


class Step(Protocol):
    """Runs one coarse step; a flow makes it a task."""

    def __call__(self, name: str, work: Callable[[], T], *, retries: int = 0) -> T:
        """Return what *work* returns; try again up to *retries* times if it can."""
        ...


def plainly(name: str, work: Callable[[], T], *, retries: int = 0) -> T:  # noqa: ARG001 (a Step)
    """Run a step as what it is: a function."""
    return work()


Extract = Callable[[Contract | None, datetime], Extracted]
"""Reads labelled rows that are known at a moment; the contract is the champion's."""


def never() -> bool:
    """Nobody cancels it."""
    return False


def to_nobody(event: str, payload: Mapping[str, Any]) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """
    Everything around one model's retraining.

    Attributes:
        extract: Reads the rows.
        clock: Tells the time of the model's world (virtual in a replay).
        progress: Told how far the training is.
        step: How coarse steps are run.
        cancelled: Whether somebody has cancelled it meanwhile.
        announce: Told what has happened, by name, for other programs.
    """

    config: ModelConfig
    settings: Settings
    registry: Registry
    artifacts: ArtifactStore
    extract: Extract
    clock: Callable[[], datetime]
    progress: Progress = silent
    step: Step = plainly
    cancelled: Callable[[], bool] = never
    announce: Callable[[str, Mapping[str, Any]], None] = to_nobody

    @property
    def model(self) -> str:
        """Name of the model."""
        return self.config.model

    def tell(self, message: Message, key: str) -> None:
        """Tell the people whom the configuration names, once for each *key*; never raises, and never waits."""
        tell_notice(self.settings, self.registry, notice_of(message, model=self.model, key=key))

    def tell_first(self, message: Message, key: str) -> bool:
        """Tell them before something happens; waits a few seconds, and says whether it arrived."""
        return send_first(self.settings, self.registry, notice_of(message, model=self.model, key=key))
