import re

import pytest
from fusion_making import make_config
from hypothesis import given
from hypothesis import strategies as st

from flows.config.conditions import LONGEST, METRICS, condition_mistakes
from flows.config.detection.settings import Rule
from flows.detection.fusion.rules import fires
from flows.errors import ConfigError


def answer(condition, **metrics):
    assert condition_mistakes(condition, {*METRICS, *metrics}) == []
    return fires(Rule(name="r", trigger="drift", condition=condition), metrics)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("error > 1", True),
        ("error >= 2 and labelled == 100", True),
        ("not error < 3", False),
        ("1 < error < 3", True),
        ("error / labelled > 0.02", False),
        ("(error + 1) * 2 - 1 != 5", False),
        ("-error < 0", True),
        ("error", True),
        ("error - 2", False),
        ("abs(1 - error) >= 1", True),
        ("max(error, labelled) == 100", True),
        ("min(error, labelled, 1) < 1", False),
        ("error > 1 and\n  labelled > 1", True),
        ("1or 0", True),
    ],
)
def test_a_condition_holds_or_not(condition, holds):
    assert answer(condition, error=2.0, labelled=100.0) is holds


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("error_p < 0.05", None),
        ("error_p < 0.05 or error > 1", True),
        ("error_p < 0.05 or error > 9", None),
        ("error_p < 0.05 and error > 9", False),
        ("error_p < 0.05 and error > 1", None),
        ("not error_p < 0.05", None),
        ("error_p + error > 1", None),
        ("-error_p > 1", None),
        ("error / (error - 2) > 1", None),
        ("max(error, error_p) > 1", None),
        ("abs(error_p) > 1", None),
    ],
)
@pytest.mark.parametrize("unknown", [None, float("nan")])
def test_what_is_not_known_decides_nothing_by_itself(condition, holds, unknown):
    assert answer(condition, error=2.0, error_p=unknown) is holds


@pytest.mark.parametrize("condition", ["{} > 0", "not {} > 0", "{}", "not {}", "{} != {}"])
def test_infinity_less_infinity_is_not_known(condition):
    beyond = "(error * 1e308 * 10 - error * 1e308 * 10)"

    assert answer(condition.format(beyond, beyond), error=1.0) is None


numbers = st.none() | st.floats(-2, 2)


@given(numbers, numbers)
def test_de_morgan_holds_with_unknown_values_too(a, b):
    one = answer("not (error > 0 and error_p > 0)", error=a, error_p=b)
    other = answer("not error > 0 or not error_p > 0", error=a, error_p=b)

    assert one is other


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("", "is no condition"),
        ("error >", "is no condition"),
        ("error = 1", "is no condition"),
        ("x" * (LONGEST + 1), "characters"),
        ("erorr > 1", "unknown metric 'erorr'"),
        ("error ** 2 > 1", "operator Pow"),
        ("+error > 1", "operator UAdd"),
        ("error in rows", "operator In"),
        ("error is True", "the operator Is is not allowed at column 1; True is no number at column 10"),
        ("error > '1'", "'1' is no number"),
        ("error > 1e999", "is no number"),
        (f"error > {'9' * 400}", "is no number"),
        ("__import__('os')", "unknown function '__import__' at column 1, there are abs, max, min"),
        ("error.real()", "'error.real()' is not allowed"),
        ("abs(error, error)", "has the wrong arguments"),
        ("max(*[error])", "'*[error]' is not allowed"),
        ("max(key=error)", "has the wrong arguments"),
        ("max > 1", "unknown metric 'max'"),
        ("erorr > 1", "at column 1, did you mean 'error'?"),
        ("  1 < erorr", "at column 7, did you mean 'error'?"),
        ("error > 1 and", "(column 14)"),
        ("error.real > 1", "'error.real' is not allowed"),
        ("[error]", "'[error]' is not allowed"),
        ("error if error else 1", "is not allowed"),
        ("(lambda: error)()", "is not allowed"),
        ("f'{error}'", "is not allowed"),
        ("error > 1j", "1j is no number"),
    ],
)
def test_what_is_no_plain_condition_is_refused_in_words(condition, said):
    found = "; ".join(condition_mistakes(condition, METRICS))

    assert said in found
    assert "''" not in found.replace("'' is no condition", "")


@given(st.text(max_size=40) | st.text("error_p<>=().+-*/ 0123456789andornot", max_size=60))
def test_any_text_is_either_refused_or_answered(condition):
    if not condition_mistakes(condition, METRICS):
        assert fires(Rule(name="r", trigger="drift", condition=condition), {"error": 1.0}) in (True, False, None)


@pytest.mark.parametrize(
    "condition",
    [
        "+".join(["1"] * 250),
        "-" * 499 + "1",
        "not " * 124 + "1",
        "(" * 90 + "1" + ")" * 90,
        "abs(" * 80 + "1" + ")" * 80,
    ],
)
def test_the_longest_conditions_are_answered(condition):
    assert answer(condition) is not None


def test_every_mistake_of_every_rule_is_said_at_once():
    rules = [
        {"name": "a", "trigger": "drift", "condition": "erorr > 1"},
        {"name": "b", "trigger": "drift", "condition": "error >"},
        {"name": "b", "trigger": "drift", "condition": "revenue < 1 and profit < 1"},
    ]
    with pytest.raises(ConfigError) as refused:
        make_config(detection={"rules": rules}, data={"kpis": {"revenue": "euros"}})

    said = refused.value.why
    for mistake in ("rule 'a': unknown metric 'erorr'", "rule 'b': 'error >' is no", "'profit'", "two rules are named"):
        assert mistake in said
    assert re.search("metrics are .*accuracy, .*age_days, .*revenue, .*rows", said)


def test_rules_may_speak_of_kpis():
    config = make_config(
        data={"kpis": {"revenue": "euros"}},
        detection={"rules": [{"name": "a", "trigger": "performance", "condition": "revenue < 10"}]},
    )

    assert fires(config.detection.rules[0], {"revenue": 3.0})


def test_the_default_rules_can_be_read():
    rules = make_config().detection.rules
    much, sure = dict.fromkeys(METRICS, 1e6), {name: 0.0 for name in METRICS if name.endswith("_p")}

    assert all(fires(rule, much | sure) for rule in rules)
    assert not any(fires(rule, dict.fromkeys(METRICS, 0.0)) for rule in rules)
    assert {fires(rule, dict.fromkeys(METRICS)) for rule in rules} == {None}
