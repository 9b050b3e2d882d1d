"""How it was compared: the policy, where the requests went, what was checked, and what exactly it was."""

from collections.abc import Sequence

from flows.reports.axes import Axis, linear
from flows.reports.effects import label_of, shown_of, unmeasured
from flows.reports.measures import less_is_better, measure_of
from flows.reports.page import table
from flows.reports.part import Part
from flows.reports.text import (
    DASH,
    chance,
    counted,
    html,
    named,
    p_value,
    percent,
    plain_number,
    sentence,
    signed,
    words,
)
from registry.records.plan import CHAMPION
from registry.records.policy import Guardrail, PromotionPolicy
from registry.records.verdict import Decision, Finding

_RULES = {
    "superiority": "surely better than the champion",
    "non_inferiority": "surely not worse than the champion by more than {} of its loss",
}
_METHODS = {
    "always_valid": "at any time, as often as one likes",
    "group_sequential": "at up to {} planned looks",
    "fixed": "once, at the planned end",
}
_LIGHTS = {
    True: ("good", "&#10003;", "in order"),
    False: ("bad", "&#10007;", "failed"),
    None: ("wait", "?", "not sure yet"),
}
_LIVE_ONLY = ("latency_ms", "error_rate")
_STAGES = ("assigned", "served", "labelled", "matched")


def policy(decision: Decision) -> Part:
    """What was declared before the data was seen."""
    chosen = decision.policy
    rows = [
        ["Primary metric", f"{named(measure_of(chosen.metric).title)}, {_way(chosen)}"],
        ["The challenger must be", html(_RULES[chosen.rule].format(percent(chosen.margin)))],
        ["Promoted by itself from", _least(chosen)],
        *([["Further goals", _names(chosen.goals)]] if chosen.goals else []),
        ["Guardrails", _guards(chosen.guardrails)],
        ["Looked at", html(_METHODS[chosen.method].format(chosen.looks))] if decision.kind != "holdout" else _once(),
        *([["Planned end", counted(chosen.horizon, "labelled request")]] if chosen.horizon else []),
        ["Risk of a false alarm", f"{percent(chosen.alpha)}, two-sided{_corrected(chosen)}"],
        [
            "Least data",
            f"{chosen.min_holdout:,} held-out rows, {chosen.min_labelled:,} labelled live requests",
        ],
        *([["Label age", f"at least {plain_number(chosen.min_label_age_s)} s"]] if chosen.min_label_age_s else []),
        ["People must agree", "yes, before the first caller is answered" if chosen.require_approval else "no"],
    ]
    return Part("The policy, declared beforehand", table(["Rule", "Value"], rows, headed=True))


def flow(decision: Decision) -> Part:
    """Where the requests went, stage by stage."""
    title = "Where the requests went"
    counts = {arm: row for arm, row in decision.flow.items() if row}
    if not counts:
        return Part(title, why="the numbers of requests per stage were not recorded")
    known = {stage for row in counts.values() for stage in row}
    stages = [*sorted(known - set(_STAGES)), *(stage for stage in _STAGES if stage in known)]
    rows = [
        [named(arm), *(_stage(row, stages, i) for i in range(len(stages)))]
        for arm, row in sorted(counts.items(), key=lambda one: (one[0] != CHAMPION, one[0]))
    ]
    head = ["Model", *stages]
    return Part(title, table(head, rows, numbers=tuple(range(1, len(head))), headed=True) + _flow_note(decision))


def checks(decision: Decision) -> Part:
    """Integrity checks and guardrails, as lights with words."""
    title = "Checks and guardrails"
    chosen = [f for f in decision.findings if f.role in ("integrity", "guardrail") or _old_check(f)]
    lacking = unmeasured(decision)
    if not chosen and not lacking:
        return Part(title, why="the policy names no guardrail, and this comparison needed no check of its data")
    order = {False: 0, None: 1, True: 2}
    items = "".join(_light(f, decision) for f in sorted(chosen, key=lambda f: order[f.passed]))
    items += "".join(_dark(guard) for guard in lacking)
    return Part(title, f'<ul class="lights">{items}</ul>')


def power(decision: Decision) -> Part:
    """What the data could have shown."""
    title = "Was there enough data?"
    reached = decision.power
    if reached is None or not 0 <= reached <= 1:
        return Part(title, why=_no_power(decision))
    least, chosen = percent(decision.policy.min_improvement), decision.policy
    wanted = f"the {least} improvement that the policy asks for"
    if chosen.rule == "non_inferiority":
        wanted = "no difference at all"
    meaning = (
        f"Power reached: <b>{chance(reached)}</b>, planned {percent(chosen.power)}. If there truly were {wanted}, "
        f"so much data would have shown it in {_of_hundred(reached)} of 100 comparisons."
    )
    enough = "That is as planned." if reached >= chosen.power else "Less than planned: no effect seen may still be one."
    return Part(title, f"<p>{meaning} {enough}</p>{_meter(reached, chosen.power)}")


def _of_hundred(share: float) -> str:
    if share >= 0.995:
        return "all" if share == 1 else "more than 99"
    return str(round(100 * share)) if share >= 0.005 else "fewer than 1"


def identities(decision: Decision) -> Part:
    """Data, models and code, so that anybody can repeat it."""
    known = dict(decision.identities)
    rows = [
        ["Decision", _code(decision.id)],
        ["Model", named(decision.model)],
        ["Champion", f"{named(decision.champion)}{_also(known.pop('champion', ''))}"],
        ["Challenger", f"{named(decision.challenger)}{_also(known.pop('challenger', ''))}"],
        *([html(name.capitalize()), _code(value)] for name, value in sorted(known.items())),
        *([["Stored inputs (SHA-256)", _code(decision.inputs)]] if decision.inputs else []),
        *([["This decision (SHA-256)", _code(digest)]] if (digest := _digest(decision)) else []),
    ]
    note = ""
    if decision.inputs:
        note = f"<p>Compute it again: <code>understudy decision replay {html(decision.id)}</code></p>"
    return Part("What exactly was compared", table(["What", "Identity"], rows, headed=True) + note)


def numbers(decision: Decision) -> Part:
    """Every metric of both, as measured."""
    title = "All numbers"
    variants = sorted(decision.metrics, key=lambda name: (name != CHAMPION, name))
    names = list(dict.fromkeys(name for variant in variants for name in decision.metrics[variant]))
    if not names:
        return Part(title, why="no metric could be computed")
    rows = [
        [named(name), *(plain_number(decision.metrics[variant].get(name), 5) for variant in variants)] for name in names
    ]
    body = table(["Metric", *variants], rows, numbers=tuple(range(1, len(variants) + 1)), headed=True)
    return Part(title, body)


def small_print(decision: Decision) -> Part:
    """Every finding with its method and p-value, as a statistician wants it."""
    head = ["Finding", "Role", "Verdict", "Rows", "p-value", "Method", "As recorded"]
    rows = [
        [
            f"<bdi>{html(f.name)}</bdi>",
            html(f.role),
            {True: "passed", False: "failed", None: _open_word(f)}[f.passed],
            f"{f.n:,}" if f.n else DASH,
            p_value(f.log_p, f.p_value),
            _method(f),
            f"<bdi>{html(f.said)}</bdi>",
        ]
        for f in decision.findings
    ]
    if not rows:
        return Part("Statistical small print", why="there is no finding")
    level = percent(1 - decision.policy.alpha)
    note = (
        f"<p>Differences are challenger minus champion, turned so that more is better. Intervals hold at {level}; "
        "an always-valid one at every look at once, any other at one look only. Goals are corrected together "
        f"({html(decision.policy.multiplicity)}); guardrails must all hold, and are not corrected. Segments are each "
        "judged alone and decide nothing. Very small p-values are exact: they are computed as logarithms.</p>"
    )
    return Part("Statistical small print", note + table(head, rows, numbers=(3, 4), headed=True))


def _once() -> list[str]:
    return ["Looked at", "once"]


def _way(policy: PromotionPolicy) -> str:
    return "less is better" if less_is_better(policy.metric, policy.direction) else "more is better"


def _least(policy: PromotionPolicy) -> str:
    if policy.rule == "non_inferiority":
        return "no improvement asked for"
    least = f"{signed(100 * policy.min_improvement)}% of the champion's value"
    return f"{least}; a challenger that is surely better by less needs people"


def _corrected(policy: PromotionPolicy) -> str:
    return f", for all goals together ({html(policy.multiplicity)})" if policy.goals else ""


def _names(metrics: Sequence[str]) -> str:
    return words([named(measure_of(metric).title) for metric in metrics])


def _guards(guards: Sequence[Guardrail]) -> str:
    if not guards:
        return "none"
    return "<br/>".join(f"{named(measure_of(one.metric).title)}: {_tolerated(one)}" for one in guards)


def _tolerated(guard: Guardrail) -> str:
    unit = measure_of(guard.metric).unit
    scale = 100 if unit.startswith(" point") else 1
    margin = percent(guard.margin) if guard.relative else f"{plain_number(guard.margin * scale)}{unit}"
    slack = f" and {plain_number(guard.slack * scale)}{unit}" if guard.slack else ""
    return html(f"at most {margin}{slack} worse than the champion")


def _stage(row: dict[str, int], stages: Sequence[str], index: int) -> str:
    count = row.get(stages[index])
    if count is None:
        return DASH
    before = next((row[s] for s in reversed(stages[:index]) if s in row), None)
    share = f' <span class="soft">{percent(count / before)}</span>' if before and count != before else ""
    return f"{count:,}{share}"


def _flow_note(decision: Decision) -> str:
    meaning = {
        "holdout": "Both models scored every row that is matched.",
        "shadow": "Matched: labelled requests that both models have scored.",
        "split": "Every request counts for the model that it was dealt to, whichever answered it.",
    }[decision.kind]
    return f'<p class="soft">{meaning} Percentages are of the stage before.</p>'


def _old_check(finding: Finding) -> bool:
    """A check of a decision that was made before findings had roles."""
    return finding.role == "context" and finding.estimate is None and finding.passed is not None


def _light(finding: Finding, decision: Decision) -> str:
    kind, mark, said = _LIGHTS[finding.passed]
    if finding.passed and finding.role == "guardrail":
        said = "within its margin"
    repair = f'<br/><span class="soft">To mend it: {html(sentence(finding.repair))}</span>' if _open(finding) else ""
    return (
        f'<li class="{kind}"><span class="lamp {kind}" aria-hidden="true">{mark}</span><div>'
        f'<b>{named(label_of(finding))}: <span class="{kind}">{said}</span></b>'
        f"<br/>{html(_explained(finding, decision))}{repair}</div></li>"
    )


def _dark(guard: Guardrail) -> str:
    """A guardrail that this comparison could not look at."""
    where = " It is measured live." if guard.metric in _LIVE_ONLY else ""
    return (
        '<li><span class="lamp soft" aria-hidden="true">&#8211;</span><div>'
        f"<b>{named(measure_of(guard.metric).title)}: not measured here</b><br/>"
        f"The policy tolerates {_tolerated(guard)}.{where}</div></li>"
    )


def _open_word(finding: Finding) -> str:
    return "reported" if finding.role in ("context", "segment") else "not sure yet"


def _open(finding: Finding) -> bool:
    return bool(finding.repair) and not finding.passed and finding.role != "guardrail"


def _explained(finding: Finding, decision: Decision) -> str:
    """A guardrail in plain words; a check as it says itself."""
    shown = shown_of(finding, decision)
    if finding.role != "guardrail" or shown is None:
        return sentence(finding.said)
    unit, tolerated = shown.unit, ""
    if shown.margin is not None:
        tolerated = f"; at most {plain_number(abs(shown.margin), 2)}{unit} worse is tolerated"
    worst = "without bound" if shown.low is None else _worse(shown.low, unit)
    change = "unchanged" if shown.estimate == 0 else f"{plain_number(abs(shown.estimate), 2)}{unit}"
    way = "" if shown.estimate == 0 else " better" if shown.estimate > 0 else " worse"
    return f"Seen: {change}{way}. At worst: {worst}{tolerated}."


def _worse(low: float, unit: str) -> str:
    return f"{plain_number(abs(low), 2)}{unit} {'better' if low > 0 else 'worse'}" if low else "unchanged"


def _no_power(decision: Decision) -> str:
    if any(f.always_valid for f in decision.findings):
        return "an always-valid comparison may go on for as long as it takes, so it has no power at one moment"
    return "it could not be computed from this comparison"


def _meter(reached: float, planned: float) -> str:
    axis: Axis = linear(0.0, 1.0)
    full, mark = 100 * axis.share(reached), 100 * axis.share(planned)
    return (
        f'<svg class="meter" width="100%" height="16" role="img" aria-label="Power {chance(reached)}, planned '
        f'{percent(planned)}"><rect class="trough" width="100%" height="16" rx="3"/>'
        f'<rect class="full" width="{full:.1f}%" height="16" rx="3"/>'
        f'<line class="margin" x1="{mark:.1f}%" x2="{mark:.1f}%" y1="0" y2="16"/></svg>'
    )


def _also(identity: str) -> str:
    return f" {_code(identity)}" if identity else ""


def _code(value: str) -> str:
    return f"<code>{html(value)}</code>"


def _digest(decision: Decision) -> str:
    """Empty for a decision whose numbers cannot be written as JSON."""
    try:
        return decision.digest()
    except ValueError:  # msgspec's refusals are among these
        return ""


def _method(finding: Finding) -> str:
    always = "always valid" if finding.always_valid else ""
    said = "; ".join(part for part in (finding.method, always) if part)
    return html(said) if said else DASH
