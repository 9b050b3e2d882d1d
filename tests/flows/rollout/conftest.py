"""A real registry in a temporary folder, with a champion and a challenger."""

import logging
from datetime import UTC, datetime, timedelta

import pytest
from rollout_worlds import a_version

from flows.config.load import parse_config, register_config
from flows.notify import settle
from flows.rollout.desk import Desk
from registry.home import Settings
from registry.records.live import ModelMetrics, Moments, PhaseMetrics, ShadowMetrics, VariantMetrics
from registry.records.plan import Guards
from registry.store.registry import Registry

START = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def registry(tmp_path):
    with Registry.open(f"sqlite:///{tmp_path / 'registry.sqlite'}") as registry:
        for name in ("v1.0.0", "v1.1.0"):
            registry.register_version(a_version(name))
        registry.install_first(
            "churn", "v1.0.0", guards=Guards(), salt="churn.first", actor="test", reason="first", at=START
        )
        yield registry


@pytest.fixture
def config(configured):
    return configured()


@pytest.fixture
def configured():
    """Make a configuration; arguments overrule the promotion section."""
    return _configured


def _configured(**promotion):
    return parse_config(
        {
            "model": "churn",
            "task": "binary",
            "target": "left",
            "features": {"numeric": ["x"]},
            "promotion": {"require_approval": False, "metric": "accuracy", **promotion},
            "validation": {"enabled": False},  # these versions have no files
            "rollout": {
                "steps": [
                    {"share": 0, "min": "1d", "max": "2d"},
                    {"share": 0.1, "min": "1d", "on_timeout": "advance"},
                    {"share": 1, "min": "1d"},
                ]
            },
        },
        "test",
    )


def moments(n, mean, variance=0.04):
    return Moments(n=n, mean=mean, m2=variance * max(n - 1, 0))


class LiveNumbers:
    """What a router reports: every request of the newest phase is labelled, and one side errs less."""

    def __init__(self, registry):
        self._registry = registry
        self.n = 4000
        self.champion_loss = 0.20
        self.challenger_loss = 0.10
        self.notes = []

    def metrics(self, model, *, min_label_age=0.0):
        plan = self._registry.plan(model)
        shadows = {one: self._shadow(one) for one in plan.shadows}
        variants = {
            arm.variant: self._variant(arm, round(self.n * plan.weight_of(arm.variant) / 1e6)) for arm in plan.arms
        }
        phase = PhaseMetrics(
            phase=plan.phase,
            first_epoch=plan.epoch,
            last_epoch=plan.epoch,
            weights={arm.variant: plan.weight_of(arm.variant) for arm in plan.arms},
            variants=variants,
            shadows=shadows,
        )
        return ModelMetrics(model=model, epoch=plan.epoch, phases=(phase,))

    def events(self, model, *, limit=100):
        return sorted(self.notes, key=lambda note: -note["sequence"])[:limit]

    def rows_raw(self, model, **wanted):
        return b""

    def _variant(self, arm, n):
        loss = self.champion_loss if arm.variant == "champion" else self.challenger_loss
        return VariantMetrics(
            version=arm.version,
            assigned=n,
            served=n,
            loss=moments(n, loss),
            correct=moments(n, 1 - loss, loss * (1 - loss)),
            latency_ms=moments(n, 1.0),
        )

    def _shadow(self, name):
        better = round(self.n * max(self.champion_loss - self.challenger_loss, 0)) + self.n // 20
        worse = round(self.n * max(self.challenger_loss - self.champion_loss, 0)) + self.n // 20
        return ShadowMetrics(
            version=name,
            copies=self.n,
            scored=self.n,
            pairs=self.n,
            challenger_only_right=better,
            champion_only_right=worse,
            loss_difference=moments(self.n, self.champion_loss - self.challenger_loss),
        )


@pytest.fixture
def live(registry):
    return LiveNumbers(registry)


@pytest.fixture
def desk(tmp_path, registry, live, config):
    settings = Settings(home=tmp_path / "state").prepare()
    register_config(config, settings)
    return Desk(settings=settings, registry=registry, client=live)


@pytest.fixture
def told(caplog):
    caplog.set_level(logging.INFO, logger="understudy.notify")

    def lines():
        settle()
        return [record.getMessage() for record in caplog.records if record.name == "understudy.notify"]

    return lines
