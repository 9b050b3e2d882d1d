"""Keep the report of an incident; a crash in between loses nothing."""

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from flows.reports.incidents.gather import Sources, gather
from flows.reports.incidents.page import incident_html, incident_markdown
from flows.reports.incidents.story import Story
from flows.reports.page import file_name, keep
from registry.errors import Refusal
from registry.home import Settings
from registry.records.incident import Incident

FOLDER = "incidents"
FINAL_S = 86_400.0
"""Seconds after which a report whose counts or notifications never came is final."""
Show = Callable[[Incident, str], None]


class Written(NamedTuple):
    """
    A report.

    Attributes:
        path: The HTML file.
        fresh: Whether it is new, or says more than before.
    """

    path: Path
    fresh: bool


def incident_file(settings: Settings, incident: Incident) -> Path:
    """Where its report is, or will be."""
    return settings.reports_dir / FOLDER / f"{file_name(incident.id)}.html"


def is_written(settings: Settings, incident: Incident) -> bool:
    """Whether nothing is left to write: all that can be known is in the report, or it is a day old."""
    mark = _mark(incident_file(settings, incident))
    if mark is None or mark.get("incident") != incident.digest():
        return False
    return bool(mark.get("settled")) or time.time() - float(mark.get("first", 0.0)) > FINAL_S


def pending(desk: Sources, models: Iterable[str]) -> list[Incident]:
    """Incidents whose report is missing, or may say more by now; oldest first."""
    found = [incident for model in models for incident in desk.registry.incidents(model)]
    return sorted((one for one in found if not is_written(desk.settings, one)), key=lambda one: (one.at, one.id))


def write_incident(desk: Sources, incident: Incident, show: Show | None = None) -> Written:
    """
    Write the report, or write it again if there is more to say; as often as you like.

    The note that it is written comes last: whoever is killed before repeats all of it.

    Args:
        desk: Settings, registry and router.
        incident: As the registry keeps it.
        show: Shows the markdown elsewhere, e.g. in the Prefect UI; once for every report that says something new.

    Raises:
        StoreUnavailable: If the registry does not answer.
        OSError: If the disk is full or read-only.
    """
    file = incident_file(desk.settings, incident)
    story = gather(desk, incident)
    page, before = incident_html(story).encode(), _mark(file)
    known = before is not None and file.exists() and file.read_bytes() == page
    if not known:
        keep({file: page})
        if show is not None:
            show(incident, incident_markdown(story, str(file)))
    first = float(before.get("first", time.time())) if before else time.time()
    keep({file.with_suffix(".json"): _marked(story, first)})
    return Written(file, not known)


def write_all(desk: Sources, models: Iterable[str], show: Show | None = None) -> tuple[list[Written], list[str]]:
    """Write what is pending; one that cannot be written keeps no other one waiting, and is said."""
    done, troubles = [], []
    for incident in pending(desk, models):
        try:
            done.append(write_incident(desk, incident, show))
        except (Refusal, OSError) as error:
            troubles.append(f"{incident.id}: {error}")
    return done, troubles


def _mark(file: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(file.with_suffix(".json").read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and file.exists() else None


def _marked(story: Story, first: float) -> bytes:
    incident = story.incident
    said = {
        "incident": incident.digest(),
        "id": incident.id,
        "model": incident.model,
        "settled": story.settled,
        "first": first,
        "answered": story.answered,
        "failed": story.failed,
        "seconds": story.seconds,
    }
    return json.dumps(said, sort_keys=True).encode()
