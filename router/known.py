"""What control knows of plans and versions, also while the registry is away."""

import threading
from collections.abc import Callable
from pathlib import Path

from registry.errors import Refusal
from registry.records.plan import CHAMPION, TrafficPlan
from registry.records.version import ModelVersion, Task
from registry.store.registry import Registry
from router.errors import UnknownModel
from router.lastgood import recall


class Known:
    """
    The registry as far as control needs it, and the last of it that was seen.

    Args:
        open_registry: Opens the registry; may refuse, and is asked again later.
        plans_dir: Where the router keeps its last good plans.
    """

    def __init__(self, open_registry: Callable[[], Registry], plans_dir: Path) -> None:
        self._open_registry, self._plans_dir = open_registry, plans_dir
        self._registry: Registry | None = None
        self._plans: dict[str, TrafficPlan] = {}
        self._weights: dict[tuple[str, str], dict[str, int]] = {}
        self._tasks: dict[str, Task] = {}
        self._door = threading.Lock()

    def registry(self) -> Registry:
        """The registry, opened when first needed."""
        with self._door:
            if self._registry is None:
                self._registry = self._open_registry()
            return self._registry

    def plan(self, model: str) -> TrafficPlan:
        """
        The newest plan; the last one seen while the registry is away.

        Raises:
            UnknownModel: If there never was one.
        """
        try:
            found = self.registry().plan(model)
        except Refusal:
            if model not in self._plans:
                self._plans.update({kept.plan.model: kept.plan for kept in recall(self._plans_dir)})
            found = self._plans.get(model)
        if found is None:
            raise UnknownModel(f"There is no model {model!r}.", "It has no traffic plan.", "See `understudy models`.")
        self._plans[model] = found
        self._weights[model, found.phase] = {arm.variant: found.weight_of(arm.variant) for arm in found.arms}
        return found

    def last_plan(self, model: str) -> TrafficPlan | None:
        """The one that was seen last, without asking anybody."""
        return self._plans.get(model)

    def task_of(self, model: str) -> Task:
        """What its champion predicts."""
        if model not in self._tasks:
            self._tasks[model] = self._champion(model).task
        return self._tasks[model]

    def weights_of(self, model: str, phase: str) -> dict[str, int]:
        """Parts per million of each variant in *phase*; empty if nobody knows."""
        if (model, phase) not in self._weights:
            try:
                for plan in reversed(self.registry().plans(model, limit=10_000)):
                    self._weights[model, plan.phase] = {a.variant: plan.weight_of(a.variant) for a in plan.arms}
            except Refusal:
                return {}
        return self._weights.get((model, phase), {})

    def _champion(self, model: str) -> ModelVersion:
        name = self.plan(model).version_of(CHAMPION)
        try:
            return self.registry().version(model, name)
        except Refusal:
            for kept in recall(self._plans_dir):
                if kept.plan.model == model and name in kept.versions:
                    return kept.versions[name]
            raise
