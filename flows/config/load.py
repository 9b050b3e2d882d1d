"""Read and check a model's YAML file; say all that is wrong at once."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from flows.config.model import ModelConfig
from flows.errors import ConfigError
from registry.errors import NotFound
from registry.home import Settings

_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def load_config(path: Path, environ: Mapping[str, str] = os.environ) -> ModelConfig:
    """
    Read one YAML file.

    Args:
        path: The file.
        environ: Where `${NAME}` and `${NAME:-default}` are looked up.

    Raises:
        ConfigError: With every mistake of the file.
    """
    try:
        raw: object = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigError(
            f"The configuration {path} cannot be read.",
            f"{error.strerror}.",
            "Give the path of a model's YAML file; `understudy init` writes one.",
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"The configuration {path} is no YAML.", f"{error}", "Correct the line named.") from error
    if not isinstance(raw, dict):
        raise ConfigError(
            f"The configuration {path} holds no keys.", f"It is {type(raw).__name__}.", "See `understudy init --help`."
        )
    missing: list[str] = []
    filled = _fill(raw, environ, missing)
    if missing:
        names = ", ".join(sorted(set(missing)))
        raise ConfigError(
            f"The configuration {path} needs the environment.", f"{names} is not set.", f"export {missing[0]}=..."
        )
    return parse_config(filled, str(path))


def parse_config(raw: Mapping[str, Any], source: str) -> ModelConfig:
    """Check a mapping; `source` names it in the refusal."""
    try:
        return ModelConfig.model_validate(raw)
    except ValidationError as error:
        mistakes = [_mistake(item) for item in error.errors()]
        raise ConfigError(
            f"The configuration {source} was refused.",
            "; ".join(mistakes) + ".",
            "Correct the keys named; `understudy init --help` shows a whole file.",
        ) from error


def registered_config(model: str, settings: Settings) -> ModelConfig:
    """
    The configuration that `understudy init` or a replay registered for *model*.

    Raises:
        NotFound: If there is none.
    """
    path = settings.configs_dir / f"{model}.yaml"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in settings.configs_dir.glob("*.yaml"))) or "none"
        raise NotFound(
            f"There is no model {model!r}.", f"Registered: {known}.", "Register it: `understudy init FILE.yaml`."
        )
    return load_config(path)


def register_config(config: ModelConfig, settings: Settings) -> Path:
    """Keep *config* under its model's name, where flows of any process find it."""
    path = settings.configs_dir / f"{config.model}.yaml"
    temporary = path.with_suffix(".tmp")
    temporary.write_text(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))
    temporary.replace(path)
    return path


def _mistake(item: Any) -> str:
    place = ".".join(str(part) for part in item["loc"]) or "file"
    if item["type"] == "extra_forbidden":
        return f"{place}: unknown key"
    message = item["msg"].removeprefix("Value error, ")
    given = "" if item["type"] in ("missing", "value_error") else f" (given: {item['input']!r})"
    return f"{place}: {message}{given}"


def _fill(value: Any, environ: Mapping[str, str], missing: list[str]) -> Any:
    if isinstance(value, dict):
        return {key: _fill(item, environ, missing) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, environ, missing) for item in value]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        name, default = match.groups()
        if name not in environ and default is None:
            missing.append(name)
        return str(environ.get(name, default))

    return _VARIABLE.sub(replace, value)
