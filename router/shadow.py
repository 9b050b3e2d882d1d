"""
Score copies in a process of its own, far from the request path.

The event log is the queue: what a shadow must see is read from the workers' segments,
so a slow, hung or crashing shadow can cost callers nothing. Every copy becomes a line:
scored, dropped with its reason, or failed with its reason.
"""

import errno
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

from registry.errors import Refusal, StoreUnavailable
from registry.eventlog.events import Predicted, Shadowed
from registry.eventlog.segments import PREDICTIONS, SHADOWS, SegmentReader, SegmentWriter
from registry.home import Settings
from registry.records.version import ModelVersion
from router.lastgood import replace_file
from router.models import Loaded, ModelCache, artifact_loader, reason_of

log = logging.getLogger("understudy.shadow")
MAX_LAG_BYTES = 256 << 20
_CHUNK = 512


class Shadows:
    """
    Follow the workers' segments.

    Args:
        version_of: Looks a version up; None if the registry does not hold it.
        position: File with offsets; written after the scores of what it covers.
    """

    def __init__(
        self,
        events_dir: Path,
        position: Path,
        cache: ModelCache,
        version_of: Callable[[str, str], ModelVersion | None],
    ) -> None:
        self._reader = SegmentReader(events_dir, (PREDICTIONS,))
        self._writer = SegmentWriter(events_dir, SHADOWS)
        self._position, self._cache, self._version_of = position, cache, version_of
        self._offsets = self._recall()
        self._versions: dict[tuple[str, str], ModelVersion] = {}

    def catch_up(self) -> int:
        """Score everything written so far; returns how many copies were seen."""
        seen = 0
        for path in self._reader.segments():
            offset = self._offsets.get(path.name, 0)
            size = path.stat().st_size
            while offset < size:
                events, end = self._reader.read(path, offset)
                if end == offset:
                    break
                copies = [event for event in events if isinstance(event, Predicted) and event.shadows]
                seen += self._score(copies, late=size - end > MAX_LAG_BYTES)
                offset = self._offsets[path.name] = end
                self._remember()
        return seen

    def _score(self, copies: list[Predicted], *, late: bool) -> int:
        groups: dict[tuple[str, str], list[Predicted]] = {}
        for event in copies:
            for version in event.shadows:
                groups.setdefault((event.model, version), []).append(event)
        for (model, version), events in groups.items():
            for start in range(0, len(events), _CHUNK):
                answers = self._answers(model, version, events[start : start + _CHUNK], late=late)
                if not self._writer.append(answers):
                    raise OSError(errno.ENOSPC, "The event log takes no more; these copies are scored again later.")
        return sum(map(len, groups.values()))

    def _answers(self, model: str, version: str, events: list[Predicted], *, late: bool) -> list[Shadowed]:
        if late:
            return [Shadowed(model=model, id=e.id, version=version, dropped="lag") for e in events]
        try:
            loaded = self._loaded(model, version)
        except StoreUnavailable:
            raise  # no fault of the shadow's: the copies wait in the log
        except Exception as error:  # noqa: BLE001 - a broken shadow is a line in the log, never a crash
            log.warning("shadow %s %s was not loaded: %s", model, version, error)
            return [_failed(event, version, error) for event in events]
        answers = _scored(loaded, events)
        if any(answer.error for answer in answers):
            log.warning("shadow %s %s failed on %d copies", model, version, sum(bool(a.error) for a in answers))
        return answers

    def _loaded(self, model: str, version: str) -> Loaded:
        if (model, version) not in self._versions:
            found = self._version_of(model, version)
            if found is None:
                raise ValueError("not_found")
            self._versions[model, version] = found
        return self._cache.get(self._versions[model, version])

    def _recall(self) -> dict[str, int]:
        try:
            found: dict[str, int] = json.loads(self._position.read_bytes())
        except (OSError, ValueError):
            return {}
        return found

    def _remember(self) -> None:
        # Killed between the scores and this line, it scores the same copies again; the index keeps the first.
        self._position.parent.mkdir(parents=True, exist_ok=True)
        # The same after a power cut; and a sync here would make the router's own writes wait.
        replace_file(self._position, json.dumps(self._offsets).encode(), durable=False)


def _scored(loaded: Loaded, events: list[Predicted]) -> list[Shadowed]:
    started = time.perf_counter()
    try:
        scores, predictions = loaded.prove([event.features for event in events])
    except Exception as error:  # noqa: BLE001 - see above
        if len(events) == 1:
            return [_failed(events[0], loaded.version.version, error)]
        # A row that it cannot score is not held against its neighbours.
        half = len(events) // 2
        return [*_scored(loaded, events[:half]), *_scored(loaded, events[half:])]
    each = round((time.perf_counter() - started) * 1000 / len(events), 4)
    return [
        Shadowed(model=e.model, id=e.id, version=loaded.version.version, score=s, prediction=p, latency_ms=each)
        for e, s, p in zip(events, scores, predictions, strict=True)
    ]


def _failed(event: Predicted, version: str, error: Exception) -> Shadowed:
    return Shadowed(model=event.model, id=event.id, version=version, error=reason_of(error))


def main() -> None:
    """Run for ever."""
    from registry.reader import PlanReader

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    settings = Settings().prepare()
    shadows = Shadows(
        settings.events_dir,
        settings.run_dir / "shadow.json",
        ModelCache(artifact_loader(settings.models_dir)),
        PlanReader(settings.registry_url).version,
    )
    log.info("shadow follows %s", settings.events_dir)
    while True:
        try:
            seen = shadows.catch_up()
        except (OSError, Refusal):
            log.exception("shadow could not read or write; trying again")
            time.sleep(1)
            continue
        time.sleep(0.0 if seen else 0.05)


if __name__ == "__main__":
    main()
