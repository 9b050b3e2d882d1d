"""
What people are told.

Texts hold names, versions, verdicts and counts; never a feature value, a key or the text of
an exception, because any of these may repeat somebody's data.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from registry.records.notice import Level

_MOST_NAMES = 5
_FOLLOWS = {
    "installed": "It is the first champion.",
    "rollout": "It goes into a rollout.",
    "waiting_approval": "Its rollout waits for approval.",
    "rejected": "It was rejected: the decision and the model card say why.",
    "undecided": "It stays in staging: nothing can be concluded yet.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """
    One notification.

    Attributes:
        kind: What happened, e.g. "rollout.promoted"; people choose by it what they hear.
        title: Fits the subject of an e-mail.
        body: A few sentences of plain text.
        level: How loud.
    """

    kind: str
    title: str
    body: str
    level: Level = "info"

    def __str__(self) -> str:
        return f"{self.title}: {self.body}"


def drift_found(
    model: str, severity: str, drift_type: str, rule: str | None, features: Sequence[str], event_id: str | None
) -> Message:
    """
    Drift or degradation was detected.

    Args:
        model: Its name.
        severity: e.g. "HIGH".
        drift_type: e.g. "concept".
        rule: Name of the rule that fired, if any.
        features: Names of columns, the most important first; never their values.
        event_id: The retraining that was asked for.
    """
    fired = f" by rule {rule!r}" if rule else ""
    named = f" Features: {', '.join(features[:_MOST_NAMES])}{_and_more(features)}." if features else ""
    follows = f"Retraining {event_id} was asked for." if event_id else "No retraining was asked for."
    body = f"Kind: {drift_type}{fired}.{named} {follows} See: `understudy drift {model}`."
    return Message(kind="drift.found", title=f"{model}: drift ({severity})", body=body, level="warning")


def _and_more(features: Sequence[str]) -> str:
    return f" and {len(features) - _MOST_NAMES} more" if len(features) > _MOST_NAMES else ""


def retraining_starts(model: str, event_id: str, trigger: str) -> Message:
    """A model update is about to be made."""
    body = f"Trigger: {trigger.replace('_', ' ')}. Callers notice nothing: a new version goes through a rollout first."
    return Message(kind="update.before", title=f"{model}: retraining {event_id} starts", body=body)


def promotion_comes(model: str, rollout_id: str, challenger: str, champion: str) -> Message:
    """The champion is about to be replaced."""
    body = f"{rollout_id} is through its last step: {challenger} takes the place of {champion} in a moment."
    return Message(
        kind="update.before", title=f"{model}: {challenger} is about to become the champion", body=body, level="warning"
    )


def retraining_done(model: str, event_id: str, version: str, outcome: str) -> Message:
    """
    A retraining came to its end.

    Args:
        model: Its name.
        event_id: e.g. "retrain_20260105_001".
        version: What it made; empty if nothing.
        outcome: What became of that, e.g. "rollout" or "rejected".
    """
    follows = _FOLLOWS.get(outcome, f"Outcome: {outcome.replace('_', ' ')}.")
    title = f"{model}: {version} was trained" if version else f"{model}: {event_id} is done"
    body = f"{event_id}: {follows} See: `understudy history {model}`."
    return Message(kind="retraining.done", title=title, body=body, level="success")


def failed(model: str, what: str, error: BaseException) -> Message:
    """Something broke; only the kind of the error is told, the log has the rest."""
    body = f"{type(error).__name__}; the run's log has the details."
    return Message(kind="run.failed", title=f"{model}: {what} failed", body=body, level="failure")


def run_crashed(model: str, flow: str, run: str, follows: str) -> Message:
    """
    A process died, or was killed.

    Args:
        model: Its name; empty if the run belongs to none.
        flow: Name of the flow.
        run: Where its page is.
        follows: What happens now, e.g. "It is taken up again."
    """
    body = f"{follows} Its log has the details: {run}"
    return Message(kind="run.crashed", title=_about(model, f"a run of {flow} crashed"), body=body, level="failure")


def run_late(model: str, flow: str, run: str, minutes: float) -> Message:
    """A run was scheduled, and nobody began it."""
    body = f"It should have begun {minutes:.0f} minutes ago. `understudy status` says whether the worker is well. {run}"
    return Message(kind="run.late", title=_about(model, f"a run of {flow} is late"), body=body, level="warning")


def _about(model: str, said: str) -> str:
    return f"{model}: {said}" if model else said[0].upper() + said[1:]


def approval_asked(model: str, rollout_id: str, challenger: str, said: str, roles: Sequence[str], form: str) -> Message:
    """
    People must agree.

    Args:
        model: Its name.
        rollout_id: What is asked about.
        challenger: The version that waits.
        said: Why it asks.
        roles: One person each.
        form: Where the form is.
    """
    title = f"{model}: {challenger} waits for approval"
    return Message(
        kind="approval.asked",
        title=title,
        body=f"{rollout_id}: {_sentence(said)} {_what_to_do(model, roles, form)}",
        level="warning",
    )


def approval_reminded(
    model: str, rollout_id: str, challenger: str, missing: Sequence[str], hours: float, form: str
) -> Message:
    """Nobody has answered for a while; *missing* are the roles that have not agreed yet."""
    body = f"{rollout_id} has waited for {hours:.0f} hours. {_what_to_do(model, missing, form)}"
    return Message(
        kind="approval.reminded", title=f"{model}: {challenger} still waits for approval", body=body, level="warning"
    )


def approval_expired(model: str, rollout_id: str, challenger: str, *, ended: bool) -> Message:
    """Too few have answered in time."""
    follows = "The rollout was aborted; the champion stays." if ended else "It goes on asking."
    title = f"{model}: approval of {challenger} expired"
    return Message(
        kind="approval.expired", title=title, body=f"{rollout_id}: nobody decided in time. {follows}", level="warning"
    )


def _what_to_do(model: str, roles: Sequence[str], form: str) -> str:
    each = " and ".join(f"`understudy approve {model} --role {role} --reason ...`" for role in roles)
    many = "different people, " if len(roles) > 1 else ""
    return f"To agree, {many}{_people(roles)}: {each}, or fill in the form: {form}."


def _people(roles: Sequence[str]) -> str:
    return " and ".join(f"one {role}" for role in roles)


def rollout_started(model: str, rollout_id: str, challenger: str, said: str) -> Message:
    """A rollout takes its first step."""
    return Message(
        kind="rollout.started",
        title=f"{model}: {challenger} begins its rollout",
        body=f"{rollout_id}: {_sentence(said)} See: `understudy rollout status {model}`.",
    )


def moved(model: str, rollout_id: str, challenger: str, said: str) -> Message:
    """A rollout took a step."""
    return Message(
        kind="rollout.moved", title=f"{model}: {challenger} moves on", body=f"{rollout_id}: {_sentence(said)}"
    )


def overdue(model: str, rollout_id: str, challenger: str, said: str) -> Message:
    """A step has lasted its longest time, and there is nothing to judge it by."""
    return Message(
        kind="rollout.overdue",
        title=f"{model}: {challenger} cannot be judged",
        body=f"{rollout_id}: {_sentence(said)} It stays as it is until there are data, or somebody decides: "
        f"`understudy rollout status {model}`.",
        level="warning",
    )


def promoted(model: str, version: str, said: str) -> Message:
    """A challenger became champion."""
    return Message(
        kind="rollout.promoted",
        title=f"{model}: {version} is the champion",
        body=f"{_sentence(said)} The way back: `understudy rollback {model} --reason ...`.",
        level="success",
    )


def rolled_back(model: str, challenger: str, champion: str, said: str) -> Message:
    """A version was taken off."""
    return Message(
        kind="rollout.rolled_back",
        title=f"{model}: {challenger} was rolled back",
        body=f"{champion} answers everybody again. {_sentence(said)} See: `understudy incidents {model}`.",
        level="failure",
    )


def taken_back(model: str, said: str) -> Message:
    """The router has given all callers back while the registry was away; who wanted it and why is not told."""
    return Message(
        kind="rollout.rolled_back", title=f"{model}: rolled back by the router", body=_sentence(said), level="failure"
    )


def watch_passed(model: str, version: str, hours: float, missing: Sequence[str] = ()) -> Message:
    """The time after a promotion is over, and nothing spoke against the new champion; *missing* was not judged."""
    body = f"{version} was watched for {hours:.3g} hours after its promotion, and nothing spoke against it."
    body += f" Too little was seen to judge its {' and '.join(missing)}." if missing else ""
    return Message(kind="watch.passed", title=f"{model}: {version} stays the champion", body=body, level="success")


def watch_extended(model: str, version: str, hours: float) -> Message:
    """The time after a promotion is over, and too few callers came to say anything."""
    body = (
        f"{version} was watched for {hours:.3g} hours after its promotion, but too few requests came to judge it. "
        f"The watch goes on until enough have come: `understudy rollout status {model}`."
    )
    return Message(kind="watch.extended", title=f"{model}: {version} could not be judged", body=body, level="warning")


def champion_fails(model: str, said: str) -> Message:
    """Nobody is promoted in its place."""
    body = f"{_sentence(said)} Nobody takes its place; a ramp is held until `understudy rollout resume {model}`."
    return Message(kind="router.champion_failing", title=f"{model}: the champion fails", body=body, level="failure")


def split_is_off(model: str, said: str) -> Message:
    """Callers do not arrive in the planned proportions."""
    return Message(
        kind="router.srm", title=f"{model}: callers are not split as planned", body=_sentence(said), level="warning"
    )


def shadow_differs(model: str, said: str) -> Message:
    """How a shadow differs from the champion, after a hundred copies, a thousand, and so on."""
    return Message(kind="router.shadow_diff", title=f"{model}: how a shadow differs", body=_sentence(said))


def router_degraded(part: str) -> Message:
    """Callers are answered; what is wrong may name files, and is for the machine's own people to read."""
    body = f"{part} is in trouble. `understudy status` and GET /readyz of the router say what it is."
    return Message(kind="router.degraded", title="The router is degraded", body=body, level="warning")


def router_recovered(part: str) -> Message:
    """The end of `router_degraded`."""
    return Message(
        kind="router.recovered", title="The router has recovered", body=f"{part} is well again.", level="success"
    )


def trial(model: str) -> Message:
    """A test of the addresses."""
    body = "If you read this, the address works. Nothing has happened."
    return Message(kind="test", title=f"{model}: a test of notifications", body=body)


def _sentence(said: str) -> str:
    """End with one full stop."""
    return f"{said.strip().rstrip('.')}." if said.strip() else ""
