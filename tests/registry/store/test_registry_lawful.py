"""Whatever people and flows do, in whatever order: the laws of the registry hold after every step."""

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from registry_making import WHO, a_plan, a_rollout, a_version

from registry.errors import RegistryError
from registry.records.plan import Guards
from registry.store.registry import Registry

VERSIONS = st.sampled_from(["v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0"])
STAGES = st.sampled_from(["staging", "shadow", "canary", "production", "archived", "rejected"])


class Life(RuleBasedStateMachine):
    """One model and everybody who may change it."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        path = shutil.copy(self.template, Path(self.folder.name) / "registry.sqlite")
        self.registry = Registry.open(f"sqlite:///{path}")
        self.installed = False

    @initialize()
    def register(self) -> None:
        for version in ("v1.0.0", "v1.1.0", "v1.2.0"):
            self.registry.register_version(a_version(version))

    @rule(version=VERSIONS)
    def install(self, version: str) -> None:
        with suppress(RegistryError):
            self.registry.install_first("churn", version, guards=Guards(), salt="s", **WHO)
            self.installed = True

    @rule(version=VERSIONS, stage=STAGES)
    def set_stage(self, version: str, stage: str) -> None:
        with suppress(RegistryError):
            self.registry.set_stage("churn", version, stage, **WHO)

    @precondition(lambda self: self.installed)
    @rule(challenger=VERSIONS)
    def begin(self, challenger: str) -> None:
        champion = self.registry.champion("churn").version
        with suppress(RegistryError):
            rollout = a_rollout(self.registry.next_rollout_id("churn"), champion=champion, challenger=challenger)
            self.registry.start_rollout(rollout, **WHO)

    @precondition(lambda self: self.registry.active_rollout("churn"))
    @rule(
        late=st.integers(0, 1),
        status=st.sampled_from(["running", "paused", "succeeded", "aborted"]),
        stages=st.dictionaries(VERSIONS, STAGES, max_size=3),
        champion=st.none() | VERSIONS,
    )
    def move_anyhow(self, late: int, status: str, stages: dict[str, str], champion: str | None) -> None:
        rollout, plan = self.registry.active_rollout("churn"), self.registry.plan("churn")
        with suppress(RegistryError):
            self.registry.move_rollout(
                msgspec.structs.replace(rollout, status=status, revision=rollout.revision + 1 - late),
                plan=a_plan(plan.epoch + 1, champion=champion) if champion else None,
                stages=stages,
                **WHO,
            )

    @precondition(lambda self: self.registry.active_rollout("churn"))
    @rule()
    def succeed(self) -> None:
        rollout, plan = self.registry.active_rollout("churn"), self.registry.plan("churn")
        with suppress(RegistryError):
            self.registry.move_rollout(
                msgspec.structs.replace(rollout, status="succeeded", revision=rollout.revision + 1),
                plan=a_plan(plan.epoch + 1, champion=rollout.challenger),
                stages={rollout.challenger: "production", rollout.champion: "archived"},
                **WHO,
            )

    @rule(to=st.none() | VERSIONS)
    def roll_back(self, to: str | None) -> None:
        with suppress(RegistryError):
            plan = self.registry.roll_back("churn", to=to, **WHO)
            assert self.registry.active_rollout("churn") is None
            assert plan.weight_of("champion") == 1_000_000

    @rule(skip=st.integers(-1, 1), champion=VERSIONS)
    def publish(self, skip: int, champion: str) -> None:
        newest = self.registry.plan("churn")
        with suppress(RegistryError):
            self.registry.publish_plan(a_plan(max(1, (newest.epoch if newest else 0) + 1 + skip), champion=champion))

    @invariant()
    def exactly_one_production_from_the_first_on(self) -> None:
        assert len(self.registry.versions("churn", "production")) == int(self.installed)

    @invariant()
    def the_plan_serves_the_champion(self) -> None:
        champion, plan = self.registry.champion("churn"), self.registry.plan("churn")
        if champion is not None:
            assert plan.version_of("champion") == champion.version

    @invariant()
    def epochs_have_no_gaps(self) -> None:
        epochs = [plan.epoch for plan in self.registry.plans("churn")]
        assert epochs == list(range(len(epochs), 0, -1))

    @invariant()
    def at_most_one_rollout_is_active(self) -> None:
        assert sum(rollout.active for rollout in self.registry.rollouts("churn")) <= 1

    @invariant()
    def the_audit_trail_is_intact(self) -> None:
        assert self.registry.verify_audit() == []

    def teardown(self) -> None:
        self.registry.close()
        self.folder.cleanup()


@pytest.mark.usefixtures("_template")
class TestLife(Life.TestCase):
    settings = settings(max_examples=15, stateful_step_count=25, deadline=None)


@pytest.fixture
def _template(empty_database: Path) -> None:
    Life.template = empty_database
