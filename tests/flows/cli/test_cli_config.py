"""`understudy init` and the mistakes of a configuration file."""

import stat
from pathlib import Path

import pytest
import yaml
from cli_making import CHURN, tree
from hypothesis import given
from hypothesis import strategies as st

from flows.config.mistakes import mistakes_of
from registry.home import Settings

ANCHORS = list(zip("abcdefg", "bcdefgh", strict=True))
GOOD = yaml.safe_load(CHURN)


def written(text, name="model.yaml"):
    path = Path(name)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return name


def test_the_example_that_init_writes_can_be_registered_as_it_is(understudy):
    assert understudy("init", "new.yaml", "--example").code == 0
    answer = understudy("init", "new.yaml", "--json")

    assert answer.code == 0
    assert answer.json["model"] == "churn"
    assert Path(answer.json["registered"]).exists()


def test_every_mistake_of_a_file_is_said_in_one_message(understudy):
    written("""\
model: Churn!
task: bynary
target: 7
fetures: {numeric: [a]}
features: {numeric: [age, age], categorical: plan}
data: {row_every: 5x, label_delay: 99999999999w, tiem: at}
training: {min_rows: many, holdout: 2}
detection:
  window: 10
  rules: [{name: r, trigger: drift, condition: erorr > 1}, {name: s, trigger: never, condition: "x >"}]
rollout: {steps: [{share: 0.5, min: 1d}, {share: 0.1, min: 1d}]}
guards: {kpi: revenue}
notify: {urls: "slack://s3cret"}
""")
    said = understudy("init", "model.yaml").refused()

    for mistake in (
        "model: should be 1 to 63 lower-case letters",
        "(given: 'Churn!')",
        "task: should be 'binary', 'multiclass' or 'regression'",
        "target: should be text",
        "fetures: unknown key, did you mean features?",
        "features.categorical: should be a list",
        "data.row_every: '5x' is no duration",
        "data.label_delay: '99999999999w' is longer than time itself",
        "data.tiem: unknown key, did you mean time?",
        "training.min_rows: should be a valid integer",
        "training.holdout: should be less than 0.9",
        "detection.rules.1.trigger: should be 'drift'",
        "rollout: steps: shares [0.5, 0.1] must grow",
        "notify.urls: should be a list",
        # Found by looking at keys together, which pydantic does only where each is right.
        "feature 'age' is listed twice",
        "unknown metric 'erorr'",
        "guards.kpi 'revenue' is not in data.kpis (none)",
        "detection.window 10 is smaller than min_rows 1000",
    ):
        assert mistake in said
    assert "s3cret" not in said
    assert tree() == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "It holds nothing"),
        ("- a\n- b\n", "It holds a list"),
        ("hello", "It holds only 'hello'"),
        ("model: [1\n", "Line 2, column 1"),
        ("features:\n\tnumeric: [a]\n", "indent with spaces, not tabs"),
        (b"model: caf\xe9\n", "Byte 11 is not UTF-8"),
        ("model: a\ntask: binary\nmodel: b\n", "Line 3, column 1: 'model' is also in line 1"),
        ("data: {time: a, time: b}\n", "'time' is also in line 1"),
        ("? [a, b]\n: 1\n", "Line 1"),
        (CHURN + "1: 2\n", "1: a key should be text"),
        ("model: churn\n", "task: is missing"),
        (CHURN.replace("features: {numeric: [age], categorical: [plan]}", "features:"), "should hold keys of its own"),
        (CHURN.replace("[age]", "[]").replace("[plan]", "[]"), "there are no features"),
        (CHURN.replace("[age]", "[left]"), "target 'left' is also a feature: that is leakage"),
        (CHURN.replace("churn.csv", '"${NOWHERE}/${AT_ALL}.csv"'), "AT_ALL is not set"),
        (CHURN.replace("churn.csv", "${NOWHERE}.csv"), 'write "${NAME}" in quotes'),
        (CHURN + "detection: {window: 100}\n", "there would never be enough data"),
        (CHURN + "promotion: {metric: rmse}\n", "metric 'rmse' does not fit task 'binary'"),
        (CHURN + "min_rows: 5\n", "did you mean training.min_rows?"),
        ("a: &a\n  b: *a\n", "an anchor (&) holds itself"),
        (
            "a: &a [1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(f"{y}: &{y} [{f'*{x}, ' * 8}]\n" for x, y in ANCHORS),
            "too much",
        ),
        ("model: churn\ntarget: 2026-13-45\n", "Line 2, column 9: month must be in 1..12 (write it in quotes"),
        ("model: *other\n", "found undefined alias 'other'"),
        ("model: a\n---\nmodel: b\n", "another document"),
        ("model: !!python/object/apply:os.system [ls]\n", "could not determine a constructor"),
        ("model: a\0b\n", "special characters are not allowed"),
        (CHURN + "guards: {deadline_ms: .inf}\n", "guards.deadline_ms: should be a finite number (given: inf)"),
        (CHURN.replace("[plan]", '[" "]'), "features.categorical.0: should not be blank (given: ' ')"),
        (CHURN.replace("churn.csv", '""'), "data.source: should not be blank"),
        (CHURN.replace('"yes"', "[a]"), "data.positive: should be text or a whole number (given: ['a'])"),
        (CHURN.replace("churn.csv", "churn.csv, row_every: 0s"), "data.row_every: should be greater than 0s"),
        (CHURN.replace("100", "100, families: []"), "training.families: should not be empty"),
        (CHURN.replace("100", "100, window: 0d"), "training.window: should be greater than 0s (given: '0d')"),
        (CHURN + "rollout: {steps: [{share: 1, min: 2d, max: 1h}]}\n", "steps.0.max: 1h is shorter than min, 2d"),
    ],
)
def test_a_file_that_cannot_be_right_is_refused_with_the_reason(understudy, text, said):
    written(text)

    assert said in understudy("init", "model.yaml").refused()
    assert tree() == {}


@pytest.mark.parametrize("words", [("init", "absent.yaml"), ("init", "."), ("replay", "absent.yaml")])
def test_a_file_that_cannot_be_read_is_named(understudy, words):
    assert f"The configuration {words[1]} cannot be read." in understudy(*words).refused()


def test_an_example_overwrites_nothing(understudy):
    written("mine", "mine.yaml")

    assert "File exists" in understudy("init", "mine.yaml", "--example").refused()
    assert Path("mine.yaml").read_text() == "mine"
    assert "No such file" in understudy("init", "no/where.yaml", "--example").refused()


def test_a_refused_change_leaves_the_registered_configuration_alone(understudy):
    understudy("init", written(CHURN))
    before = tree()

    understudy("init", written(CHURN.replace("binary", "ternary"))).refused()

    assert tree() == before


def test_secrets_of_a_registered_file_are_for_its_owner_alone(understudy, monkeypatch):
    monkeypatch.setenv("HOOK", "json://user:s3cret@hooks.example.org")
    understudy("init", written(CHURN + 'notify: {urls: ["${HOOK}"]}\n'))

    assert stat.S_IMODE((Settings().configs_dir / "churn.yaml").stat().st_mode) == 0o600


def test_a_registered_table_is_found_from_every_folder(understudy, tmp_path):
    understudy("init", written(CHURN))

    registered = yaml.safe_load((Settings().configs_dir / "churn.yaml").read_text())

    assert registered["data"]["source"] == str(tmp_path / "churn.csv")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
places = st.sampled_from(
    ["model", "task", "target", "features", "data", "training", "detection", "promotion", "rollout", "guards", "notify"]
)


@given(st.dictionaries(places, values, max_size=5))
def test_whatever_a_file_holds_it_is_either_right_or_refused_in_words(changes):
    mistakes = mistakes_of(GOOD | changes)

    assert all(isinstance(one, str) and one for one in mistakes)
    assert len(set(mistakes)) == len(mistakes)


inner = st.sampled_from(["numeric", "categorical", "kpis", "rules", "window", "min_rows", "steps", "metric", "kpi"])


@given(places, inner, values)
def test_whatever_a_section_holds_it_is_either_right_or_refused_in_words(section, key, value):
    mistakes = mistakes_of(GOOD | {section: {key: value}})

    assert all(isinstance(one, str) and one for one in mistakes)
