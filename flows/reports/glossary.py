"""The words of a report, for those who do not use them every day."""

from flows.reports.effects import metric_of
from flows.reports.measures import measure_of
from flows.reports.text import html
from registry.records.verdict import Decision

_ALWAYS = {
    "champion": "The model version that answers callers today.",
    "challenger": "The version that wants to replace it.",
    "interval": "The range in which the true difference lies, as surely as stated. If it does not hold 0, chance alone "
    "hardly explains the difference.",
    "point": "A hundredth, for shares: from 80% to 81% is one point.",
    "p-value": "How often chance alone would show a difference at least this large if both models were equally good. "
    "Small means: hardly chance.",
    "primary metric": "The one that decides, named before the data was seen.",
    "guardrail": "A metric that may not become worse by more than a margin, however much another one improves.",
}
_KINDS = {
    "holdout": {
        "held-out row": "A labelled row that no model should have learned from; both models are asked about it.",
        "power": "The chance that this much data shows an improvement of the stated size, if it is there.",
    },
    "shadow": {
        "shadow": "The challenger scores copies of live requests; callers never see its answers.",
        "always valid": "True at every look at once: looking often, or stopping early, does not make it wrong.",
        "matched": "A labelled request that both models have scored, so that they can be compared pair by pair.",
    },
    "split": {
        "split": "Callers are dealt to one of the two models by a rule that does not know who they are.",
        "always valid": "True at every look at once: looking often, or stopping early, does not make it wrong.",
        "sample ratio": "Whether the callers were really dealt as planned. If not, the groups differ in more than the "
        "model, and nothing can be concluded (sample ratio mismatch, SRM).",
    },
}


def glossary(decision: Decision) -> str:
    """Only the words that this report uses, folded."""
    metrics = dict.fromkeys([decision.policy.metric, *(metric_of(f) for f in decision.findings)])
    known = {measure.title: measure.gloss for metric in metrics if (measure := measure_of(metric)).gloss}
    found = _ALWAYS | _KINDS[decision.kind] | known
    items = "".join(f"<dt>{html(word)}</dt><dd>{html(found[word])}</dd>" for word in sorted(found, key=str.lower))
    return f"<details><summary>What the words mean</summary><dl>{items}</dl></details>"
