"""
What people are told.

Texts hold names, versions, verdicts and counts; never a feature value, a key or the text of
an exception, because any of these may repeat somebody's data.
"""

from dataclasses import dataclass
from typing import Literal

Level = Literal["info", "success", "warning", "failure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """
    One notification.

    Attributes:
        title: Fits the subject of an e-mail.
        body: A few sentences of plain text.
        level: How loud.
    """

    title: str
    body: str
    level: Level = "info"

    def __str__(self) -> str:
        return f"{self.title}: {self.body}"


def drift_found(model: str, severity: str, causes: tuple[str, ...], event_id: str | None) -> Message:
    """Drift or degradation was detected."""
    follows = f"Retraining {event_id} was asked for." if event_id else "No retraining was asked for."
    return Message(title=f"{model}: drift ({severity})", body=f"Rules: {', '.join(causes)}. {follows}", level="warning")


def retraining_starts(model: str, event_id: str, trigger: str) -> Message:
    """A model update is about to be made."""
    return Message(title=f"{model}: retraining {event_id} starts", body=f"Trigger: {trigger}.")


def retraining_done(model: str, event_id: str, version: str, headline: str) -> Message:
    """A retraining produced a version."""
    return Message(title=f"{model}: {version} was trained", body=f"{event_id}: {headline}", level="success")


def failed(model: str, what: str, error: BaseException) -> Message:
    """Something broke; only the kind of the error is told, the log has the rest."""
    body = f"{type(error).__name__}; the run's log has the details."
    return Message(title=f"{model}: {what} failed", body=body, level="failure")


def approval_wanted(model: str, rollout_id: str, challenger: str, said: str) -> Message:
    """People must agree."""
    body = f"{rollout_id}: {said}. Two people must agree: `understudy approve {model} --role ...`, one per role."
    return Message(title=f"{model}: {challenger} waits for approval", body=body, level="warning")


def moved(model: str, rollout_id: str, challenger: str, said: str) -> Message:
    """A rollout took a step."""
    return Message(title=f"{model}: {challenger} moves on", body=f"{rollout_id}: {said}.")


def promoted(model: str, version: str, said: str) -> Message:
    """A challenger became champion."""
    return Message(title=f"{model}: {version} is the champion", body=f"{said}.", level="success")


def rolled_back(model: str, challenger: str, champion: str, said: str) -> Message:
    """A challenger was taken off."""
    body = f"{champion} answers everybody again. {said}"
    return Message(title=f"{model}: {challenger} was rolled back", body=body, level="failure")


def router_rolled_back(model: str, said: str) -> Message:
    """The router, or a person there, gave all callers back outside of a rollout."""
    return Message(title=f"{model}: rolled back", body=f"{said}.", level="failure")


def champion_fails(model: str, said: str) -> Message:
    """Nobody is promoted in its place."""
    body = f"{said}. Nobody takes its place; a ramp is held until `understudy rollout resume {model}`."
    return Message(title=f"{model}: the champion fails", body=body, level="failure")


def split_is_off(model: str, said: str) -> Message:
    """Callers do not arrive in the planned proportions."""
    return Message(title=f"{model}: callers are not split as planned", body=said, level="warning")


def shadow_differs(model: str, said: str) -> Message:
    """How a shadow differs from the champion, after a hundred copies, a thousand, and so on."""
    return Message(title=f"{model}: how a shadow differs", body=said)


def router_degraded(part: str) -> Message:
    """Callers are answered; what is wrong may name files, and is for the machine's own people to read."""
    body = f"{part} is in trouble. `understudy status` and GET /readyz of the router say what it is."
    return Message(title="The router is degraded", body=body, level="warning")


def router_recovered(part: str) -> Message:
    """The end of `router_degraded`."""
    return Message(title="The router has recovered", body=f"{part} is well again.", level="success")
