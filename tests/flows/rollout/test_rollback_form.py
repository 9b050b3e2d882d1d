"""Rolling back with one click: the form's defaults name the model where only one can be meant."""

from datetime import UTC, datetime

import msgspec
import pytest

from flows.config.load import parse_config, register_config
from flows.rollout.rollback import chosen
from registry.errors import NotFound
from registry.home import Settings
from registry.records.plan import Arm, Guards
from registry.records.version import Feature, ModelVersion, TrainingData
from registry.store.registry import Registry

AT = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "state").prepare()


@pytest.fixture
def models(settings):
    """Three models with a champion each."""
    with Registry.open(settings.registry_url) as registry:
        for name in ("bank", "churn", "leads"):
            register_config(
                parse_config({"model": name, "task": "binary", "target": "y", "features": {"numeric": ["x"]}}, "test"),
                settings,
            )
            for version in ("v1.0.0", "v1.1.0"):
                registry.register_version(made(name, version))
            registry.install_first(
                name, "v1.0.0", guards=Guards(), salt=f"{name}.first", actor="test", reason="first", at=AT
            )
        yield registry


def made(model, version):
    return ModelVersion(
        model=model,
        version=version,
        task="binary",
        target="y",
        features=(Feature(name="x", kind="numeric"),),
        algorithm="xgboost",
        data=TrainingData(rows=1, start=None, end=None, source="table", fingerprint="f"),
        artifact_digest="0" * 64,
        parity=0.0,
        created_at=AT,
        actor="test",
        reason="test",
    )


def challenge(registry, model):
    plan = registry.plan(model)
    shadow = msgspec.structs.replace(
        plan, epoch=2, arms=(*plan.arms, Arm(variant="challenger", version="v1.1.0")), phase="try"
    )
    registry.publish_plan(shadow)


def test_the_only_model_with_something_to_take_back_is_meant(settings, models):
    challenge(models, "churn")

    assert chosen(None, settings) == "churn"
    assert chosen("", settings) == "churn"
    assert chosen("bank", settings) == "bank"


def test_of_several_none_is_guessed(settings, models):
    challenge(models, "churn")
    challenge(models, "leads")

    with pytest.raises(NotFound, match="something to take back of 2 models: churn, leads") as refused:
        chosen(None, settings)
    assert refused.value.mend == "Name one of them."


def test_where_there_is_nothing_it_says_so(settings, models):
    with pytest.raises(NotFound, match=r"None of bank, churn, leads has a challenger or a former champion\."):
        chosen(None, settings)


def test_without_a_registry_the_only_configured_model_is_meant(settings):
    register_config(
        parse_config({"model": "bank", "task": "binary", "target": "y", "features": {"numeric": ["x"]}}, "test"),
        settings,
    )
    (settings.home / "registry.sqlite").mkdir()

    assert chosen(None, settings) == "bank"
