"""`understudy watch`: a rollout and every variant, live."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.office import settings
from flows.cli.options import Json, Model, example
from flows.cli.screen import console, print_json, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from registry.records.live import ModelMetrics, PhaseMetrics, VariantMetrics
    from registry.records.plan import TrafficPlan
    from registry.records.rollout import Rollout


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=example("understudy watch churn"))(watch)


def watch(
    model: Model,
    *,
    every: Annotated[float, typer.Option(help="Seconds between two looks.", min=0.2)] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Look once.")] = False,
    as_json: Json = False,
) -> None:
    """Watch a rollout and what every variant does; Ctrl-C ends it."""
    if as_json:
        plan, rollout, metrics = look(model)
        return print_json({"plan": plan, "rollout": rollout, "metrics": metrics})
    if once:
        return console().print(scene(*look(model)))
    from rich.live import Live

    with Live(scene(*look(model)), console=console(), screen=False, auto_refresh=False) as live:
        while True:
            time.sleep(every)
            live.update(scene(*look(model)), refresh=True)


def look(model: str) -> "tuple[TrafficPlan, Rollout | None, ModelMetrics]":
    """Ask registry and router once."""
    from flows.cli.office import opened_registry
    from flows.cli.traffic import plan_of
    from flows.client import RouterClient

    plan = plan_of(model)
    with opened_registry() as registry:
        rollout = registry.active_rollout(model)
    with RouterClient(settings()) as client:
        return plan, rollout, client.metrics(model)


def scene(plan: "TrafficPlan", rollout: "Rollout | None", metrics: "ModelMetrics") -> "RenderableType":
    """Lay out one look."""
    from rich.console import Group
    from rich.markup import escape

    from flows.cli.rollout import step_text
    from flows.cli.screen import text
    from flows.cli.traffic import split_of

    head = f"[bold]{plan.model}[/bold]  plan {plan.epoch}  {escape(text(split_of(plan)))}"
    held = "[yellow]ramp held[/yellow]" if plan.paused else ""
    said = f"{rollout.id} {rollout.status}, {step_text(rollout)}: {escape(rollout.said)}" if rollout else "no rollout"
    newest = [phase for phase in metrics.phases if phase.phase == plan.phase]
    return Group(head, f"{said} {held}", *(part for phase in newest for part in _phase(phase)))


def _phase(phase: "PhaseMetrics") -> "list[RenderableType]":
    columns = (
        "variant",
        "version",
        "assigned",
        "served",
        "fallbacks",
        "errors",
        "p95 ms",
        "labelled",
        "loss",
        "correct",
    )
    rows = [(name, *_numbers(seen)) for name, seen in phase.variants.items()]
    parts: list[RenderableType] = [table(f"Phase {phase.phase}", columns, rows)]
    if phase.shadows:
        seen = [
            (s.version, s.copies, s.scored, s.dropped, s.errors, s.pairs, s.loss_difference.mean)
            for s in phase.shadows.values()
        ]
        names = ("shadow", "copies", "scored", "dropped", "errors", "pairs", "loss saved")
        parts.append(table("Shadows", names, seen))
    return parts


def _numbers(seen: "VariantMetrics") -> tuple[object, ...]:
    return (
        seen.version,
        seen.assigned,
        seen.served,
        seen.fallbacks,
        seen.errors,
        seen.latency_quantiles.get("p95"),
        seen.loss.n,
        seen.loss.mean if seen.loss.n else None,
        seen.correct.mean if seen.correct.n else None,
    )
