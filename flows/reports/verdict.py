"""The verdict in one sentence, and what follows from it."""

import re

from flows.reports.effects import (
    Shown,
    absolute,
    amount,
    effect_text,
    finite,
    label_of,
    metric_of,
    primary_of,
    relative,
    shown_of,
)
from flows.reports.evidence import TracePoint
from flows.reports.measures import Measure, measure_of
from flows.reports.text import counted, duration, percent, sentence, short, words
from registry.records.base import version_mistakes
from registry.records.verdict import Decision, Finding, Outcome

TITLES: dict[Outcome, str] = {
    "promote": "promote",
    "needs_approval": "people must decide",
    "continue": "keep watching",
    "reject": "reject",
    "invalid": "cannot be judged",
}
COLOURS: dict[Outcome, str] = {
    "promote": "good",
    "needs_approval": "wait",
    "continue": "wait",
    "reject": "bad",
    "invalid": "bad",
}


def verdict_sentence(decision: Decision) -> str:
    """
    Say the verdict as one would to a person who must act on it: direction, size, certainty.

    Everything comes from the findings; without a usable one, the headline is all there is.
    """
    speaks = {
        "promote": _promote,
        "needs_approval": _needs_approval,
        "continue": _continue,
        "reject": _reject,
        "invalid": _invalid,
    }
    return speaks[decision.outcome](decision)


def outcome_line(decision: Decision) -> str:
    """The verdict in two or three words, with the version: a title."""
    who = short(decision.challenger)
    return {
        "promote": f"Promote {who}",
        "needs_approval": f"{who}: your decision is needed",
        "continue": f"{who}: keep watching",
        "reject": f"Reject {who}",
        "invalid": f"{who} cannot be judged",
    }[decision.outcome]


def next_steps(decision: Decision) -> list[str]:
    """What happens now, and what is left for people to do; commands stand in backticks."""
    if of_files(decision):
        return [_FILES[decision.outcome]]
    model = short(decision.model)
    agree = f"`understudy approve {model} --role ml_lead` and `--role business_owner`, each with a `--reason`"
    if decision.outcome == "needs_approval":
        return [
            "Nothing moves until the machine-learning lead and the business owner both agree.",
            f"To agree: {agree}.",
            f"To decline: `understudy rollout abort {model}`.",
        ]
    steps = list(_NEXT[decision.outcome, decision.kind])
    if decision.outcome == "promote" and decision.policy.require_approval:
        steps.append(f"The policy asks people to agree before callers are answered by it: {agree}.")
    return [step.replace("MODEL", model) for step in steps]


def of_files(decision: Decision) -> bool:
    """Whether two tables of predictions were compared, not two registered versions."""
    return bool(version_mistakes("challenger", decision.challenger))


_FILES: dict[Outcome, str] = {
    "promote": "Nothing was moved: these are files. Put the challenger into service the way you do.",
    "needs_approval": "It is for people to decide whether so small an improvement is worth the change.",
    "continue": "Nothing was decided: gather more rows, and compare again.",
    "reject": "Keep the champion.",
    "invalid": "Mend the cause, and compare again; do not read the effects below as if they were true.",
}
_MEND = "When the cause is mended, compare again: `understudy compare MODEL`."
_NEXT: dict[tuple[Outcome, str], tuple[str, ...]] = {
    ("promote", "holdout"): ("It may begin its rollout: first unseen by callers, then for a growing share of them.",),
    ("promote", "shadow"): ("The rollout goes on with its next step.",),
    ("promote", "split"): ("The rollout goes on with its next step; after the last one it is the new champion.",),
    ("continue", "holdout"): (
        "Nobody is served by it yet.",
        "A rollout may gather the missing evidence in shadow, where it costs callers nothing.",
    ),
    ("continue", "shadow"): (
        "It keeps scoring copies of live requests; callers see only the champion.",
        "There is nothing to do until there is a verdict, or the step's longest stay is over.",
    ),
    ("continue", "split"): (
        "Its share of callers stays as it is.",
        "There is nothing to do until there is a verdict, or the step's longest stay is over.",
    ),
    ("reject", "holdout"): ("It is marked as rejected. The champion goes on answering everybody.",),
    ("reject", "shadow"): ("It is taken off. No caller was ever answered by it.",),
    ("reject", "split"): ("It is taken off, and the champion answers all callers again.",),
    ("invalid", "holdout"): ("It stays where it is. The champion goes on answering everybody.", _MEND),
    ("invalid", "shadow"): ("It does not move forward until the cause is mended; it may still be taken off.",),
    ("invalid", "split"): (
        "Its share does not grow until the cause is mended; it may still be taken off.",
        "Do not read the effects below as if they were true: the groups are not comparable.",
    ),
}


def what_would_change(decision: Decision) -> list[str]:
    """What would change the verdict, one sentence each; what a test asks for is said in plain words."""
    asked = {f.repair: f for f in decision.findings if f.repair and f.passed is None}
    changes = decision.changes or tuple(f.repair for f in decision.findings if f.repair and not f.passed)
    return [
        _asked(decision, asked[change]) if change in asked else sentence(change)
        for change in dict.fromkeys(changes)
        if change.strip()
    ]


def _asked(decision: Decision, finding: Finding) -> str:
    """What the interval of an open finding must still show."""
    shown = told(decision, finding)
    if shown is None or shown.margin is None or finding.role not in ("primary", "goal", "guardrail"):
        return sentence(finding.repair)
    worst = "nothing bounds yet how much worse it is"
    if shown.low is not None:
        side = "worse" if shown.low < 0 else "better"
        worst = f"today {_low(shown)} {side} is still possible"
    wanted = "it must be surely better"
    if shown.margin < 0:
        wanted = f"it must be surely less than {amount(shown.margin, shown.unit)} worse"
    return f"{short(label_of(finding))}: {wanted}; {worst}."


def expected_data(decision: Decision, trace: tuple[TracePoint, ...] = ()) -> str:
    """How much more is expected until there is a verdict, and how long that takes at the present pace."""
    more = decision.more_needed
    if decision.outcome != "continue":
        return "None: this comparison has its verdict." if decision.outcome != "invalid" else ""
    if more is None:
        return "Unknown: the effect seen so far is too uncertain, or too small, to say."
    what = counted(more, "held-out row" if decision.kind == "holdout" else "labelled request")
    return f"About {what} more, if the effect stays as it is{_pace(more, trace)}."


def basis(decision: Decision, finding: Finding | None) -> str:
    """Which data, in the words of a caller."""
    n = finding.n if finding else 0
    if decision.kind == "split":
        labelled = _labelled(decision)
        return f"with callers split between both ({labelled})" if labelled else "with callers split between both"
    things = counted(n, "held-out row") if decision.kind == "holdout" else counted(n, "live request")
    return f"on the same {things}" if n else "on the same rows"


def effect_words(decision: Decision, finding: Finding) -> str:
    """Direction and size of one effect, e.g. "is right 1.2 points more often"."""
    shown, measure = told(decision, finding), measure_of(metric_of(finding))
    if shown is None:
        return f"could not be measured on {short(label_of(finding))}"
    if shown.estimate == 0:
        return f"is no different on {short(measure.title)}"
    template = measure.better if shown.estimate > 0 else measure.worse
    return short(template.replace("{}", amount(shown.estimate, shown.unit)), 160)


def told(decision: Decision, finding: Finding) -> Shown | None:
    """The effect in the unit in which people speak of it."""
    ratio = relative(finding, decision)
    if finding.role == "guardrail":
        return shown_of(finding, decision)
    if _speaks_relative(measure_of(metric_of(finding)), ratio, finding):
        return ratio
    return absolute(finding) or ratio


def _speaks_relative(measure: Measure, ratio: Shown | None, finding: Finding) -> bool:
    if ratio is None or not measure.relative:
        return False
    lost = (ratio.low is None and finite(finding.low) is not None) or (
        ratio.high is None and finite(finding.high) is not None
    )
    return not lost


def _promote(decision: Decision) -> str:
    finding = primary_of(decision)
    who, rival = short(decision.challenger), short(decision.champion)
    shown = told(decision, finding) if finding else None
    if finding is None or shown is None:
        return f"Promote {who}: {sentence(decision.headline)}"
    start = f"Promote {who}: {basis(decision, finding)} it"
    if shown.low is not None and shown.low > 0:
        return f"{start} {effect_words(decision, finding)} than {rival} ({_sure(decision)} of at least {_low(shown)})."
    return f"{start} {_no_harm(decision, finding, shown)}"


def _no_harm(decision: Decision, finding: Finding, shown: Shown) -> str:
    rival, title = short(decision.champion), short(measure_of(metric_of(finding)).title)
    if shown.low is None:
        return f"shows no harm against {rival} so far: {title} {effect_text(shown)}."
    worst = amount(shown.low, shown.unit)
    allowed = f"; {amount(shown.margin, shown.unit)} is tolerated" if shown.margin else ""
    return f"is not worse than {rival} on {title} by more than {worst} ({_sure(decision)}{allowed})."


def _needs_approval(decision: Decision) -> str:
    finding = primary_of(decision)
    if finding is None:
        return f"Your decision is needed: {sentence(decision.headline)}"
    shown = told(decision, finding)
    sure = (
        f" ({_sure(decision)} of at least {_low(shown)})" if shown and shown.low is not None and shown.low > 0 else ""
    )
    said = f"{basis(decision, finding)} {short(decision.challenger)} {effect_words(decision, finding)}"
    least = percent(decision.policy.min_improvement)
    why = f"That is less than the {least} improvement that the policy asks for to promote it by itself"
    lift = finite(finding.lift)
    seen = f" ({percent(lift, 2)} was seen)" if lift is not None else ""
    return f"Your decision is needed: {said} than {short(decision.champion)}{sure}. {why}{seen}."


def _continue(decision: Decision) -> str:
    finding = primary_of(decision)
    who, rival = short(decision.challenger), short(decision.champion)
    shown = told(decision, finding) if finding else None
    if finding is None or shown is None:
        return f"Keep watching: {sentence(decision.headline)}"
    so_far = f"{basis(decision, finding)} it {effect_words(decision, finding)}"
    if shown.low is not None and shown.low > 0:
        return f"Keep watching {who}: {so_far} than {rival}, but {_still_open(decision)}."
    question = f"Keep watching: it is open whether {who} is better than {rival}"
    return f"{question}. So far, {so_far}, {_between(decision, shown)}."


def _still_open(decision: Decision) -> str:
    guards = [short(label_of(f)) for f in decision.findings if f.role == "guardrail" and f.passed is None]
    if guards:
        return f"it is not yet sure that {words(guards)} {'stays' if len(guards) == 1 else 'stay'} within the margin"
    return "the policy asks for more data before it decides"


def _between(decision: Decision, shown: Shown) -> str:
    if shown.low is None or shown.high is None:
        return "and how much of that is chance cannot be said yet"
    worse, better = f"{_low(shown)} worse", f"{amount(shown.high, shown.unit)} better"
    if shown.high <= 0:
        return f"and everything down to {worse} is possible ({_sure(decision)})"
    return f"but anything from {worse} to {better} is possible ({_sure(decision)})"


def _reject(decision: Decision) -> str:
    who, rival = short(decision.challenger), short(decision.champion)
    failed = [f for f in decision.findings if f.passed is False and told(decision, f) is not None]
    harmed = sorted(failed, key=lambda f: f.role == "guardrail")
    if not harmed:
        return f"Reject {who}: {sentence(decision.headline)}"
    worst = harmed[0]
    start = f"Reject {who}: {basis(decision, worst)} it {effect_words(decision, worst)} than {rival}"
    return f"{start}{_how_bad(decision, worst)}.{_although(decision, worst)}"


def _how_bad(decision: Decision, worst: Finding) -> str:
    shown = told(decision, worst)
    if shown is None or shown.high is None or shown.high >= 0:
        return ""
    least = f"{_sure(decision)} of at least {amount(shown.high, shown.unit)}"
    if worst.role == "guardrail" and shown.margin:
        least += f"; only {amount(shown.margin, shown.unit)} is tolerated"
    return f" ({least})"


def _although(decision: Decision, worst: Finding) -> str:
    """A better primary metric does not buy off a guardrail: say so, or people will ask."""
    primary = primary_of(decision)
    if primary is None or primary is worst or not primary.passed:
        return ""
    return f" That it {effect_words(decision, primary)} does not make up for this."


def _invalid(decision: Decision) -> str:
    broken = [f for f in decision.findings if f.role == "integrity" and f.passed is False]
    why = broken[0].said if broken else decision.headline
    plain = re.sub(r"\s*\((?:always-valid )?p [=<][^)]*\)", "", why)
    return f"No verdict on {short(decision.challenger)}: this comparison cannot be trusted. {sentence(plain)}"


def _low(shown: Shown) -> str:
    return amount(shown.low or 0.0, shown.unit)


def _sure(decision: Decision) -> str:
    return f"{percent(1 - decision.policy.alpha)} sure"


def _labelled(decision: Decision) -> str:
    counts = [row.get("labelled", row.get("matched", 0)) for row in decision.flow.values()]
    return counted(sum(counts), "labelled request") if sum(counts) else ""


def _pace(more: int, trace: tuple[TracePoint, ...]) -> str:
    """From the second half of the looks, so that an old pace does not count."""
    recent = trace[len(trace) // 2 :] if len(trace) >= 4 else trace
    if len(recent) < 2 or recent[-1].n <= recent[0].n or recent[-1].at <= recent[0].at:
        return ""
    seconds = more * (recent[-1].at - recent[0].at) / (recent[-1].n - recent[0].n)
    return f"; at the present pace that takes {duration(seconds)}"
