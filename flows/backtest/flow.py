"""The flow `backtest`: what would each retraining policy have gained and cost on a table?"""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from pydantic import Field

from flows.backtest.backtest import backtest as play
from flows.backtest.batches import Plan
from flows.backtest.memory import Memory
from flows.backtest.options import Options
from flows.backtest.policies.names import specs, usual
from flows.backtest.report import document
from flows.backtest.results import Backtest
from flows.backtest.table import read
from flows.backtest.words import cells, heading
from flows.client.naming import named
from flows.config.forms import ModelName
from flows.config.load import named_model, registered_config
from flows.data.tables import raw_table
from flows.errors import DataError
from flows.reports.page import write_report
from flows.rollout.desk import artifact_key
from registry.home import Settings

Batch = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,6}[smhdw]?$", examples=["1w", "1d", "500"])]
Price = Annotated[float, Field(ge=0)]
_COLUMNS = ("policy", "value", "lost", "of the gain", "retrainings", "share", "delay", "missed", "fits", "seconds")


@flow(name="backtest", flow_run_name=named("backtest", "the only model"))
def backtest(
    model: ModelName | None = None,
    table: str | None = None,
    policies: list[str] | None = None,
    batch: Batch = "1w",
    warmup: Annotated[int, Field(ge=1, le=1000)] = 8,
    price_retraining: Price | None = None,
    price_point: Price | None = None,
    workers: Annotated[int, Field(ge=1, le=64)] = 1,
) -> dict[str, Any]:
    """
    Replay a time-ordered table under retraining policies; nothing that is served is touched.

    Args:
        model: Name of the model; the only one there is if empty.
        table: Rows to replay: a CSV or Parquet file, a folder or pattern of them, or a Delta table; that of the
            configuration if empty.
        policies: e.g. error, drift, fused, every:4; the usual ones if empty.
        batch: How often is decided: 1w, 1d, or so many rows, e.g. 500.
        warmup: Batches that the first model learns from.
        price_retraining: Price of one retraining.
        price_point: Price of one point lost against always retraining.
        workers: Processes; the result is the same.

    Returns:
        What the report shows, and its path.

    Raises:
        DataError: If there is no table.
        BacktestRefused: If a policy does not exist, or the table is too short.
    """
    settings = Settings().prepare()
    config = registered_config(named_model(model, settings), settings)
    if not table and config.data.source is None:
        raise DataError("There is no table to replay.", "The configuration names none.", "Name one in the form.")
    options = Options(
        policies=specs(policies or usual()),
        plan=Plan(batch=batch, warmup=warmup),
        window=Memory.of("auto"),
        price_retraining=price_retraining,
        price_point=price_point,
        workers=min(workers, os.cpu_count() or 1),
    )
    found = play(config, read(config, raw_table(config, table or None)), options)
    file = write_report(settings, config.model, f"backtest-{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}", document(found))
    get_run_logger().info("%s: %s", config.model, heading(found))
    create_markdown_artifact(_markdown(found, file), key=artifact_key("backtest", config.model))
    return {"model": config.model, "said": heading(found), "report": str(file)}


def _markdown(found: Backtest, file: Path) -> str:
    rows = [cells(one, priced=False) for one in found.policies]
    lines = [heading(found), "", f"| {' | '.join(_COLUMNS)} |", "|" + "---|" * len(_COLUMNS)]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    lines += ["", *(f"- {note}" for note in found.notes), "", f"The whole report, with pictures: `{file}`"]
    return "\n".join(lines)
