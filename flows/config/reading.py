"""YAML as people write it: no key twice, and a refusal that names the line."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from flows.errors import ConfigError

_MOST = 100_000  # values in one file


class _Loader(yaml.SafeLoader):
    """PyYAML takes the last of two equal keys and says nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: dict[object, int] = {}
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                line = seen[key.value]
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key.value!r} is also in line {line}", key.start_mark
                )
            seen[str(key.value)] = key.start_mark.line + 1
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except ValueError as error:  # a value that looks like a date or number and is none
            said = f"{error} (write it in quotes if it is text)" if isinstance(node, yaml.ScalarNode) else str(error)
            raise yaml.constructor.ConstructorError(None, None, said, node.start_mark) from error


def read_yaml(path: Path) -> dict[str, Any]:
    """
    Read the keys of a file.

    Raises:
        ConfigError: If it cannot be read, is no YAML, or holds no keys.
    """
    raw = _read(path)
    if not isinstance(raw, dict):
        holds = "nothing" if raw is None else "a list" if isinstance(raw, list) else f"only {str(raw)[:40]!r}"
        raise ConfigError(
            f"The configuration {path} holds no keys.",
            f"It holds {holds}.",
            "`understudy init FILE --example` writes one to start from.",
        )
    return raw


def _read(path: Path) -> object:
    text = ""
    try:
        text = path.read_text("utf-8")
        raw: object = yaml.load(text, _Loader)  # noqa: S506  a safe loader
        _refuse_endless(raw)
    except OSError as error:
        raise ConfigError(
            f"The configuration {path} cannot be read.",
            f"{error.strerror}.",
            "Give the path of a model's YAML file; `understudy init FILE --example` writes one.",
        ) from error
    except UnicodeDecodeError as error:
        why = f"Byte {error.start + 1} is not UTF-8."
        raise ConfigError(f"The configuration {path} is no text.", why, "Save it as UTF-8.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        quotes = ' Between { and }, write "${NAME}" in quotes.' if "${" in text else ""
        mend = f"Correct the line named.{quotes}" if "Line" in _said(error) else "Correct the file."
        raise ConfigError(f"The configuration {path} is no YAML.", _said(error), mend) from error
    return raw


def _refuse_endless(raw: object) -> None:
    """Anchors can hold themselves, or each other more often than memory lasts."""
    waiting, seen = [raw], 0
    while waiting:
        one = waiting.pop()
        waiting += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        seen += 1
        if seen > _MOST:
            raise ValueError("an anchor (&) holds itself, or anchors hold too much")


def _said(error: Exception) -> str:
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return f"{str(error).splitlines()[0] if str(error) else type(error).__name__}."
    mark = error.problem_mark
    tab = " (indent with spaces, not tabs)" if "\\t" in (error.problem or "") else ""
    return f"Line {mark.line + 1}, column {mark.column + 1}: {error.problem}{tab}."
