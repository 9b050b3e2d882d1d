"""Read and check a model's YAML file; say all that is wrong at once."""

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from flows.config.mistakes import mistakes_of
from flows.config.model import ModelConfig
from flows.config.reading import read_yaml
from flows.errors import ConfigError
from registry.errors import NotFound, StoreUnavailable
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
    raw = read_yaml(path)
    missing: list[str] = []
    filled = _fill(raw, environ, missing)
    unset = list(dict.fromkeys(missing))
    wrong = mistakes_of(filled)
    mistakes = [f"the environment variable {name} is not set" for name in unset] + wrong
    if mistakes:
        export = f"`export {' '.join(f'{name}=...' for name in unset)}`. " if unset else ""
        raise _refusal(str(path), mistakes, export, rest=bool(wrong))
    return ModelConfig.model_validate(filled)


def parse_config(raw: Mapping[str, Any], source: str) -> ModelConfig:
    """Check a mapping; `source` names it in the refusal."""
    mistakes = mistakes_of(raw)
    if mistakes:
        raise _refusal(source, mistakes)
    return ModelConfig.model_validate(raw)


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


def named_model(model: str | None, settings: Settings) -> str:
    """
    Name the model that is meant: *model*, or the only one there is.

    Raises:
        NotFound: If none is named and there is not exactly one, or there is none of this name.
    """
    known = sorted(path.stem for path in settings.configs_dir.glob("*.yaml"))
    if not model and len(known) == 1:
        return known[0]
    if not model:
        why = f"There are {len(known)} to choose from: {', '.join(known)}." if known else "None is registered yet."
        mend = "Name one of them." if known else "Register one: `understudy init FILE.yaml`."
        raise NotFound("No model was named.", why, mend)
    registered_config(model, settings)
    return model


def register_config(config: ModelConfig, settings: Settings) -> Path:
    """
    Keep *config* under its model's name, where flows of any process find it, and nobody else its secrets.

    Raises:
        StoreUnavailable: If it cannot be written; what was registered before is left as it was.
    """
    path = settings.configs_dir / f"{config.model}.yaml"
    text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    try:
        _write_whole(path, text)
    except OSError as error:
        raise StoreUnavailable(
            f"{config.model} was not registered; nothing was changed.",
            f"{error.filename2 or error.filename or path}: {error.strerror or error}.",
            f"Make {settings.configs_dir} a folder that you may write to, with space left.",
        ) from error
    return path


def _write_whole(path: Path, text: str) -> None:
    """All or nothing, readable by its owner only; two who write at once do not mix."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
    finally:
        Path(draft).unlink(missing_ok=True)


def _refusal(source: str, mistakes: list[str], first: str = "", *, rest: bool = True) -> ConfigError:
    return ConfigError(
        f"The configuration {source} was refused.",
        "; ".join(mistakes) + ".",
        f"{first}Correct the keys named; `understudy init --help` shows a whole file." if rest else first.strip(),
    )


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
