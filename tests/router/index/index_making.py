"""Events, and an index over a log of its own: helpers."""

from pathlib import Path
from typing import Any

from registry.eventlog.events import Event, Observed, Predicted, Shadowed
from registry.eventlog.segments import PREDICTIONS, SegmentWriter
from registry.records.live import ModelMetrics
from router.index.ingest import Ingest
from router.index.metrics import MetricsReader
from router.index.schema import open_index
from router.index.terms import Terms


def predicted(id_: str, *, key: str | None = "a", time: float = 0.0, **changes: Any) -> Predicted:
    values = {
        "model": "m",
        "features": {"x": 1.0},
        "assigned": "champion",
        "served": "champion",
        "assigned_version": "v1.0.0",
        "version": "v1.0.0",
        "epoch": 1,
        "phase": "first",
        "enrolled": True,
        "reason": "bucket",
        "score": 0.5,
        "prediction": 1,
        "latency_ms": 0.1,
    }
    return Predicted(id=id_, key=key, time=time, **(values | changes))


def observed(id_: str, *, value: float = 1.0, time: float = 1.0, metric: str = "label", **changes: Any) -> Observed:
    return Observed(**({"model": "m", "id": id_, "metric": metric, "value": value, "time": time} | changes))


def shadowed(id_: str, **changes: Any) -> Shadowed:
    return Shadowed(**({"model": "m", "id": id_, "version": "v1.1.0", "score": 0.75, "prediction": 1} | changes))


class Index:
    """A log, and an index that follows it."""

    def __init__(
        self,
        folder: Path,
        name: str = "index.sqlite",
        *,
        terms: Terms | None = None,
        writer: SegmentWriter | None = None,
    ) -> None:
        self.events = folder / "events"
        self.writer = writer or SegmentWriter(self.events, PREDICTIONS)
        self.db = open_index(folder / name)
        self.ingest = Ingest(self.db, self.events, terms or Terms())
        self.reader = MetricsReader(self.db, lambda _model: "binary", lambda _model, _phase: {})

    def take(self, *events: Event) -> "Index":
        for event in events:
            assert self.writer.append([event])
        self.ingest.catch_up()
        return self

    def metrics(self, model: str = "m", *, min_label_age: float = 0.0) -> ModelMetrics:
        self.reader.forget(self.ingest.dirty)
        self.ingest.dirty.clear()
        return self.reader.model(model, 1, min_label_age=min_label_age)

    def joined(self, model: str = "m") -> list[tuple[str, str, float]]:
        query = (
            "SELECT p.id, metric, value FROM outcomes JOIN predictions p USING (seq) WHERE p.model = ? ORDER BY 1, 2"
        )
        return [tuple(row) for row in self.db.execute(query, (model,))]

    def counts(self, model: str = "m") -> dict[str, int]:
        return {name: n for name, n in self.db.execute("SELECT name, n FROM counts WHERE model = ?", (model,)) if n}
