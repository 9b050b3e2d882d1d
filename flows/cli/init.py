"""`understudy init`: check a model's YAML file and register it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from flows.cli.office import settings
from flows.cli.options import Json, example
from flows.cli.screen import print_json, say
from flows.errors import ConfigError

if TYPE_CHECKING:
    from flows.config.model import ModelConfig

TEMPLATE = """\
model: churn                    # lower-case letters, digits, - and _
description: Who will leave next month
task: binary                    # multiclass (with data.classes), or regression
target: left                    # column of the truth
features:
  numeric: [age, visits, spend]
  categorical: [country, plan]
data:
  source: churn.parquet         # CSV, Parquet, folder, Delta table, database; ${NAME} reads the environment
  time: asked_at                # without one, rows are row_every apart
  key: customer                 # the caller's stable id
  positive: "yes"               # value of the target that counts as 1
  kpis: {revenue: revenue}      # further outcomes: name -> column
  label_delay: 1d               # how long the truth takes to arrive
training:
  window: 180d                  # newest rows to learn from; null: all
  min_rows: 10000
  trials: 50
  # families: [xgboost, lightgbm, linear, ensemble]   # what is tried; the best on recent rows wins
  # calibration: auto           # correct probabilities where that helps
  # value: {true_positive: 100, false_positive: -5}   # what decisions are worth; chooses the threshold
detection:
  window: 1000
  rules:                        # any rule that fires triggers its action
    - {name: error rises, trigger: drift, condition: error_increase > 0.15 and error_p < 0.05}
promotion:
  metric: auc                   # of the model, or a KPI
  # min_improvement: 0.02       # smaller but significant improvements ask people; default 2 % of AUC, else 5 %
  # goals: [revenue]            # further metrics whose improvement is enough
  # guardrails:                 # what must not become worse; these are the defaults, [] is none
  #   - {metric: latency_ms, margin: 0.5}   # relative to the champion's
  #   - {metric: error_rate, margin: 0.02}  # in points: 2 of 100 requests more
  #   - {metric: revenue, margin: 0.1}      # every KPI
  # method: always_valid        # look as often as you like; or group_sequential or fixed, which need a horizon
  # horizon: 20000              # labelled requests at the planned end; `understudy plan` computes it
  # min_label_age: 1d           # younger requests do not count yet: their labels may be the early ones
  require_approval: true
rollout:
  steps:
    - {share: 0, min: 7d}       # shadow
    - {share: 0.1, min: 1d}     # canary
    - {share: 0.5, min: 2d}
    - {share: 1, min: 2d}
# experiment:                   # who takes part in rollouts; as in the plan before if absent
#   layer: {name: checkout, first: 1, last: 500000}   # no key is in the experiments of two models
#   holdout: 0.05               # callers who never meet a challenger
#   noise_arm: true             # in shadow, compare the champion with itself, too
guards:
  error_rate: 0.02
  latency_increase: 0.5
  kpi: revenue
  kpi_drop: 0.1
"""
_HELP = (
    "Check a model's YAML file and register it; with --example, write one to start from.\n\n\b\n"
    "A whole file (docs/configuration.md explains every key):\n\n\b\n" + escape(TEMPLATE)
)


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(help=_HELP, epilog=example("understudy init mymodel.yaml"))(init)


def init(
    file: Annotated[Path, typer.Argument(help="The YAML file.", metavar="FILE", show_default=False)],
    *,
    write: Annotated[bool, typer.Option("--example", help="Write an example to FILE instead.")] = False,
    as_json: Json = False,
) -> None:
    """Check and register, or write an example."""
    if write:
        return _write(file)
    from flows.config.classes import refuse_other_classes
    from flows.config.load import load_config, register_config

    config = _found_from_anywhere(load_config(file))
    _refuse_bad_addresses(config, file)
    refuse_other_classes(config, settings())
    again = (settings().configs_dir / f"{config.model}.yaml").exists()
    where = register_config(config, settings())
    if as_json:
        return print_json({"model": config.model, "registered": str(where)})
    say(f"{config.model} is registered in {where}")
    if again:
        return say("It is read from the next look on; a rollout that has begun keeps the steps and the gate it has.")
    return say(f"Next: `understudy train {config.model}` makes its first champion.")


def _refuse_bad_addresses(config: "ModelConfig", file: Path) -> None:
    if not config.notify.urls:
        return
    from flows.notify.address import mistakes

    if found := mistakes(config.notify.urls):
        raise ConfigError(f"{file} was refused.", "; ".join(found) + ".", "Correct the addresses named.")


def _found_from_anywhere(config: "ModelConfig") -> "ModelConfig":
    """Commands and flows that read the registered configuration start in other folders."""
    if config.data.source is None:
        return config
    from flows.data.sources import from_anywhere

    data = config.data.model_copy(update={"source": from_anywhere(config.data.source)})
    return config.model_copy(update={"data": data})


def _write(file: Path) -> None:
    try:
        with file.open("x") as stream:
            stream.write(TEMPLATE)
    except OSError as error:
        raise ConfigError(
            f"{file} was not written.", f"{error.strerror}.", "Name a new file in a folder of yours."
        ) from error
    say(f"{file} holds an example; change it, then `understudy init {file}`.")
