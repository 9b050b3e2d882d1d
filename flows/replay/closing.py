"""After the last label: books, comparison with the frozen first champion, files."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from flows.comparison.classes import several
from flows.comparison.scoring import TableScorer
from flows.config.model import ModelConfig
from flows.replay.bad import highest_share, is_bad
from flows.replay.books import Line, check_books, read_log
from flows.replay.live import Live
from flows.replay.page import page
from flows.replay.player import moment
from flows.replay.plot import plot
from flows.replay.progress import Answer, Progress
from flows.replay.retraining import runs_of
from flows.replay.scores import Numbers, primary
from flows.replay.source import Table
from flows.replay.summary import Summary, curve, endings, measure, rejections, retrainings
from flows.replay.timetable import Stop
from registry.artifacts import ArtifactStore
from registry.records.live import ModelMetrics

_AT_ONCE = 2000


def sum_up(
    *,
    config: ModelConfig,
    table: Table,
    stops: Sequence[Stop],
    live: Live,
    progress: Progress,
    answers: Sequence[Answer],
) -> Summary:
    """Ask everybody what happened, and compare."""
    played = slice(progress.start, len(table))
    served, frozen = _served(answers, len(table)), _frozen(config, table, live, progress.start)
    registry, model = live.registry, config.model
    bad = frozenset(version.version for version in registry.versions(model) if is_bad(version))
    rollouts, decisions = registry.rollouts(model), registry.decisions(model)
    events, metrics = registry.retraining_events(model), live.sync()
    shares = {one.challenger: highest_share(registry, model, one.challenger) for one in rollouts}
    return Summary(
        name=progress.name,
        model=model,
        task=config.task,
        metric=primary(config.task, config.promotion.metric),
        rows=len(table) - progress.start,
        batches=stops[-1].batch + 1,
        start=moment(float(table.times[progress.start])),
        end=moment(float(table.times[-1])),
        served=measure(config.task, played, table.labels, served),
        frozen=measure(config.task, played, table.labels, frozen),
        series=curve(config.task, stops, labels=table.labels, served=served, frozen=frozen),
        retrainings=retrainings(events, _run_addresses(live, [event.id for event in events])),
        rollouts=endings(rollouts, shares, bad, metrics),
        rejected=rejections(decisions),
        books=books(table, live, progress, answers, metrics),
        reports=tuple(_address(live.settings.reports_dir / one.report) for one in reversed(decisions) if one.report),
        pages={"prefect": live.settings.prefect_api_url.removesuffix("/api"), "router": live.settings.router_url},
        waits=live.waits,
        refusal=progress.refusal,
        seconds=progress.seconds,
    )


def books(
    table: Table, live: Live, progress: Progress, answers: Sequence[Answer], metrics: ModelMetrics
) -> tuple[Line, ...]:
    """Compare what was sent with what the router holds; see `flows.replay.books`."""
    rows = range(progress.start, len(table))
    return check_books(
        name=progress.name,
        rows=rows,
        answers=answers,
        log=read_log(live.log(), progress.name),
        outcomes={row: table.outcomes(row) for row in rows},
        metrics=metrics,
        refused=progress.refused,
    )


def write_files(summary: Summary, folder: Path) -> Summary:
    """Write summary.json, the curve and the page; returns the summary that names them."""
    files = plot(summary, folder)
    html = folder / "summary.html"
    pages = {**summary.pages, "summary": _address(html), "curve": _address(files["png"])}
    named = msgspec.structs.replace(summary, pages=pages)
    html.write_text(page(named, files["svg"].read_text()))
    (folder / "summary.json").write_bytes(msgspec.json.format(msgspec.json.encode(named.to_json_document()), indent=2))
    return named


def _served(answers: Sequence[Answer], rows: int) -> tuple[Numbers, Numbers]:
    predictions, scores = np.full(rows, np.nan), np.full(rows, np.nan)
    for answer in answers:
        predictions[answer.row] = answer.prediction
        scores[answer.row] = answer.prediction if answer.score is None else answer.score
    return predictions, scores


def _frozen(config: ModelConfig, table: Table, live: Live, start: int) -> tuple[Numbers, Numbers]:
    """What the first champion would have said, scored here; if it is a server, what that says today."""
    plans = live.registry.plans(config.model, limit=1_000_000)
    first = live.registry.version(config.model, plans[-1].version_of("champion"))
    scorer = TableScorer(first, ArtifactStore(live.settings.models_dir))
    predictions, scores = np.full(len(table), np.nan), np.full(len(table), np.nan)
    for begin in range(start, len(table), _AT_ONCE):
        rows = slice(begin, min(begin + _AT_ONCE, len(table)))
        said = scorer.score(table.features[rows])
        scores[rows] = said.max(axis=1) if several(said) else said
        predictions[rows] = scorer.predictions(said)
    return predictions, scores


def _run_addresses(live: Live, events: Sequence[str]) -> dict[str, str]:
    base = live.settings.prefect_api_url.removesuffix("/api")
    found = {event: runs_of(live, event) for event in events}
    return {event: f"{base}/runs/flow-run/{runs[0].id}" for event, runs in found.items() if runs}


def _address(path: Path) -> str:
    return path.absolute().as_uri()
