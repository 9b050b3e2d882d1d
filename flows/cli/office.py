"""What commands open: settings, registry, router, and flows on the Prefect server."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flows.errors import ConfigError, Unreachable

if TYPE_CHECKING:
    from flows.config.model import ModelConfig
    from registry.home import Settings
    from registry.store.registry import Registry


def settings() -> "Settings":
    """
    Read the environment, and make the state folder.

    Raises:
        ConfigError: If a variable cannot be right.
    """
    from pydantic import ValidationError

    from registry.home import Settings

    try:
        return Settings().prepare()
    except ValidationError as error:
        mistakes = [f"UNDERSTUDY_{str(item['loc'][0]).upper()}: {item['msg']}" for item in error.errors()]
        raise ConfigError(
            "The environment was refused.", "; ".join(mistakes) + ".", "Correct the variables named."
        ) from error


@contextlib.contextmanager
def opened_registry() -> "Iterator[Registry]":
    """Open the registry, and close it again."""
    from registry.store.registry import Registry

    with Registry.open(settings().registry_url) as registry:
        yield registry


def config_of(model: str) -> "ModelConfig":
    """Read the registered configuration; NotFound names those that are known."""
    from flows.config.load import registered_config

    return registered_config(model, settings())


def run_flow(entrypoint: str, **parameters: Any) -> Any:
    """
    Run a flow in this process; the Prefect server records it.

    Raises:
        Unreachable: If that server does not answer.
    """
    from flows.ops.environment import use_prefect

    where = settings()
    require_prefect(where)
    use_prefect(where)
    from flows.ops.deployments import load_flow

    return load_flow(entrypoint)(**parameters)


def require_prefect(where: "Settings") -> None:
    """Make sure that the Prefect server answers."""
    from flows.ops.health import get

    answer = get(f"{where.prefect_api_url}/health")
    if answer is None or answer.status_code != 200:
        raise Unreachable(
            f"The Prefect server at {where.prefect_api_url} does not answer.",
            "Nothing listens there." if answer is None else f"It answers {answer.status_code}.",
            "Start it with `understudy up`, or look at `understudy status`.",
        )
