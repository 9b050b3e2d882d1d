"""docs/configuration.md names every key and setting, with its real default."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from flows.comparison.policy import configured_guardrails
from flows.config.conditions import METRICS
from flows.config.detection.settings import Detection, Rule
from flows.config.durations import text
from flows.config.experiment import LayerConfig
from flows.config.load import parse_config
from flows.config.model import ModelConfig
from flows.config.promotion import GUARDED, GuardrailConfig
from flows.config.rollout import RolloutConfig, StepConfig
from flows.config.training import Value
from registry.home import Settings
from router.index.terms import Terms
from router.operations.settings import ServeSettings
from router.shadow.limits import Limits

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "configuration.md").read_text()


def rows_of(page):
    return {cells[0].strip("` "): cells[1:] for line in page.splitlines() if (cells := line.strip("|").split("|"))[1:]}


ROWS = rows_of(PAGE)


def leaves(model, prefix=""):
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from leaves(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", default


def written(value):
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, timedelta):
        return f"`{text(value)}`"
    shown = {None: "null", True: "true", False: "false", "": '""'}
    if isinstance(value, tuple | list):
        return f"`[{', '.join(value)}]`"
    return f"`{shown[value]}`" if value is None or value is True or value is False or value == "" else f"`{value}`"


KEYS = [leaf for leaf in leaves(ModelConfig) if leaf[0] not in ("detection.rules", "rollout.canary")]


ITEMS = [leaf for item in (StepConfig, Rule, GuardrailConfig, LayerConfig) for leaf in leaves(item)]
ITEMS += leaves(Value, "training.value.")


@pytest.mark.parametrize(("key", "default"), [*KEYS, *ITEMS])
def test_every_key_is_explained_with_its_default(key, default):
    assert key in ROWS, f"{key} is not in docs/configuration.md"
    assert ROWS[key][1].strip() == written(default)
    assert len(ROWS[key][2].strip()) > 10


def test_the_rules_shown_are_the_default_ones():
    block = re.search(r"```yaml\n(rules:.*?)```", PAGE, re.DOTALL)[1]

    assert [Rule(**rule) for rule in yaml.safe_load(block)["rules"]] == list(Detection().rules)


def test_the_steps_shown_are_the_default_ones():
    block = re.search(r"```yaml\nrollout:\n(.*?)```", PAGE, re.DOTALL)[1]

    assert RolloutConfig(**yaml.safe_load(block)) == RolloutConfig()


MODEL = {
    "model": "churn",
    "task": "binary",
    "target": "left",
    "features": {"numeric": ["age"]},
    "data": {"kpis": {"revenue": "amount"}},
}


def test_the_guardrails_shown_are_the_default_ones():
    block = re.search(r"```yaml\n(guardrails:.*?)```", PAGE, re.DOTALL)[1]
    shown = parse_config(MODEL | {"promotion": yaml.safe_load(block)}, "the page")

    assert configured_guardrails(shown) == configured_guardrails(parse_config(MODEL, "defaults"))


def test_the_promotion_shown_is_valid():
    block = re.search(r"```yaml\n(promotion:.*?)```", PAGE, re.DOTALL)[1]

    assert parse_config(MODEL | yaml.safe_load(block), "the page").promotion.goals == ("revenue",)


def test_the_experiment_shown_is_valid():
    block = re.search(r"```yaml\n(experiment:.*?)```", PAGE, re.DOTALL)[1]

    assert parse_config(MODEL | yaml.safe_load(block), "the page").experiment.holdout == 0.05


@pytest.mark.parametrize("metric", sorted({name for names in GUARDED.values() for name in names}))
def test_every_metric_of_a_guardrail_is_named(metric):
    assert f"`{metric}`" in PAGE[PAGE.index("## Promotion") : PAGE.index("## Rollout")]


def test_no_key_is_explained_that_does_not_exist():
    known = {key for key, _ in [*leaves(ModelConfig), *ITEMS]}
    shown = {key for key, cells in ROWS.items() if len(cells) == 3} - {"key", "---"}

    assert shown - known == set()


@pytest.mark.parametrize(("metric", "meaning"), METRICS.items())
def test_every_metric_of_a_condition_is_explained(metric, meaning):
    assert ROWS[metric] == [f" {meaning} "]


SETTINGS = {
    f"{kind.model_config['env_prefix']}{name.upper()}": field.default
    for kind in (Settings, ServeSettings, Limits, Terms)
    for name, field in kind.model_fields.items()
} | {"UNDERSTUDY_HOME": "~/.understudy"}
DETAILS = ("operations", "shadow", "outcomes")


@pytest.mark.parametrize(("variable", "default"), SETTINGS.items())
def test_every_setting_is_explained_with_its_default(variable, default):
    plain = int(default) if isinstance(default, float) and default.is_integer() else default

    assert ROWS[variable][0].strip() == written(plain)


def test_no_setting_is_explained_that_does_not_exist():
    assert {name for name in ROWS if name.startswith("UNDERSTUDY_")} == SETTINGS.keys()


@pytest.mark.parametrize("name", DETAILS)
def test_a_page_that_explains_settings_once_more_has_the_same_defaults(name):
    page = rows_of((ROOT / "docs" / "router" / f"{name}.md").read_text())
    shown = {variable: cells[0].strip("` ") for variable, cells in page.items() if variable in SETTINGS}

    assert shown
    assert {name: float(text) for name, text in shown.items() if text[0].isdigit()} == {
        name: SETTINGS[name] for name, text in shown.items() if text[0].isdigit()
    }
