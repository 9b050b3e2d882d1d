"""Rollouts from the command line, without any server but the router's admin port where it is needed."""

from datetime import UTC, datetime

import pytest
from cli_making import NOON, WHO, a_version, tree

from flows.cli import screen
from registry.home import Settings
from registry.store.registry import Registry

WHY = ("--reason", "because")
AT = ("--as-of", NOON.isoformat())
STEPS = ("--steps", "shadow:1h,10%:1d-3d,100%:0s")


def sign(model="churn"):
    with Registry.open(Settings().registry_url) as registry:
        rollout = registry.active_rollout(model)
        for who, role in (("ann", "ml_lead"), ("bob", "business_owner")):
            registry.sign(rollout.id, actor=who, role=role, reason="read the report", at=NOON)


def stored():
    with Registry.open(Settings().registry_url) as registry:
        return registry.active_rollout("churn"), registry.plan("churn")


def test_steps_of_ones_own_are_read_with_shares_and_times(furnished):
    begun = furnished("rollout", "start", "churn", *STEPS, "--speed", "60", *WHY, "--json").json[0]

    found = [(one["share"], one["min_s"], one["max_s"], one["min_labelled"]) for one in begun["steps"]]
    assert found == [(0, 60, 120, 100), (100_000, 1440, 4320, 100), (1_000_000, 0, 0, 0)]
    assert begun["strategy"] == "custom"
    assert begun["gate"]["expire_s"] == 7 * 86_400 / 60


def test_without_a_version_the_newest_in_staging_begins(furnished):
    with Registry.open(Settings().registry_url) as registry:
        registry.register_version(a_version("v1.10.0"))
        registry.register_version(a_version("v1.9.0"))

    assert furnished("rollout", "start", "churn", *WHY, "--json").json[0]["challenger"] == "v1.10.0"


def test_without_any_version_in_staging_there_is_nothing_to_begin(furnished):
    with Registry.open(Settings().registry_url) as registry:
        registry.set_stage("churn", "v1.1.0", "rejected", **WHO)

    assert "No version is in staging." in furnished("rollout", "start", "churn", *WHY).refused()


@pytest.mark.parametrize("strategy", ["direct", "shadow", "canary", "gradual", "ab", "bandit", "shadow+canary"])
def test_a_dry_run_shows_every_strategy_and_keeps_nothing(furnished, strategy):
    before = tree()
    words = ("rollout", "start", "churn", "--strategy", strategy, "--dry-run", *WHY)
    shown, told = furnished(*words), furnished(*words, "--json")

    assert (shown.code, told.json["begun"], told.json["rollout"]["strategy"]) == (0, False, strategy)
    for said in ("must agree", "ml_lead and business_owner", "planned sample", "taken off at", "Nothing was begun."):
        assert said in shown.out
    assert tree() == before
    assert stored()[0] is None


def test_a_dry_run_is_refused_where_the_real_one_would_be(furnished):
    with Registry.open(Settings().registry_url) as registry:
        registry.set_stage("churn", "v1.1.0", "rejected", **WHO)
    dry = furnished("rollout", "start", "churn", "v1.1.0", "--dry-run", *WHY).refused()

    assert dry == furnished("rollout", "start", "churn", "v1.1.0", *WHY).refused()


def test_every_mistake_in_the_wishes_is_told_at_once(furnished):
    words = ("--steps", "50%:1d,10%:zz,frob", "--speed", "-1", "--strategy", "canari")
    said = furnished("rollout", "start", "churn", *words, *WHY).refused()

    for mistake in (
        "'frob' is no step",
        "step 2, min: 'zz' is no duration",
        "--speed: should be greater than 0 (given: -1.0)",
        "--strategy and --steps exclude each other",
        "'canary'",
    ):
        assert mistake in said


@pytest.mark.parametrize("steps", ["50%:1d,10%:1d,100%:0s", "10%:1d", "110%:1d", "10%:2d-1d,100%:0s", ""])
def test_steps_that_no_rollout_could_take_are_refused(furnished, steps):
    assert "--steps" in furnished("rollout", "start", "churn", "--steps", steps, *WHY).refused()


def test_a_rollout_is_held_goes_on_takes_its_next_step_and_ends(furnished):
    furnished("rollout", "start", "churn", *STEPS, *WHY, *AT)
    steer = ("churn", *WHY, *AT, "--json")

    assert furnished("rollout", "advance", *steer).json["plan"]["shadows"] == ["v1.1.0"]
    assert furnished("rollout", "pause", *steer).json["rollout"]["status"] == "paused"
    assert "Resume it first" in furnished("rollout", "advance", *steer).refused()
    assert furnished("rollout", "resume", *steer).json["rollout"]["status"] == "running"
    assert "have not" in furnished("rollout", "advance", *steer).refused()
    sign()
    assert furnished("rollout", "advance", *steer).json["rollout"]["step"] == 1
    assert furnished("rollout", "abort", *steer).json["rollout"]["status"] == "aborted"
    assert stored()[0] is None
    assert stored()[1].challengers == ()


@pytest.mark.parametrize("verb", ["advance", "abort"])
def test_a_dry_run_of_steering_says_what_would_be_and_changes_nothing(furnished, verb):
    furnished("rollout", "start", "churn", *STEPS, *WHY, *AT)
    before = stored()
    answer = furnished("rollout", verb, "churn", *WHY, *AT, "--dry-run")

    assert answer.out.startswith("Nothing was changed. It would be: r-0001 is")
    assert stored() == before


@pytest.mark.parametrize("verb", ["pause", "resume", "advance", "abort"])
def test_without_a_rollout_there_is_nothing_to_steer(furnished, verb):
    said = furnished("rollout", verb, "churn", *WHY).refused()

    assert "churn has no active rollout" in said
    assert "`understudy rollout" in said


def test_status_lists_what_is_active_and_history_what_was(furnished):
    assert "There is no rollout yet." in furnished("rollout", "status").out
    furnished("rollout", "start", "churn", *STEPS, *WHY, *AT)
    furnished("rollout", "advance", "churn", *WHY, *AT)

    assert "r-0001" in furnished("rollout", "status").out
    furnished("rollout", "abort", "churn", "--reason", "no longer wanted", *AT)

    assert "No rollout is active. 1 have ended" in furnished("rollout", "status").out
    assert "r-0001" in furnished("rollout", "status", "--all").out
    past = furnished("rollout", "history", "churn").out
    assert "aborted" in past
    assert "no longer wanted" in past


@pytest.mark.parametrize("wide", [80, 160])
def test_status_tells_steps_gate_and_that_the_router_is_away(furnished, monkeypatch, wide):
    monkeypatch.setattr(screen, "_WIDE", wide)
    furnished("rollout", "start", "churn", "--steps", "10%:1d,100%:0s", *WHY, *AT)
    asked = furnished("rollout", "status", "churn").out
    sign()
    furnished("rollout", "advance", "churn", *WHY, *AT)
    moved = furnished("rollout", "status", "churn").out

    assert "may it answer the first caller?" in asked
    assert "ml_lead, business_owner" in asked
    assert "0 s of 1 d" in moved
    assert "The router could not be asked" in moved
    assert "`" not in moved.partition("could not be asked")[0]


def test_status_tells_what_the_router_has_seen(control, furnished):
    furnished("rollout", "start", "churn", "--steps", "50%:1d,100%:0s", *WHY, *AT)
    sign()
    furnished("rollout", "advance", "churn", *WHY, *AT)
    control.take(stored()[1])
    shown = furnished("rollout", "status", "churn", "--as-of", datetime.now(UTC).isoformat())
    told = furnished("rollout", "status", "churn", "--json").json[0]

    assert "200 of 100" in shown.out
    assert "Verdict so far" in shown.out
    assert told["standing"]["seen"]["labelled"] == 200
    assert told["standing"]["seen"]["decision"]["outcome"] in ("promote", "continue", "needs_approval")
    assert told["standing"]["epoch"] == 2
    assert told["standing"]["seen"]["outcome"] in ("successful", "inconclusive")


def test_status_says_what_the_step_under_way_comes_to_and_not_why_it_was_begun(control, furnished):
    furnished("rollout", "start", "churn", "--steps", "50%:1d,100%:0s", *WHY, *AT)
    sign()
    furnished("rollout", "advance", "churn", "--reason", "seen enough", *AT)
    shown = furnished("rollout", "status", "churn")
    told = furnished("rollout", "status", "churn", "--json").json[0]["standing"]["seen"]

    assert (told["outcome"], told["said"]) == ("error", "Step 0 of r-0001 has no traffic yet.")
    assert "error" in shown.out
    assert "has no traffic yet" in shown.out
