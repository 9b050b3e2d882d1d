"""What every model did in the last day."""

from datetime import UTC, datetime, timedelta
from html import escape

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from flows.client import RouterClient
from flows.client.naming import named
from flows.client.patience import JITTER, WAITS, may_pass
from flows.config.forms import ModelName, Moment
from flows.config.load import named_model
from flows.reports.page import page, table, write_report
from registry.errors import Refusal
from registry.home import Settings
from registry.records.live import ModelMetrics, VariantMetrics
from registry.records.retraining import RetrainingEvent
from registry.store.registry import Registry


@flow(name="daily-report", flow_run_name=named("daily-report"), timeout_seconds=1800)
def daily_report(model: ModelName | None = None, as_of: Moment | None = None) -> list[str]:
    """
    Write one report per model and show it in the UI.

    Args:
        model: Name of the model; every one with a version if empty.
        as_of: The model's clock; now if empty.

    Returns:
        Paths of the reports.
    """
    settings, now = Settings().prepare(), as_of or datetime.now(UTC)
    with Registry.open(settings.registry_url) as registry, RouterClient(settings) as client:
        names = [named_model(model, settings)] if model else registry.models()
        return [write_daily(settings, registry, client, name, now) for name in names]


@task(
    retries=len(WAITS),
    retry_delay_seconds=list(WAITS),
    retry_jitter_factor=JITTER,
    retry_condition_fn=may_pass,
    cache_policy=NO_CACHE,
)
def write_daily(settings: Settings, registry: Registry, client: RouterClient, model: str, now: datetime) -> str:
    """One model's; writing it again replaces it."""
    events = registry.retraining_events(model, since=now - timedelta(days=1))
    try:
        metrics, trouble = client.metrics(model), None
    except Refusal as error:
        metrics, trouble = None, str(error)
    rows = rows_of(metrics) if metrics else []
    path = write_report(settings, model, f"daily-{now:%Y-%m-%d}", daily_html(model, now, rows, events, trouble))
    create_markdown_artifact(
        key=f"daily-{model.replace('_', '-')}",
        markdown=daily_markdown(model, now, rows, events, trouble),
        description=f"{model}, {now:%Y-%m-%d}",
    )
    return str(path)


def rows_of(metrics: ModelMetrics, phases: int = 5) -> list[list[str]]:
    """One row per variant of the newest phases, newest first."""
    return [
        [phase.phase, name, *_numbers(variant)]
        for phase in reversed(metrics.phases[-phases:])
        for name, variant in sorted(phase.variants.items())
    ]


HEAD = ["phase", "variant", "version", "assigned", "served", "failed", "labelled", "mean loss", "p99 ms"]


def daily_html(
    model: str, now: datetime, rows: list[list[str]], events: list[RetrainingEvent], trouble: str | None
) -> str:
    """As one HTML file."""
    body = [f"<h1>{escape(model)} on {now:%Y-%m-%d}</h1>"]
    if trouble:
        body.append(f'<div class="verdict bad"><strong>No live figures.</strong><br>{escape(trouble)}</div>')
    body.append(
        "<h2>Variants</h2>" + table(HEAD, [[escape(c) for c in row] for row in rows], numbers=tuple(range(3, 9)))
    )
    body.append("<h2>Retrainings of the last 24 hours</h2>")
    lines = [[escape(e.id), escape(e.trigger_reason), escape(_result(e))] for e in events]
    body.append(table(["event", "reason", "result"], lines) if lines else "<p>None.</p>")
    return page(f"{model} {now:%Y-%m-%d}", "\n".join(body))


def daily_markdown(
    model: str, now: datetime, rows: list[list[str]], events: list[RetrainingEvent], trouble: str | None
) -> str:
    """As markdown."""
    lines = [f"# {model} on {now:%Y-%m-%d}", ""]
    lines += [f"**No live figures.** {trouble}", ""] if trouble else []
    lines += [f"| {' | '.join(HEAD)} |", "|" + "---|" * len(HEAD)]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    lines += ["", "Retrainings of the last 24 hours:", ""]
    lines += [f"- {e.id}: {e.trigger_reason} ({_result(e)})" for e in events] or ["- none"]
    return "\n".join(lines)


def _numbers(variant: VariantMetrics) -> list[str]:
    failed = sum(variant.fallbacks.values()) + sum(variant.errors.values())
    counts = [variant.assigned, variant.served, failed, variant.loss.n]
    loss = f"{variant.loss.mean:.4g}" if variant.loss.n else ""
    p99 = variant.latency_quantiles.get("p99")
    return [variant.version, *map(str, counts), loss, "" if p99 is None else f"{p99:.2f}"]


def _result(event: RetrainingEvent) -> str:
    if event.execution_successful is None:
        return "not ended"
    return f"{event.retrained_version or 'no version'}{'' if event.execution_successful else ', failed'}"
