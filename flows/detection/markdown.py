"""A look as people read it in the Prefect UI."""

from typing import Any

from flows.config.conditions import METRICS
from flows.detection.watch import Look


def markdown_of(look: Look) -> str:
    """Verdict first, then why, then the numbers."""
    decision = look.decision
    lines = [
        f"# {look.model}: {_headline(look)}",
        "",
        f"Severity **{decision.severity}** ({decision.recommendation}), drift type **{decision.drift_type}**, "
        f"champion {look.champion}, {look.at:%Y-%m-%d %H:%M} on the model's clock.",
        "",
        *[f"- {cause}" for cause in decision.causes],
    ]
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


def _headline(look: Look) -> str:
    if look.event_id is not None:
        return f"retraining asked for ({look.event_id})"
    if look.held_back is not None:
        return f"retraining held back: {look.held_back}"
    if look.decision.investigate:
        return "worth a look"
    return "nothing to do" if look.drift.enough else look.drift.said


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _number(value: float | None) -> str:
    return "not enough data" if value is None else f"{value:.4g}"
