"""What commands open: settings, registry, router, and flows on the Prefect server."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from flows.errors import ConfigError, Unreachable

PATIENCE = 10.0  # seconds that the Prefect server may take on a busy machine

if TYPE_CHECKING:
    from flows.config.model import ModelConfig
    from registry.home import Settings
    from registry.records.version import ModelVersion
    from registry.store.registry import Registry


def settings(*, prepare: bool = True) -> "Settings":
    """
    Read the environment, and make the state folder.

    Raises:
        ConfigError: If a variable cannot be right.
        StoreUnavailable: If the state folder cannot be written.
    """
    from pydantic import ValidationError

    from registry.home import Settings

    try:
        found = Settings()
    except ValidationError as error:
        mistakes = [_mistake(item) for item in error.errors()]
        raise ConfigError(
            "The environment was refused.", "; ".join(mistakes) + ".", "Correct the variables named."
        ) from error

    return found.prepare() if prepare else found


def _mistake(item: Any) -> str:
    variable, said = f"UNDERSTUDY_{str(item['loc'][0]).upper()}", item["msg"].removeprefix("Input ")
    given = "" if variable == "UNDERSTUDY_ADMIN_TOKEN" else f" (given: {item['input']!r})"
    return f"{variable} {said}{given}"


@contextlib.contextmanager
def opened_registry(model: str | None = None) -> "Iterator[Registry]":
    """
    Open the registry, and close it again.

    Args:
        model: Must be known, if one is given.

    Raises:
        NotFound: With the names that are known, and the one that was probably meant.
    """
    from registry.store.registry import Registry

    with Registry.open(settings().registry_url) as registry:
        if model is not None:
            _refuse_unknown(registry, model)
        yield registry


def _refuse_unknown(registry: "Registry", model: str) -> None:
    from registry.errors import NotFound

    known = sorted({*registry.models(), *(path.stem for path in settings().configs_dir.glob("*.yaml"))})
    if model not in known:
        raise NotFound(
            f"There is no model {model!r}.",
            f"Known: {', '.join(known) or 'none'}.",
            f"{meant(model, known)}Register one: `understudy init FILE.yaml`.",
        )


def version_of(registry: "Registry", model: str, version: str) -> "ModelVersion":
    """
    Read one version.

    Raises:
        NotFound: With the versions that are known, and the one that was probably meant.
    """
    from registry.errors import NotFound

    known = [one.version for one in registry.versions(model)]
    if version in known:
        return registry.version(model, version)
    raise NotFound(
        f"{model} has no version {version!r}.",
        f"Known: {', '.join(known) or 'none'}.",
        f"{meant(version, known)}"
        + (f"See `understudy models list {model}`." if known else f"`understudy train {model}`."),
    )


def meant(name: str, known: Iterable[str]) -> str:
    """Guess what a mistyped name should have been."""
    import difflib

    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"Did you mean {near[0]}? " if near else ""


def config_of(model: str) -> "ModelConfig":
    """Read the registered configuration; NotFound names those that are known."""
    from flows.config.load import registered_config
    from registry.errors import NotFound

    where = settings()
    try:
        return registered_config(model, where)
    except NotFound as error:
        near = meant(model, (path.stem for path in where.configs_dir.glob("*.yaml")))
        raise NotFound(error.what, error.why, near + error.mend) from error


def run_flow(entrypoint: str, **parameters: Any) -> Any:
    """
    Run a flow in this process; the Prefect server records it.

    Raises:
        ConfigError: If the flow takes no such parameters.
        Unreachable: If that server does not answer.
    """
    from flows.ops.environment import use_prefect

    where = settings()
    require_prefect(where)
    use_prefect(where)
    from flows.cli.flowlog import quieten
    from flows.ops.deployments import load_flow

    flow = load_flow(entrypoint)
    quieten(debugging=debugging())
    from prefect.exceptions import ParameterTypeError

    try:
        return flow(**parameters)
    except ParameterTypeError as error:
        mistakes = str(error).partition(" - ")[2].replace("Value error, ", "").split("\n - ")
        raise ConfigError("Nothing was run.", f"{'; '.join(mistakes)}.", "Correct what is named.") from error


def look_soon(model: str, as_of: str | None) -> None:
    """Let Prefect, if it is there, look at the rollout of *model* now, unless somebody plays another time."""
    if as_of is None:
        from flows.client.nudge import ask_for_a_look

        ask_for_a_look(settings(), model)


def debugging() -> bool:
    """Whether tracebacks are wanted."""
    return os.environ.get("UNDERSTUDY_DEBUG", "") not in ("", "0")


def require_prefect(where: "Settings") -> None:
    """Make sure that the Prefect server answers."""
    from flows.ops.health import get

    answer = get(f"{where.prefect_api_url}/health", timeout=PATIENCE)
    if answer is None or answer.status_code != 200:
        raise Unreachable(
            f"The Prefect server at {where.prefect_api_url} does not answer.",
            f"Nothing listens there, or is silent for {PATIENCE:g} seconds."
            if answer is None
            else f"It answers {answer.status_code}.",
            "Start it with `understudy up`, or look at `understudy status`.",
        )
