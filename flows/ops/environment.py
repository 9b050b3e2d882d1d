"""The one place for the environment of every process that Understudy starts."""

import os
from collections.abc import Mapping

from registry.home import Settings

MARK = "UNDERSTUDY_SUPERVISED"

# The environment wins over these: they are advice.
_ADVICE = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_V2_ENABLED": "false",  # V2 calls a foreign host even with analytics off
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    # In memory, a server that is killed never gives back the slots of the runs that died with it.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    # A run that lost its worker before it began holds its slot no longer; one that begins gets minutes.
    "PREFECT_SERVER_CONCURRENCY_INITIAL_DEPLOYMENT_LEASE_DURATION": "60",
    "PREFECT_WORKER_QUERY_SECONDS": "2",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS": "60",  # of fifteen, a busy morning, nobody wants to hear
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    "PREFECT_CLI_PROMPT": "false",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "understudy",
    "DO_NOT_TRACK": "1",
    "BENTOML_DO_NOT_TRACK": "true",
    "MPLBACKEND": "agg",
    # A spinning OpenMP thread costs 25 times the training time beside other load.
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "0",
}


def prefect_environment(settings: Settings, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """
    Say what Prefect and the numeric libraries must see.

    Only the state folder's own Prefect home is imposed; whatever else *environ*
    already sets is kept.
    """
    advice = {name: environ.get(name, value) for name, value in _ADVICE.items()}
    home = settings.home.absolute()
    return {
        **advice,
        "PREFECT_HOME": str(home / settings.prefect_home.relative_to(settings.home)),
        "PREFECT_API_URL": settings.prefect_api_url,
        "BENTOML_HOME": str(home / settings.models_dir.relative_to(settings.home)),
    }


def settings_environment(settings: Settings) -> dict[str, str]:
    """Hand *settings* on to a child that may run in another folder."""
    chosen = settings.model_dump(mode="json", exclude_none=True) | {"home": str(settings.home.absolute())}
    return {f"UNDERSTUDY_{name.upper()}": str(value) for name, value in chosen.items()}


def process_environment(settings: Settings, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Everything a supervised process sees; carries the mark by which `down` finds leftovers."""
    return {
        **environ,
        **prefect_environment(settings, environ),
        **settings_environment(settings),
        "PYTHONUNBUFFERED": "1",
        MARK: str(settings.home.absolute()),
    }


def use_prefect(settings: Settings) -> None:
    """Point this process at the state folder's Prefect; call it before Prefect is imported."""
    os.environ.update(prefect_environment(settings))
