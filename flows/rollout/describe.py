"""A rollout and its last move as Markdown, for the Prefect page."""

from flows.rollout.machine import Move, share_text
from registry.records.rollout import Rollout
from registry.records.verdict import Decision, Finding


def markdown(model: str, rollout: Rollout, move: Move) -> str:
    """Show what happened, where the rollout stands, and the findings behind it."""
    head = [
        f"# {model}: {rollout.challenger} against {rollout.champion}",
        f"**{move.kind.replace('_', ' ')}**: {move.said}",
        f"Rollout `{rollout.id}` is *{rollout.status.replace('_', ' ')}*.",
    ]
    return "\n\n".join([*head, _steps(rollout), *([_findings(move.decision)] if move.decision else [])])


def _steps(rollout: Rollout) -> str:
    rows = [
        f"| {'**now**' if index == rollout.step else ''} | {share_text(step)} | {step.min_s:.0f} to {step.max_s:.0f} s "
        f"| {step.min_labelled} | {step.on_timeout} |"
        for index, step in enumerate(rollout.steps)
    ]
    return "\n".join(["| | share | stay | labelled | if inconclusive |", "|---|---|---|---|---|", *rows])


def _findings(decision: Decision) -> str:
    rows = [f"| {f.name} | {_passed(f)} | {f.n} | {f.said} |" for f in decision.findings]
    return "\n".join([f"{decision.headline}", "", "| finding | passed | n | |", "|---|---|---|---|", *rows])


def _passed(finding: Finding) -> str:
    return {True: "yes", False: "no", None: "too little data"}[finding.passed]
