"""Retention never takes anything away from a router: neither from one that runs, nor from one that starts again."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from registry_making import WHO, a_version, succeed

from flows.config.aftercare import Retention
from flows.ops.retention import prune
from registry.artifacts import ArtifactStore
from registry.errors import ArtifactRefused, StageConflict
from registry.home import Settings
from registry.reader import PlanReader
from registry.records.plan import Guards
from registry.scoring.scorer import Scorer, scorer_files
from registry.scoring.spec import NumericColumn, ScorerSpec
from registry.store.registry import Registry
from router.models import ModelCache, artifact_loader
from router.plans import PlanWatcher

NAMES = ("v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0", "v1.4.0")
NOTHING = Retention(archived=0, rejected=0)
ROW = [{"age": 50.0, "plan": "a"}]


@pytest.fixture
def settings():
    return Settings().prepare()


@pytest.fixture
def registry(settings):
    with Registry.open(settings.registry_url) as opened:
        yield opened


@pytest.fixture
def versions(settings, registry):
    """Five versions with artifacts; the first is champion."""
    store = ArtifactStore(settings.models_dir)
    for number, name in enumerate(NAMES):
        column = NumericColumn(feature="age", fill=40.0)
        spec = ScorerSpec(task="regression", kind="linear", columns=(column,), coefficients=(1.0,), intercept=number)
        digest = store.save("churn", name, scorer_files(spec, None))
        registry.register_version(a_version(name, task="regression", artifact_digest=digest))
    registry.install_first("churn", NAMES[0], guards=Guards(), salt="s", **WHO)
    return {version.version: version for version in registry.versions("churn")}


def router_of(settings):
    """The part of a router that follows plans, on the real registry and artifacts."""
    cache = ModelCache(artifact_loader(settings.models_dir), keep=1)
    watcher = PlanWatcher(PlanReader(settings.registry_url), cache, settings.run_dir / "plans")
    watcher.start_from_last_good()
    watcher.refresh()
    return watcher


def answer(watcher):
    """What callers get: 50 and the number of the version."""
    return float(watcher.snapshots["churn"].champion.scorer.score(ROW)[0]) - 50


def pruned(settings, registry):
    done = prune("churn", NOTHING, settings=settings, registry=registry, dry_run=False, **WHO)
    return sorted(done.deleted)


def test_a_router_that_runs_goes_on_and_can_be_rolled_back(settings, registry, versions):
    watcher = router_of(settings)
    for name in NAMES[1:]:
        succeed(registry, name)
        watcher.refresh()
    assert pruned(settings, registry) == ["v1.0.0", "v1.1.0", "v1.2.0"]

    assert answer(watcher) == 4
    registry.roll_back("churn", **WHO)
    watcher.refresh()
    assert (answer(watcher), watcher.troubles) == (3, {})
    assert answer(router_of(settings)) == 3


def test_a_router_that_missed_the_last_plans_starts_again_by_the_one_it_knows(settings, registry, versions):
    succeed(registry, "v1.1.0")
    router_of(settings)  # and then it does not see the next three
    for name in NAMES[2:]:
        succeed(registry, name)
    assert pruned(settings, registry) == ["v1.0.0", "v1.2.0"]

    shutil.move(settings.registry_file, settings.home / "away.sqlite")
    assert answer(router_of(settings)) == 1


def test_who_asks_for_a_deleted_version_is_told_and_gets_nothing(settings, registry, versions):
    for name in NAMES[1:]:
        succeed(registry, name)
    pruned(settings, registry)
    gone = versions["v1.0.0"]

    with pytest.raises(ArtifactRefused, match=r"retention on 2026-03-01 12:00 UTC: 3 newer ones are archived"):
        artifact_loader(settings.models_dir)(gone)
    files = ArtifactStore(settings.models_dir).load("churn", "v1.4.0", versions["v1.4.0"].artifact_digest)
    assert Scorer.of(files).score(ROW)[0] == 54


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from registry_making import WHO
from flows.config.aftercare import Retention
from flows.ops import retention
from registry.home import Settings
from registry.store.registry import Registry

retention.ArtifactStore.delete = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
settings = Settings()
with Registry.open(settings.registry_url) as registry:
    nothing = Retention(archived=0, rejected=0)
    retention.prune("churn", nothing, settings=settings, registry=registry, dry_run=False, **WHO)
"""


def test_killed_between_registry_and_bytes_it_leaves_a_lawful_state_and_the_next_run_ends_it(
    settings, registry, versions
):
    for name in NAMES[1:]:
        succeed(registry, name)
    words = [sys.executable, "-c", KILLED, str(Path(__file__).parent)]
    assert subprocess.run(words, check=False, timeout=60).returncode == -signal.SIGKILL
    store = ArtifactStore(settings.models_dir)

    assert registry.version("churn", "v1.0.0").artifact_deleted_at is not None
    assert store.size("churn", "v1.0.0")
    assert registry.verify_audit() == []
    with pytest.raises(StageConflict, match="deleted by retention"):
        registry.roll_back("churn", to="v1.0.0", **WHO)
    assert pruned(settings, registry) == ["v1.0.0", "v1.1.0", "v1.2.0"]
    assert store.size("churn", "v1.0.0") is None
