"""The section `experiment`: everything wrong with it is said at once, and it is kept as it was written."""

import pytest

from flows.config.load import parse_config, register_config, registered_config
from flows.errors import ConfigError
from registry.home import Settings

MODEL = {"model": "churn", "task": "binary", "target": "left", "features": {"numeric": ["age"]}}
WHOLE = {
    "layer": {"name": "checkout", "first": 10, "last": 20},
    "holdout": 0.07,
    "forced": {"champion": [7], "challenger": ["tester"]},
    "noise_arm": True,
}


def refused(**section):
    with pytest.raises(ConfigError) as caught:
        parse_config(MODEL | {"experiment": section}, "test")
    return caught.value.why.removesuffix(".").split("; ")


def test_all_mistakes_are_said_at_once():
    assert refused(
        layer={"name": "Check out", "first": 0, "last": 1_000_001},
        holdout=0.055,
        forced={"chal": ["a"]},
        noise_arm="perhaps",
        lair=1,
    ) == [
        "experiment.layer.name: should be 1 to 63 lower-case letters, digits, - and _, a letter or digit at both ends "
        "(given: 'Check out')",
        "experiment.layer.first: should be greater than or equal to 1 (given: 0)",
        "experiment.layer.last: should be less than or equal to 1000000 (given: 1000001)",
        "experiment.holdout: 0.055 is 5.5 %, which is no whole percent",
        "experiment.forced.chal: should be 'champion' or 'challenger' (given: 'chal')",
        "experiment.noise_arm: should be a valid boolean (given: 'perhaps')",
        "experiment.lair: unknown key, did you mean layer?",
    ]


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"layer": {"name": "c", "first": 9, "last": 2}}, "experiment.layer.last: 2 is before first, 9"),
        ({"layer": {"first": 9}}, "experiment.layer.name: is missing"),
        ({"layer": {"name": "c", "frist": 9}}, "experiment.layer.frist: unknown key, did you mean first?"),
        ({"holdout": 1.0}, "experiment.holdout: should be less than 1 (given: 1.0)"),
        (
            {"forced": {"champion": ["7"], "challenger": [7]}},
            "experiment.forced: key '7' is forced to 2 variants",
        ),
        ({"forced": {"champion": [True]}}, "experiment.forced.champion.0: should be text, in quotes (given: True)"),
    ],
)
def test_a_mistake_names_the_key_and_what_was_expected(section, said):
    assert refused(**section) == [said]


def test_mistakes_elsewhere_are_said_beside_it():
    with pytest.raises(ConfigError) as caught:
        parse_config(MODEL | {"experiment": {"holdout": 2}, "guards": {"kpi": "profit"}}, "test")

    assert "experiment.holdout" in caught.value.why
    assert "guards.kpi 'profit'" in caught.value.why


def test_a_registered_section_reads_back_as_it_was_written():
    settings = Settings().prepare()
    config = parse_config(MODEL | {"experiment": WHOLE}, "test")

    register_config(config, settings)

    assert registered_config("churn", settings) == config
    assert config.experiment.forced == {"champion": ("7",), "challenger": ("tester",)}


@pytest.mark.parametrize("percent", range(100))
def test_every_whole_percent_is_a_holdout(percent):
    config = parse_config(MODEL | {"experiment": {"holdout": percent / 100}}, "test")

    assert round((config.experiment.holdout or 0) * 100) == percent
