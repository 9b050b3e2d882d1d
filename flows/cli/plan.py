"""`understudy plan`: how many labelled requests an experiment needs, before it starts. Needs no server."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from flows.cli.options import Json, example
from flows.cli.screen import facts, plain, print_json, say, table

if TYPE_CHECKING:
    from rich.table import Table

    from flows.cli.planning import Answer, Asked

Spending = Literal["obrien_fleming", "pocock", "power", "hwang_shih_decani"]
_MANY = 100_000


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog=example(
            "understudy plan --metric accuracy --baseline 0.85 --lift 0.02 --discordance 0.06 --per-day 2000",
            "understudy plan --metric revenue --baseline 20 --lift 0.05 --sd 60 --guardrails 2",
            "understudy plan --metric auc --baseline 0.8 --margin 0.01 --absolute --ones 0.2",
            "understudy plan --metric accuracy --baseline 0.85 --budget 5000",
        )
    )(plan)


def plan(
    *,
    metric: Annotated[
        str, typer.Option(help="accuracy, auc, brier, log_loss, mae, rmse, error_rate, or any KPI.", show_default=False)
    ],
    baseline: Annotated[float, typer.Option(help="The champion's value of the metric.", show_default=False)],
    lift: Annotated[
        float | None, typer.Option(help="Improvement worth finding, as a share of the baseline.", show_default=False)
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(help="Instead: the challenger may not be worse by more than this share.", show_default=False),
    ] = None,
    absolute: Annotated[
        bool, typer.Option("--absolute", help="--lift and --margin are in the metric's unit, not shares.")
    ] = False,
    budget: Annotated[
        int | None,
        typer.Option(help="Instead: labelled requests you can get; says the smallest lift they show."),
    ] = None,
    power: Annotated[float, typer.Option(help="Chance of finding the lift if it is real.")] = 0.8,
    alpha: Annotated[float, typer.Option(help="Two-sided error rate.")] = 0.05,
    guardrails: Annotated[int, typer.Option(help="Further metrics that must not become worse.")] = 0,
    share: Annotated[float, typer.Option(help="Share of callers that a split gives to the challenger.")] = 0.5,
    per_day: Annotated[float | None, typer.Option(help="Requests per day, of all callers.")] = None,
    labelled: Annotated[float, typer.Option(help="Share of requests whose outcome becomes known.")] = 1.0,
    discordance: Annotated[
        float | None, typer.Option(help="Share of rows on which exactly one model is right; guessed if absent.")
    ] = None,
    sd: Annotated[float | None, typer.Option(help="Standard deviation of one row; needed for means.")] = None,
    correlation: Annotated[
        float | None, typer.Option(help="Between both models' losses or AUCs on the same rows; 0.5 if absent.")
    ] = None,
    ones: Annotated[float, typer.Option(help="Share of ones among labels; matters for AUC.")] = 0.5,
    looks: Annotated[int, typer.Option(help="Looks of the group sequential design.")] = 10,
    spending: Annotated[Spending, typer.Option(help="How that design spends alpha.")] = "obrien_fleming",
    per_key: Annotated[float, typer.Option(help="Labelled requests per key, on average.")] = 1.0,
    icc: Annotated[float, typer.Option(help="How alike requests of one key are, 0 to 1.")] = 0.0,
    covariate: Annotated[float, typer.Option(help="Correlation with a covariate known before (CUPED).")] = 0.0,
    as_json: Json = False,
) -> None:
    """
    Plan an experiment: labelled requests and days that each design needs.

    Compares a holdout and shadow traffic, where both models score the same rows, with A/B splits.
    """
    from flows.cli.planning import Asked, answer

    given: dict[str, Any] = {name: value for name, value in locals().items() if name in Asked.__dataclass_fields__}
    asked = Asked(**given)
    found = answer(asked)
    if as_json:
        return print_json({**plain(found), "asked": asked})
    return _show(asked, found)


def _show(asked: "Asked", found: "Answer") -> None:
    say(found.title, facts("", {**found.asked, **{f"assumed {name}": why for name, why in found.assumed.items()}}))
    if found.detectable:
        rows = [(one.design, _lift(asked, one.lift), one.value) for one in found.detectable]
        say(
            _right(
                table(
                    f"Smallest true lift that {asked.budget:,} label{'s show' if asked.budget != 1 else ' shows'}",
                    ("design", "lift", asked.metric),
                    rows,
                )
            )
        )
    else:
        say(_sizes(found), _curve(found))
    say(*found.advice)


def _sizes(found: "Answer") -> "Table":
    columns = ("design", "per model", "in all", "average", "days", "average")
    rows = [
        (d.design, _per_model(d.champion, d.challenger), _count(d.labels), _count(d.expected), d.days, d.days_expected)
        for d in found.designs
    ]
    return _right(table("Labelled requests and days needed (average: if the effect is real)", columns, rows))


def _curve(found: "Answer") -> "Table":
    title = "Chance of finding another true effect"
    columns = ("true effect", *(_short(name) for name in found.power_curve))
    values = list(found.power_curve.values())
    rows = [
        (effect, *("-" if chances[i] is None else f"{chances[i]:.0%}" for chances in values))
        for i, effect in enumerate(found.curve_effects)
    ]
    return _right(table(title, columns, rows))


def _right(made: "Table") -> "Table":
    """Numbers to the right, although some are written with commas."""
    for column in made.columns[1:]:
        column.justify = "right"
    return made


def _lift(asked: "Asked", lift: float | None) -> str:
    if lift is None:
        return "-"
    return f"{lift:.4g}" if asked.absolute else f"{lift:.2%}"


def _per_model(champion: int, challenger: int) -> str:
    return _count(champion) if champion == challenger else f"{_count(champion)} / {_count(challenger)}"


def _count(n: int) -> str:
    return f"{n:,}" if n < _MANY * 100 else f"{n / 1e6:,.1f} M"


def _short(name: str) -> str:
    return {
        "holdout, paired": "holdout",
        "shadow, always-valid": "shadow",
        "A/B, one look": "one look",
        "A/B, group sequential": "group seq.",
        "A/B, always-valid": "any look",
    }[name]
