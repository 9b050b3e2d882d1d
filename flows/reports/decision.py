"""The report of one decision, for the person who must act on it."""

from html import escape

import msgspec

from flows.reports.forest import forest
from flows.reports.page import page, table, write_report
from registry.home import Settings
from registry.records.plan import CHAMPION
from registry.records.policy import PromotionPolicy
from registry.records.verdict import Decision, Finding, Outcome

_VERDICTS: dict[Outcome, tuple[str, str]] = {
    "promote": ("good", "Let the challenger go on."),
    "needs_approval": ("wait", "It is better, but by less than automatic promotion asks for: people must decide."),
    "continue": ("wait", "No verdict yet: keep watching."),
    "reject": ("bad", "Take the challenger off: it is worse."),
    "invalid": ("bad", "The comparison cannot be trusted; nothing was promoted."),
}
_KINDS = {
    "holdout": "Both models scored the same held-out rows, which the challenger had not learned from.",
    "shadow": "Both models scored the same live requests; callers saw the champion only.",
    "split": "Callers were dealt to one of the models by a consistent hash of their key.",
}


def decision_report(decision: Decision) -> str:
    """Render a decision as one HTML file that works offline."""
    color, sentence = _VERDICTS[decision.outcome]
    body = [
        f"<h1>{escape(decision.model)}: {escape(decision.challenger)} against {escape(decision.champion)}</h1>",
        f'<p class="soft">{decision.created_at:%Y-%m-%d %H:%M} on the model\'s clock &middot; '
        f"decision <code>{escape(decision.id)}</code></p>",
        f'<div class="verdict {color}"><strong>{sentence}</strong><br>{escape(decision.headline)}</div>',
        f"<h2>How they were compared</h2><p>{_KINDS[decision.kind]}</p>{_policy(decision.policy)}",
        f"<h2>Effects</h2>{forest(decision.findings)}",
        f"<h2>Every finding</h2>{_findings(decision.findings)}",
        f"<h2>Numbers</h2>{_metrics(decision.metrics)}",
        f'<p class="soft">Canonical JSON digest: <code>{decision.digest()}</code></p>',
    ]
    return page(f"{decision.model}: {decision.outcome}", "\n".join(body))


def decision_markdown(decision: Decision, path: str | None = None) -> str:
    """The same for the Prefect UI."""
    lines = [f"# {decision.outcome}: {decision.challenger} against {decision.champion}", "", decision.headline, ""]
    lines += ["| finding | passed | says |", "|---|---|---|"]
    lines += [f"| {f.name} | {_word(f)} | {f.said} |" for f in decision.findings]
    return "\n".join([*lines, "", f"Report: `{path}`" if path else ""])


def publish_decision(settings: Settings, decision: Decision) -> Decision:
    """Write the report, and note in the decision where it is."""
    named = msgspec.structs.replace(decision, report=f"{decision.model}/{decision.id}.html")
    write_report(settings, decision.model, decision.id, decision_report(named))
    return named


def _policy(policy: PromotionPolicy) -> str:
    rules = {
        "superiority": "surely better than the champion",
        "non_inferiority": f"surely not worse than the champion by more than {policy.margin:.0%} of its loss",
    }
    rows = [
        ["Primary metric", escape(policy.metric)],
        ["The challenger must be", rules[policy.rule]],
        [
            "Automatic promotion from",
            f"{policy.min_improvement:+.0%}" if policy.rule == "superiority" else "no minimum",
        ],
        ["Error rate of each test", f"{policy.alpha:g}, two-sided"],
        ["Least data", f"{policy.min_holdout} held-out rows, {policy.min_labelled} labelled requests"],
        ["People must agree", "yes" if policy.require_approval else "no"],
    ]
    return table(["Declared beforehand", ""], rows)


def _findings(findings: tuple[Finding, ...]) -> str:
    rows = [[escape(f.name), f'<span class="{_color(f)}">{_word(f)}</span>', escape(f.said)] for f in findings]
    return table(["Finding", "Passed", "What was seen (above 0: the challenger is better)"], rows)


def _metrics(metrics: dict[str, dict[str, float]]) -> str:
    variants = sorted(metrics, key=lambda name: name != CHAMPION)
    names = list(dict.fromkeys(name for values in metrics.values() for name in values))
    rows = [[escape(name), *(_number(metrics[variant].get(name)) for variant in variants)] for name in names]
    return table(["Metric", *variants], rows, numbers=tuple(range(1, len(variants) + 1)))


def _number(value: float | None) -> str:
    if value is None:
        return "&ndash;"
    return f"{value:,.0f}" if value == round(value) and abs(value) >= 10 else f"{value:.4g}"


def _word(finding: Finding) -> str:
    return {True: "yes", False: "no", None: "reported"}[finding.passed]


def _color(finding: Finding) -> str:
    return {True: "good", False: "bad", None: "soft"}[finding.passed]
