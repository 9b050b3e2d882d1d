"""A rollout and its last move as Markdown, for the Prefect page."""

from datetime import timedelta

from flows.config.durations import text
from flows.rollout.machine import Move, share_now, share_text
from registry.records.rollout import Rollout
from registry.records.verdict import Decision, Finding


def markdown(model: str, rollout: Rollout, move: Move) -> str:
    """Show what happened, where the rollout stands, and the findings behind it."""
    head = [
        f"# {model}: {rollout.challenger} against {rollout.champion}",
        f"**{move.kind.replace('_', ' ')}**: {move.said}",
    ]
    return "\n\n".join([*head, *_where(rollout), *([_findings(move.decision)] if move.decision else [])])


def standing(rollout: Rollout) -> str:
    """Show where a rollout stands that somebody else has moved."""
    head = [f"# {rollout.model}: {rollout.challenger} against {rollout.champion}", rollout.said]
    return "\n\n".join([*head, *_where(rollout)])


def is_told(text: str, rollout: Rollout) -> bool:
    """Whether a page says where *rollout* stands."""
    return all(part in text for part in _where(rollout))


def _where(rollout: Rollout) -> tuple[str, str]:
    return f"Rollout `{rollout.id}` is *{rollout.status.replace('_', ' ')}*.", _steps(rollout)


def _steps(rollout: Rollout) -> str:
    rows = [
        f"| {'**now**' if rollout.active and index == rollout.step else ''} "
        f"| {share_now(rollout) if index == rollout.step else share_text(step)} "
        f"| {_time(step.min_s)} to {_time(step.max_s)} | {step.min_labelled} | {_outcome(rollout, index)} |"
        for index, step in enumerate(rollout.steps)
    ]
    return "\n".join(["| | share | stay | labelled | outcome |", "|---|---|---|---|---|", *rows])


def _time(seconds: float) -> str:
    return text(timedelta(seconds=round(seconds)))


def _outcome(rollout: Rollout, index: int) -> str:
    """How the step ended, the last time it did."""
    ends = [one.outcome for one in rollout.results if one.step == index]
    return ends[-1] if ends else ""


def _findings(decision: Decision) -> str:
    """A list: Prefect's page cuts off what a wide table says."""
    rows = [f"- **{f.name}**, {_passed(f)}: {f.said}" for f in decision.findings]
    return "\n".join([f"{decision.headline}:", "", *rows])


def _passed(finding: Finding) -> str:
    return {True: "passed", False: "failed", None: "too little data"}[finding.passed]
