"""What people look at after an incident, the likely causes first."""

from collections.abc import Iterator

from flows.reports.incidents.story import Story

_BY_TEST = {
    "errors": (
        "Why requests failed",
        "The reasons above, and the router's log of that time. A reason `raised` is the model's own code; "
        "`not_finite` and `out_of_range` are its answers.",
    ),
    "latency": (
        "Why it was slow",
        "Its artifact: how is it served (compiled, native, original)? Was the machine busy with something else? "
        "Compare with the shadow's latency in the metrics.",
    ),
    "kpi": (
        "Whether the KPI fell because of it",
        "Season, campaigns and prices of the same days; whether outcomes arrive as late as they did before.",
    ),
    "loss": (
        "Why it is less accurate",
        "Segments of the decision report; drift since it was trained; whether the labels can be trusted.",
    ),
}


def checklist(story: Story) -> Iterator[tuple[str, str, str]]:
    """Number, what, and how."""
    for number, (what, how) in enumerate(_points(story), start=1):
        yield f"{number}", what, how


def _points(story: Story) -> Iterator[tuple[str, str]]:
    incident, model = story.incident, story.incident.model
    broken = [test.name for test in story.tests if test.verdict == "broken"] or _guessed(incident.cause)
    for name in broken:
        if name in _BY_TEST:
            yield _BY_TEST[name]
    yield "What it was trained on", f"`understudy models card {model} {incident.version}`: rows, period, warnings."
    if story.decision is not None:
        yield "What spoke for it", f"Decision {story.decision}: `understudy decision {story.decision}`."
    yield "Whether the data have changed", f"`understudy drift {model}` for the days before."
    yield (
        "Whether the answers it gave must be corrected",
        f"`understudy events {model}` finds them by version {incident.version}.",
    )
    yield "Whether everybody who must know was told", "The last table of this page."
    yield (
        "What would have found it earlier",
        "A longer shadow, a smaller first step, a guard on the quantity that was broken, a test of the validation.",
    )
    yield "Whether the trail is whole", "`understudy audit verify`."


def _guessed(cause: str) -> list[str]:
    """Where only a sentence was kept: by the words of the guards."""
    marks = {"errors": ("failed", "breaker"), "latency": ("latency",), "loss": ("loss",), "kpi": ("a drop of",)}
    return [name for name, words in marks.items() if any(word in cause for word in words)]
