"""An incident in headings, sentences and tables."""

from collections.abc import Iterator
from datetime import datetime

from flows.reports.incidents.checklist import checklist
from flows.reports.incidents.story import Exposure, Story, Test
from flows.reports.text import DASH, counted, duration, percent, plain_number, sentence
from flows.reports.versions.writing import Block
from registry.assignment import TOTAL
from registry.records.incident import Incident, IncidentKind

BY: dict[IncidentKind, str] = {
    "rollout": "the verdict of its rollout",
    "watch": "the watch after its promotion",
    "guard": "a guard of the router",
    "person": "a person",
}
_STATUS = {
    "waiting": "not sent yet",
    "sent": "sent",
    "logged": "written into the log: nobody is named in the configuration",
    "given_up": "given up after too many tries",
}


def title_of(incident: Incident) -> str:
    """Name the page."""
    return f"{incident.model}: {incident.version} was taken off"


def summary(story: Story) -> str:
    """One sentence for whoever reads no further."""
    incident = story.incident
    return (
        f"{incident.version} was taken off by {BY[incident.kind]} ({incident.actor}) at {moment(incident.at)}; "
        f"{incident.restored} answers everybody since, by plan {incident.epoch}."
    )


def harm(story: Story) -> str:
    """How many callers it reached, and for how long."""
    if not any(one.share for one in story.exposures):
        return f"{story.incident.version} answered nobody: it only watched."
    if story.answered is None:
        return f"It answered callers for {span(story.seconds)}; how many is not known: {sentence(story.unseen)}"
    by_champion = sum(one.by_champion for one in story.answering)
    errors = (story.failed or 0) - by_champion
    return (
        f"It answered {counted(story.answered, 'request')} in {span(story.seconds)}. "
        f"{counted(by_champion, 'request')} that it failed were answered by the champion of that time in the same "
        f"moment; {counted(errors, 'request')} got an error."
    )


def blocks(story: Story) -> list[Block]:
    """What happened, why, how far it reached, and what to do: the answer first, the small print last."""
    found = [
        _tests(story),
        _exposures(story),
        Block("What was served meanwhile", (_meanwhile(story),)),
        _timeline(story),
        Block("What to look at", (), ("", "look at", "how"), tuple(checklist(story))),
        _versions(story),
        _told(story),
    ]
    return [block for block in found if block.said or block.rows]


def _no_numbers(incident: Incident) -> str:
    if incident.kind == "person":
        return "No test sounded an alarm: a person decided."
    return "Only the sentence above was kept of the test that sounded the alarm."


def _tests(story: Story) -> Block:
    said = () if story.tests else (_no_numbers(story.incident),)
    if story.watch is not None:
        limits = story.watch.limits
        said = (
            *said,
            f"Limits of watch {story.watch.id}: errors {percent(limits.error_rate)}, latency "
            f"+{percent(limits.latency_increase)}, {limits.kpi or 'KPI'} {DASH}{percent(limits.kpi_drop)}, loss "
            f"+{percent(limits.accuracy_drop)}; chance of a false alarm of each over the whole time "
            f"{plain_number(limits.alpha)}, however often one looks.",
        )
    head = ("quantity", "verdict", "estimate", "interval", "limit", "n", "in words")
    return Block("The test, with its numbers", said, head, tuple(map(_test, story.tests)), (5,), wide=True)


def _test(test: Test) -> tuple[str, ...]:
    interval = DASH if test.low is None or test.high is None else f"{_n(test.low)} to {_n(test.high)}"
    return (test.name, test.verdict, _n(test.estimate), interval, _n(test.limit), f"{test.n:,}", test.said)


def _exposures(story: Story) -> Block:
    head = ("period", "from", "for", "share", "answered", "failed", "callers", "mean ms", "mean loss")
    rows = tuple(map(_exposure, story.exposures))
    said = [harm(story), *_reasons(story)]
    if story.unseen and story.answered is not None:
        said.append(f"Some counts are missing: {sentence(story.unseen)}")
    return Block("How far it reached", tuple(said), head, rows, (3, 4, 5, 6, 7, 8), wide=True)


def _reasons(story: Story) -> Iterator[str]:
    total: dict[str, int] = {}
    for one in story.answering:
        for reason, n in one.reasons:
            total[reason] = total.get(reason, 0) + n
    if total:
        ordered = sorted(total.items(), key=lambda pair: -pair[1])
        yield "Failures by reason: " + ", ".join(f"{name.replace('_', ' ')} {n:,}" for name, n in ordered) + "."


def _exposure(one: Exposure) -> tuple[str, ...]:
    return (
        one.phase,
        moment(one.began),
        span(one.seconds),
        percent(one.share / TOTAL) if one.share else "watched",
        _count(one.answered),
        _count(one.failed),
        _count(one.keys),
        _n(one.latency_ms),
        _n(one.loss),
    )


def _meanwhile(story: Story) -> str:
    incident = story.incident
    if not any(one.share for one in story.exposures):
        return f"Callers were answered by {incident.restored} all the time."
    if incident.rollout_id is not None and incident.kind != "watch":
        return (
            f"Whoever was not dealt to {incident.version}, and every request that it failed, was answered by "
            f"{incident.restored}. Since plan {incident.epoch} it answers everybody."
        )
    since = "the person's call" if incident.kind == "person" else "the limit was broken"
    return (
        f"Callers got what {incident.version} said, or an error where it failed. Since {since}, every "
        f"worker of the router has let {incident.restored} answer; plan {incident.epoch} made it "
        "lasting."
    )


def _timeline(story: Story) -> Block:
    head = ("when (UTC)", "who", "what", "why")
    whys = ["", *(one.why for one in story.timeline)]
    rows = tuple(
        (moment(one.at), one.who, one.what, "" if one.why == before else one.why)
        for one, before in zip(story.timeline, whys, strict=False)
    )
    said = ("From the audit trail, and the notes of the router; on the model's clock.",) if rows else ()
    return Block("Timeline", said, head, rows, wide=True)


def _versions(story: Story) -> Block:
    head = ("version", "role", "algorithm", "stage now", "made", "rows learned", "artifact (sha256)")
    roles = ("taken off", "answers since")
    rows = [
        (
            version.version,
            role,
            version.algorithm,
            version.stage,
            moment(version.created_at),
            f"{version.data.rows:,}",
            version.artifact_digest,
        )
        for version, role in zip(story.versions, roles, strict=False)
    ]
    plans = tuple(f"Plan {epoch} has the digest {digest}." for epoch, digest in story.plans)
    return Block("Versions and digests", plans, head, tuple(rows), (5,), wide=True)


def _told(story: Story) -> Block:
    if not story.told:
        return Block("Who was told", ("No notification of this incident is on record.",))
    rows = tuple(
        (one.title, _STATUS[one.status], str(one.attempts), ", ".join(one.missed) or DASH) for one in story.told
    )
    return Block("Who was told", (), ("notification", "status", "tries", "not reached"), rows, (2,), wide=True)


def moment(at: datetime) -> str:
    """To the second: an incident may be a matter of them."""
    return f"{at:%Y-%m-%d %H:%M:%S}"


def span(seconds: float) -> str:
    """
    A span of time; short ones to the tenth of a second.

    Example:
        >>> span(3.21), span(7200)
        ('3.2 seconds', '2 hours')
    """
    return f"{seconds:.1f} seconds" if seconds < 90 else duration(seconds)


def _n(value: float | None) -> str:
    return DASH if value is None else plain_number(value)


def _count(value: int | None) -> str:
    return DASH if value is None else f"{value:,}"
