"""A look as people read it in the Prefect UI."""

from typing import Any

from flows.config.conditions import METRICS
from flows.config.durations import text
from flows.detection.look import Look
from flows.detection.showing.words import headline


def markdown_of(look: Look) -> str:
    """Verdict first, then why, then the numbers."""
    decision = look.decision
    lines = [
        f"# {look.model}: {headline(look)}",
        "",
        f"Severity **{decision.severity}** ({decision.recommendation}), drift type **{decision.drift_type}**, "
        f"champion {look.champion}, {look.at:%Y-%m-%d %H:%M} on the model's clock.",
        "",
        f"Confidence that a retraining is warranted: **{decision.confidence:.0%}**. "
        f"Next look in {text(decision.next_check)}; pace of retraining: {decision.cadence}.",
        "",
        *[f"- {cause}" for cause in decision.causes],
    ]
    if decision.affected_features:
        lines += ["", f"Features to look at first: {', '.join(map(_cell, decision.affected_features[:5]))}."]
    if decision.undecided:
        lines += ["", f"Not enough data to decide: {', '.join(decision.undecided)}."]
    lines += ["", "| metric | value | what it is |", "|---|---|---|"]
    lines += [
        f"| {_cell(name)} | {_number(value)} | {METRICS.get(name, 'KPI')} |"
        for name, value in sorted(decision.evidence.items())
    ]
    return "\n".join(lines)


def table_of(look: Look) -> list[dict[str, Any]]:
    """One row per feature, most drifted first."""
    return [
        {
            "feature": feature.name,
            "drifted": "yes" if feature.drifted else "",
            "D or V": round(feature.statistic, 4),
            "p (adjusted)": f"{feature.adjusted:.3g}",
            "PSI": round(feature.psi, 4),
            "PSI by chance": round(feature.null_psi, 4),
            "findings": "; ".join(feature.findings),
        }
        for feature in look.drift.features[:50]
    ]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _number(value: float | None) -> str:
    return "not enough data" if value is None else f"{value:.4g}"
