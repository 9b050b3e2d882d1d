"""What a router may report of a step: good news, bad news, and everything that is no news at all."""

from datetime import UTC, datetime

from flows.config.load import parse_config
from flows.errors import Unreachable
from registry.records.live import ModelMetrics, Moments, PhaseMetrics, ShadowMetrics, VariantMetrics
from registry.records.version import Feature, ModelVersion, TrainingData

START = datetime(2026, 1, 5, tzinfo=UTC)
WORLDS = ("good", "bad", "slight", "even", "few", "unlabelled", "missing", "nan", "srm", "away")
NAN = float("nan")
_LOSS = {"good": 0.10, "few": 0.10, "bad": 0.40, "slight": 0.19, "even": 0.20}
_N = {"few": 50, "unlabelled": 4000, "slight": 400_000, "even": 400_000}


def a_version(name, model="churn"):
    return ModelVersion(
        model=model,
        version=name,
        task="binary",
        target="left",
        features=(Feature(name="x", kind="numeric"),),
        algorithm="xgboost",
        data=TrainingData(rows=1, start=None, end=None, source="table", fingerprint="f"),
        artifact_digest="0" * 64,
        parity=0.0,
        created_at=START,
        actor="test",
        reason="test",
    )


def a_config(*, require_approval, on_expiry="abort", expire="3h", model="churn"):
    return parse_config(
        {
            "model": model,
            "task": "binary",
            "target": "left",
            "features": {"numeric": ["x"]},
            "promotion": {"require_approval": require_approval, "metric": "accuracy", "min_improvement": 0.05},
            "approval": {"expire": expire, "on_expiry": on_expiry},
            "validation": {"enabled": False},
        },
        "test",
    )


class World:
    """A router that reports one of the worlds; `now` names it."""

    def __init__(self, registry, now="good"):
        self.registry, self.now, self.meanwhile = registry, now, None

    def metrics(self, model, *, min_label_age=0.0):
        plan = self.registry.plan(model)
        if self.meanwhile is not None:
            other, self.meanwhile = self.meanwhile, None
            other()
        if self.now == "away":
            raise Unreachable("The router does not answer.", "It is down.", "understudy up")
        phases = () if self.now == "missing" else (self._phase(plan),)
        return ModelMetrics(model=model, epoch=plan.epoch, phases=phases)

    def _phase(self, plan):
        n, weights = _N.get(self.now, 4000), {arm.variant: plan.weight_of(arm.variant) for arm in plan.arms}
        dealt = {name: round(n * weight / 1e6) for name, weight in weights.items()}
        if self.now == "srm" and len(dealt) > 1 and all(weights.values()):
            dealt = {
                name: n // 2 if weight != 500_000 else n * (1 + (name == "champion")) // 3
                for name, weight in weights.items()
            }
        return PhaseMetrics(
            phase=plan.phase,
            first_epoch=plan.epoch,
            last_epoch=plan.epoch,
            weights=weights,
            variants={arm.variant: self._arm(arm, dealt[arm.variant]) for arm in plan.arms},
            shadows={one: self._shadow(one, n) for one in plan.shadows},
        )

    def _arm(self, arm, n):
        if self.now == "few" and arm.variant == "challenger":
            n = min(n, 50)
        loss = 0.20 if arm.variant == "champion" else _LOSS.get(self.now, 0.10)
        labelled = 0 if self.now == "unlabelled" else n
        return VariantMetrics(
            version=arm.version,
            assigned=n,
            served=n,
            loss=Moments(n=labelled, mean=NAN, m2=1.0) if self.now == "nan" else moments(labelled, loss),
            correct=moments(labelled, 1 - loss, loss * (1 - loss)),
            latency_ms=moments(n, 1.0),
        )

    def _shadow(self, name, n):
        gain = 0.20 - _LOSS.get(self.now, 0.10)
        pairs = 0 if self.now == "unlabelled" else n
        better, worse = round(pairs * max(gain, 0)) + pairs // 20, round(pairs * max(-gain, 0)) + pairs // 20
        return ShadowMetrics(
            version=name,
            copies=n,
            scored=n,
            pairs=pairs,
            challenger_only_right=better,
            champion_only_right=worse,
            loss_difference=Moments(n=n, mean=NAN, m2=1.0) if self.now == "nan" else moments(pairs, gain),
        )


def moments(n, mean, variance=0.04):
    return Moments(n=n, mean=mean if n else 0.0, m2=variance * max(n - 1, 0))
