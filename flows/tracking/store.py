"""Where runs go: a tracking server, a database, or a file in the state folder."""

import logging
import os
from pathlib import Path
from typing import Any

from flows.config.aftercare import shown, store_mistake
from flows.errors import ConfigError, Unreachable
from registry.home import Settings

VARIABLE = "MLFLOW_TRACKING_URI"
SECONDS = 10
"""Longest wait for one answer of a server."""
_ADVICE = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": str(SECONDS),
    "MLFLOW_CONFIGURE_LOGGING": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_IMPOSED = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # a repeated "create" would make a second run
}


def mlflow_dir(settings: Settings) -> Path:
    """Database and artifacts of the default store."""
    return settings.home / "mlflow"


def tracking_uri(settings: Settings, configured: str | None) -> str:
    """
    Choose the store: the configured one, that of MLFLOW_TRACKING_URI, or a file in the state folder.

    Raises:
        ConfigError: If MLflow could not work with it.
    """
    uri = configured or os.environ.get(VARIABLE) or f"sqlite:///{mlflow_dir(settings)}/mlflow.db"
    mistake = store_mistake(uri)
    if mistake is not None:
        raise ConfigError("Nothing was sent to MLflow.", *mistake)
    return uri


def is_database(uri: str) -> bool:
    """Whether this process itself writes the store, and must say where artifacts lie."""
    return not uri.startswith(("http", "databricks"))


def connect(settings: Settings, uri: str) -> Any:
    """
    Open the store; the first time takes seconds.

    Returns:
        An `MlflowClient` that has been answered once.

    Raises:
        Unreachable: If it does not answer.
    """
    try:
        client = _client(settings, uri)
    except Exception as error:
        raise _unreachable(uri, error) from error
    refuse_silent(client, uri)
    return client


def refuse_silent(client: Any, uri: str) -> None:
    """
    Ask something small.

    Raises:
        Unreachable: If there is no answer, or a refusal.
    """
    try:
        client.search_experiments(max_results=1)
    except Exception as error:
        raise _unreachable(uri, error) from error


def _unreachable(uri: str, error: Exception) -> Unreachable:
    return Unreachable(
        f"Nothing was sent to MLflow at {shown(uri)}.",
        said_of(error),
        "What was noted waits: mend the address or start the server, then `understudy tracking send`.",
    )


def _client(settings: Settings, uri: str) -> Any:
    for name, value in _ADVICE.items():
        os.environ.setdefault(name, value)
    os.environ.update(_IMPOSED)
    from mlflow import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    if uri == f"sqlite:///{mlflow_dir(settings)}/mlflow.db":
        _make_store(mlflow_dir(settings))
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _make_store(folder: Path) -> None:
    """Make the tables in a draft, so that one who is killed leaves no half of them."""
    if (folder / "mlflow.db").exists():
        return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / "draft.db"
    for leftover in folder.glob("draft.db*"):
        leftover.unlink()
    store: Any = SqlAlchemyStore  # it has no types
    store(f"sqlite:///{draft}", str(folder / "artifacts")).engine.dispose()
    draft.rename(folder / "mlflow.db")


def said_of(error: Exception) -> str:
    """Its kind and first line, without passwords."""
    return shown(f"{type(error).__name__}: {str(error).strip()}".partition("\n")[0])[:400]
