"""Nothing leaves staging that has not shown what it must; production and registry stay as they were."""

import json

import msgspec
import pytest
from validation_making import AT, a_config, a_frame, a_version, linear

from flows.cli.main import main
from flows.config.load import register_config
from flows.rollout.begin import begin_rollout
from flows.rollout.desk import Desk
from flows.rollout.promote import start
from flows.validation import registered
from flows.validation.errors import NotValidated
from flows.validation.evidence import passed, record
from flows.validation.report import Check, ValidationReport
from registry.artifacts import ArtifactStore
from registry.home import Settings
from registry.records.plan import Guards
from registry.store.registry import Registry

WHO = {"actor": "ann", "reason": "a test", "at": AT}


@pytest.fixture
def registry(settings, monkeypatch):
    """A champion v1.0.0, and a challenger v1.1.0 that was never validated; both are well."""
    monkeypatch.setenv("UNDERSTUDY_HOME", str(settings.home))
    monkeypatch.setenv("UNDERSTUDY_ROUTER_PORT", "1")  # nobody answers there
    monkeypatch.setenv("UNDERSTUDY_ADMIN_PORT", "1")
    register_config(a_config(), settings)
    with Registry.open(settings.registry_url) as opened:
        for version in ("v1.0.0", "v1.1.0"):
            kept(settings, opened, version, linear())
        opened.install_first("churn", "v1.0.0", guards=Guards(), salt="churn.first", **WHO)
        yield opened


def kept(settings, registry, version, files, **changes):
    digest = ArtifactStore(settings.models_dir).save("churn", version, files)
    registry.register_version(a_version(version=version, artifact_digest=digest, **changes))
    return registry.version("churn", version)


def a_report(passed=True, artifact="0" * 64):
    check = Check(name="latency", passed=passed, value=60.0, bound=50.0, said="p99 is 60 ms (bound 50 ms).")
    return ValidationReport.of([check], artifact=artifact, duration_s=1.0)


def begin(registry, challenger="v1.1.0", **validation):
    config = a_config(**validation)
    return begin_rollout(config, registry, model="churn", challenger=challenger, decision=None, **WHO)


def test_what_was_never_validated_is_not_begun(registry):
    with pytest.raises(NotValidated, match=r"never validated.*understudy models validate churn v1\.1\.0"):
        begin(registry)

    assert registry.rollouts("churn") == []
    assert registry.version("churn", "v1.1.0").stage == "staging"


def test_who_asks_for_no_validation_gets_none(registry):
    assert begin(registry, enabled=False).challenger == "v1.1.0"


def test_what_was_validated_before_it_was_registered_begins(settings, registry):
    shown = a_report().to_dict()
    kept(settings, registry, "v1.2.0", linear(), validation=shown)

    assert begin(registry, "v1.2.0").challenger == "v1.2.0"


def test_what_failed_in_staging_is_rejected_and_comes_back_when_it_passes(registry):
    version = registry.version("churn", "v1.1.0")
    record(registry, version, a_report(passed=False), actor="ann", at=AT)
    rejected = registry.version("churn", "v1.1.0")

    assert rejected.stage == "rejected"
    with pytest.raises(NotValidated, match="failed its validation: latency: p99 is 60 ms"):
        begin(registry)

    record(registry, rejected, a_report(passed=True), actor="ann", at=AT)

    assert registry.version("churn", "v1.1.0").stage == "staging"
    assert begin(registry).challenger == "v1.1.0"
    assert registry.verify_audit() == []


def test_a_validation_of_other_files_shows_nothing(registry):
    version = registry.version("churn", "v1.1.0")
    record(registry, version, a_report(), actor="ann", at=AT)

    assert passed(registry, version) is True
    assert passed(registry, msgspec.structs.replace(version, artifact_digest="1" * 64)) is None


def test_a_champion_that_fails_keeps_its_place(registry):
    record(registry, registry.version("churn", "v1.0.0"), a_report(passed=False), actor="ann", at=AT)

    assert registry.champion("churn").version == "v1.0.0"


@pytest.mark.long
def test_a_promotion_validates_first(settings, registry):
    desk = Desk(settings=settings, registry=registry, client=None)
    bad = kept(settings, registry, "v1.2.0", linear(1.7e308, -1.7e308, 0.0))
    before = registry.plans("churn")
    with pytest.raises(NotValidated, match=r"v1\.2\.0 was not promoted.*champion_not_finite"):
        start(desk, "churn", bad.version, actor="ann", reason="hurry", at=AT)

    assert registry.version("churn", "v1.2.0").stage == "rejected"
    assert registry.champion("churn").version == "v1.0.0"
    assert registry.plans("churn") == before
    assert registry.rollouts("churn") == []


@pytest.mark.long
def test_the_command_says_what_was_seen(settings, registry, tmp_path, capsys):
    table = tmp_path / "newest.csv"
    a_frame(200).with_columns(left=a_frame(200)["age"] > 0).write_csv(table)
    code = main(["models", "validate", "churn", "v1.1.0", "--table", str(table), "--json"])
    said = json.loads(capsys.readouterr().out)

    assert code == 0
    assert said["passed"] is True
    assert "parity" in [check["name"] for check in said["checks"]]
    assert begin(registry).challenger == "v1.1.0"


@pytest.mark.long
def test_the_command_fails_with_one_and_rejects(settings, registry, capsys):
    register_config(a_config(latency_ms=0.001), settings)
    code = main(["models", "validate", "churn", "v1.1.0"])
    said = capsys.readouterr().out

    assert code == 1
    assert "It may not leave staging" in said
    assert "(rejected)" in said
    assert registry.version("churn", "v1.1.0").stage == "rejected"


def test_rows_are_made_up_where_none_are_known(registry):
    settings = Settings()
    found = registered.known_rows(a_config(), settings, registry.version("churn", "v1.1.0"))

    assert found.columns == ["age", "spent", "plan"]
    assert found.height == 200
    assert set(found["plan"]) == {"a", "b"}
