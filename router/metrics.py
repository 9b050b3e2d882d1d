"""Prometheus text of one worker: bounded labels, exported only when scraped."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping

from registry.eventlog.events import Predicted
from router.models import Snapshot

BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0)
Labels = tuple[str, str, str]


class Counters:
    """Counts since this worker started."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, str, str, str]] = Counter()
        self._buckets: dict[Labels, list[int]] = {}
        self._sums: Counter[Labels] = Counter()

    def count(self, events: Iterable[Predicted]) -> None:
        """Take answered rows in."""
        for event in events:
            outcome = "failed" if event.failed else "fallback" if event.error else "served"
            self._requests[event.model, event.assigned, event.assigned_version, outcome] += 1
            labels = (event.model, event.assigned, event.assigned_version)
            buckets = self._buckets.setdefault(labels, [0] * (len(BOUNDS) + 1))
            buckets[bisect_left(BOUNDS, event.latency_ms)] += 1
            self._sums[labels] += event.latency_ms  # type: ignore[assignment]

    def export(self, snapshots: Mapping[str, Snapshot], unlogged: int) -> bytes:
        """Text exposition format 0.0.4."""
        lines = ["# TYPE understudy_predictions_total counter"]
        for (model, variant, version, outcome), n in sorted(self._requests.items()):
            lines.append(
                f'understudy_predictions_total{{model="{model}",variant="{variant}",version="{version}",'
                f'outcome="{outcome}"}} {n}'
            )
        lines.append("# TYPE understudy_latency_ms histogram")
        for labels, buckets in sorted(self._buckets.items()):
            lines += self._histogram(labels, buckets)
        lines.append("# TYPE understudy_plan_epoch gauge")
        lines += [f'understudy_plan_epoch{{model="{m}"}} {s.plan.epoch}' for m, s in sorted(snapshots.items())]
        lines += ["# TYPE understudy_unlogged_total counter", f"understudy_unlogged_total {unlogged}", ""]
        return "\n".join(lines).encode()

    def _histogram(self, labels: Labels, buckets: list[int]) -> list[str]:
        shown = 'model="{}",variant="{}",version="{}"'.format(*labels)
        lines, running = [], 0
        for bound, n in zip((*map(str, BOUNDS), "+Inf"), buckets, strict=True):
            running += n
            lines.append(f'understudy_latency_ms_bucket{{{shown},le="{bound}"}} {running}')
        return [
            *lines,
            f"understudy_latency_ms_sum{{{shown}}} {self._sums[labels]:.6g}",
            f"understudy_latency_ms_count{{{shown}}} {running}",
        ]
