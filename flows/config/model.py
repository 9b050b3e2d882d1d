"""The schema of a model's YAML file; defaults are the advice."""

from typing import Annotated

from pydantic import Field, model_validator

from flows.config.aftercare import Retention, Tracking, Validation
from flows.config.conditions import METRICS, condition_mistakes
from flows.config.data import Data, Features
from flows.config.detection.settings import Detection
from flows.config.experiment import ExperimentConfig
from flows.config.operations import Notify, Schedule, WatchConfig
from flows.config.promotion import TAKEN, Promotion, promotion_mistakes
from flows.config.rollout import Approval, RolloutConfig
from flows.config.section import Name, Section
from flows.config.slices import validation_mistakes
from flows.config.training import Training
from registry.records.version import Task


class GuardsConfig(Section):
    """When a challenger is taken off at once; see `registry.records.plan.Guards`."""

    deadline_ms: Annotated[float, Field(gt=0)] = 250
    error_rate: Annotated[float, Field(gt=0, lt=1)] = 0.02
    latency_increase: Annotated[float, Field(gt=0)] = 0.5
    kpi: str | None = None
    kpi_drop: Annotated[float, Field(gt=0)] = 0.10
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.001


class ModelConfig(Section):
    """One model, one YAML file."""

    model: Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?$")]
    description: str = ""
    task: Task
    target: Name
    features: Features
    data: Data = Data()
    training: Training = Training()
    validation: Validation = Validation()
    tracking: Tracking = Tracking()
    retention: Retention = Retention()
    detection: Detection = Detection()
    promotion: Promotion = Promotion()
    rollout: RolloutConfig = RolloutConfig()
    approval: Approval = Approval()
    watch: WatchConfig = WatchConfig()
    schedule: Schedule = Schedule()
    experiment: ExperimentConfig = ExperimentConfig()
    guards: GuardsConfig = GuardsConfig()
    notify: Notify = Notify()

    @model_validator(mode="after")
    def _columns_make_sense(self) -> "ModelConfig":
        names = self.features.names
        mistakes = [f"feature {n!r} is listed twice" for n in sorted({n for n in names if names.count(n) > 1})]
        if not names:
            mistakes.append("there are no features")
        roles = ((self.target, "target", names), (self.data.time, "time", self.features.compared))
        for column, role, known in roles:  # of a date the model sees what returns: it may be the time itself
            if column in known:
                mistakes.append(f"{role} {column!r} is also a feature: that is leakage")
        mistakes += self._task_mistakes()
        mistakes += [*self.data.sql_mistakes(), *self.training.engine_mistakes()]
        mistakes += self._outcome_mistakes()
        mistakes += self._rule_mistakes()
        mistakes += validation_mistakes(self.validation, self.features)
        mistakes += promotion_mistakes(self.promotion, self.task, self.data.kpis)
        if self.detection.min_rows > self.detection.window:
            seen = f"detection.window {self.detection.window} is smaller than min_rows {self.detection.min_rows}"
            mistakes.append(f"{seen}: there would never be enough data")
        if mistakes:
            raise ValueError("; ".join(mistakes))
        return self

    def _task_mistakes(self) -> list[str]:
        classes, task = self.data.classes, self.task
        mistakes = [f"class {c!r} is listed twice" for c in sorted({c for c in classes if classes.count(c) > 1})]
        if task == "multiclass" and len(classes) < 3:
            mistakes.append(f"task is multiclass, and data.classes names {len(classes)} of at least 3 classes")
        if task != "multiclass" and classes:
            mistakes.append(f"data.classes is for multiclass tasks, and the task is {task}")
        if self.training.value is not None and task != "binary":
            mistakes.append(f"training.value is for binary tasks, and the task is {task}")
        if self.training.calibration != "none" and task == "regression":
            mistakes.append("training.calibration is for probabilities, and the task is regression")
        return mistakes

    def _outcome_mistakes(self) -> list[str]:
        kpis = self.data.kpis
        mistakes = [f"KPI {c!r} is also a feature: that is leakage" for c in kpis.values() if c in self.features.names]
        mistakes += [f"KPI {name!r} is the name of a metric" for name in kpis if name in METRICS or name in TAKEN]
        if self.guards.kpi is not None and self.guards.kpi not in kpis:
            known = ", ".join(kpis) or "none"
            mistakes.append(f"guards.kpi {self.guards.kpi!r} is not in data.kpis ({known})")
        if self.watch.kpi is not None and self.watch.kpi not in kpis:
            mistakes.append(f"watch.kpi {self.watch.kpi!r} is not in data.kpis ({', '.join(kpis) or 'none'})")
        return mistakes

    def _rule_mistakes(self) -> list[str]:
        known, rules = {*METRICS, *self.data.kpis}, self.detection.rules
        names = [rule.name for rule in rules]
        mistakes = [f"two rules are named {name!r}" for name in sorted({n for n in names if names.count(n) > 1})]
        wrong = [f"rule {r.name!r}: {m}" for r in rules for m in condition_mistakes(r.condition, known)]
        mistakes += wrong
        if any("unknown metric" in one for one in wrong):
            mistakes.append(f"metrics are {', '.join(sorted(known))}")
        return mistakes
