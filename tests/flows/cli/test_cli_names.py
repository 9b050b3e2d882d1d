"""Names that do not exist, and what was probably meant."""

from pathlib import Path

import pytest
from cli_making import CHURN, NOON, WHO, a_version, tree

from registry.home import Settings
from registry.records.policy import PromotionPolicy
from registry.records.rollout import Rollout, Step
from registry.store.registry import Registry

WHY = ("--reason", "because")
TAKE_A_MODEL = [
    ("models", "list"),
    ("traffic", "show"),
    ("traffic", "history"),
    ("traffic", "notes"),
    ("decision", "list"),
    ("audit", "list"),
    ("events", "list"),
    ("events", "frequency"),
    ("history",),
    ("check",),
    ("drift",),
    ("train",),
    ("compare",),
    ("watch",),
    ("incidents", "list"),
    ("rollout", "status"),
    ("rollout", "history"),
    ("rollout", "tick"),
]
TAKE_MORE = [
    (("models", "show"), ("v1.0.0",)),
    (("traffic", "preview"), ("key",)),
    (("assign",), ("key",)),
    (("promote",), ("v1.1.0", *WHY)),
    (("promote",), ("v1.1.0", *WHY, "--dry-run")),
    (("rollback",), WHY),
    (("rollback",), (*WHY, "--dry-run")),
    (("approve",), ("--role", "ml_lead", *WHY)),
    (("rollout", "start"), ("v1.1.0", *WHY)),
    (("rollout", "pause"), WHY),
    (("rollout", "resume"), WHY),
    (("rollout", "advance"), WHY),
    (("rollout", "abort"), WHY),
]


@pytest.mark.parametrize(("verb", "rest"), [*((verb, ()) for verb in TAKE_A_MODEL), *TAKE_MORE], ids=" ".join)
def test_an_unknown_model_is_refused_with_the_one_that_was_meant(furnished, verb, rest):
    before = tree()
    said = furnished(*verb, "chrun", *rest).refused()

    assert "There is no model 'chrun'." in said
    assert "churn" in said.splitlines()[1]
    assert "Did you mean churn?" in said
    assert tree() == before


@pytest.mark.parametrize(
    "words",
    [
        ("models", "show", "churn", "v1.0.1"),
        ("promote", "churn", "v1.0.1", *WHY),
        ("promote", "churn", "v1.0.1", *WHY, "--dry-run"),
        ("rollout", "start", "churn", "v1.0.1", *WHY),
        ("rollback", "churn", "--to", "v1.0.1", *WHY),
        ("compare", "churn", "--challenger", "v1.0.1"),
        ("compare", "churn", "--champion", "v1.0.1"),
    ],
    ids=" ".join,
)
def test_an_unknown_version_is_refused_with_those_that_are_known(furnished, words):
    before = tree()
    said = furnished(*words).refused()

    assert "churn has no version 'v1.0.1'." in said
    assert "Known: v1.1.0, v1.0.0." in said
    assert "Did you mean v1." in said
    assert tree() == before


def test_with_no_model_at_all_the_mend_is_init(understudy):
    said = understudy("traffic", "show", "churn").refused()

    assert "Known: none." in said
    assert "understudy init" in said


@pytest.mark.parametrize("words", [("promote",), ("rollout", "start")], ids=" ".join)
def test_the_champion_is_no_challenger(furnished, words):
    assert "v1.0.0 is the champion of churn already" in furnished(*words, "churn", "v1.0.0", *WHY).refused()


def test_a_dry_run_refuses_what_the_real_one_would(furnished):
    assert "is the champion" in furnished("promote", "churn", "v1.0.0", *WHY, "--dry-run").refused()
    for more in ((), ("--to", "v1.0.0"), ("--to", "v1.1.0")):
        asked = furnished("rollback", "churn", *WHY, *more, "--dry-run").refused()

        assert "churn was not rolled back" in asked
        assert furnished("rollback", "churn", *WHY, *more).refused() == asked


def test_a_dry_run_names_what_the_real_one_leaves_in_production(furnished):
    begin("v1.1.0")
    would = furnished("rollback", "churn", *WHY, "--dry-run", "--json").json

    assert would["would"] == "end r-0001, reject v1.1.0, and give everybody to v1.0.0"
    assert furnished("rollback", "churn", *WHY, "--json").json["champion"] == "v1.0.0"


def test_a_rollback_that_is_sent_twice_is_one(furnished):
    begin("v1.1.0")
    first, again = (furnished("rollback", "churn", *WHY, "--json").json for _ in range(2))

    assert (again["epoch"], again["champion"]) == (first["epoch"], "v1.0.0")
    assert again["said"].endswith("already")


def test_the_same_words_end_a_rollout_that_began_after_the_last_rollback(furnished):
    begin("v1.1.0")
    first = furnished("rollback", "churn", *WHY, "--json").json
    with Registry.open(Settings().registry_url) as registry:
        registry.register_version(a_version("v1.2.0"))
    begin("v1.2.0", "r-0002")

    again = furnished("rollback", "churn", *WHY, "--json").json

    assert (again["epoch"], again["champion"]) == (first["epoch"] + 1, "v1.0.0")
    with Registry.open(Settings().registry_url) as registry:
        assert registry.active_rollout("churn") is None
        assert registry.version("churn", "v1.2.0").stage == "rejected"


def test_a_step_needs_the_router_and_says_so(furnished):
    for words in (("traffic", "advance", "churn", *WHY), ("traffic", "workers")):
        assert "does not answer" in furnished(*words).refused(3)


def test_a_model_without_champion_cannot_be_rolled_back_or_compared(understudy):
    Path("churn.yaml").write_text(CHURN)
    understudy("init", "churn.yaml")

    for words in (("rollback", "churn", *WHY), ("rollback", "churn", *WHY, "--dry-run"), ("compare", "churn")):
        said = understudy(*words).refused()

        assert "no champion" in said
        assert "`understudy train churn`" in said


def test_a_version_is_not_compared_with_itself(furnished):
    said = furnished("compare", "churn", "--challenger", "v1.0.0").refused()

    assert "v1.0.0 is the champion and the challenger; other versions of churn: v1.1.0." in said


def test_looking_at_a_model_without_champion_leaves_nothing_behind(understudy):
    Path("churn.yaml").write_text(CHURN)
    understudy("init", "churn.yaml")
    understudy("models")
    before = tree()

    assert "It has no champion." in understudy("check", "churn").refused()
    assert tree() == before


def begin(challenger, name="r-0001"):
    with Registry.open(Settings().registry_url) as registry:
        registry.start_rollout(
            Rollout(
                id=name,
                model="churn",
                champion="v1.0.0",
                challenger=challenger,
                steps=(Step(share=0, min_s=60, max_s=120), Step(share=1_000_000, min_s=60, max_s=120)),
                policy=PromotionPolicy(metric="auc"),
                salt=f"churn.{name}",
                step_started_at=NOON,
                created_at=NOON,
            ),
            **WHO,
        )


def test_a_refused_rollout_leaves_the_stage_of_its_version_alone(furnished):
    with Registry.open(Settings().registry_url) as registry:
        registry.register_version(a_version("v1.2.0"))
        registry.set_stage("churn", "v1.2.0", "archived", **WHO)
    begin("v1.1.0")

    said = furnished("rollout", "start", "churn", "v1.2.0", *WHY).refused()

    assert "r-0001 of v1.1.0 is running" in said
    with Registry.open(Settings().registry_url) as registry:
        assert registry.version("churn", "v1.2.0").stage == "archived"


def test_a_role_that_nobody_has_is_refused_with_those_that_count(furnished):
    begin("v1.1.0")

    said = furnished("approve", "churn", "--role", "king", *WHY).refused()

    assert "'king' is no role" in said
    assert "ml_lead, business_owner" in said


@pytest.mark.parametrize("verb", [("approve", "churn", "--role", "ml_lead"), ("rollout", "abort", "churn")])
def test_without_a_rollout_there_is_nothing_to_decide(furnished, verb):
    assert "has no active rollout" in furnished(*verb, *WHY).refused()


@pytest.mark.parametrize("option", ["--reason", "--actor"])
@pytest.mark.parametrize(
    "words",
    [
        ("promote", "churn", "v1.1.0"),
        ("rollback", "churn"),
        ("rollout", "pause", "churn"),
        ("rollout", "abort", "churn"),
    ],
    ids=" ".join,
)
def test_the_audit_trail_takes_no_blank(furnished, words, option):
    before = tree()
    answer = furnished(*words, *WHY, option, "  ")

    assert answer.code == 2
    assert option in answer.err
    assert tree() == before


@pytest.mark.parametrize(
    "words", [("decision", "show", "d-9"), ("rollout", "start", "churn", "v1.1.0", "--decision", "d-9", *WHY)]
)
def test_an_unknown_decision_is_refused(furnished, words):
    assert "There is no decision 'd-9'." in furnished(*words).refused()


def test_a_moment_of_no_model_is_refused(furnished):
    said = furnished("events", "week", "--as-of", "0001-01-01").refused()

    assert "The year 1 lies outside 1970 to 2199." in said


def test_a_mistyped_decision_is_answered_with_the_list(furnished):
    assert "See `understudy decision list`." in furnished("decision", "show", "d-9").refused()


@pytest.mark.parametrize(
    "words", [("train", "churn"), ("check", "churn"), ("events", "week"), ("rollout", "tick", "churn")]
)
def test_a_moment_that_is_none_is_refused_before_anything_else(furnished, words):
    said = furnished(*words, "--as-of", "yesterday").refused()

    assert "'yesterday' is no moment." in said
    assert "2026-03-01T12:00:00+00:00" in said


def test_a_table_for_a_model_that_has_a_champion_is_not_silently_ignored(furnished):
    assert "--source is the table of a first champion" in furnished("train", "churn", "--source", "x.csv").refused()


@pytest.mark.parametrize("word", ["frobnicate", "sttaus"])
def test_an_unknown_command_is_wrong_use(understudy, word):
    answer = understudy(word)

    assert answer.code == 2
    assert word in answer.err
    assert word != "sttaus" or "Did you mean `understudy status`?" in answer.err
