"""All that is wrong with a configuration, in words, at once."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from flows.config.model import ModelConfig
from flows.config.training import BUILT_IN
from registry.addresses import without_passwords

Place = tuple[str | int, ...]
_NAME = "1 to 63 lower-case letters, digits, - and _, a letter or digit at both ends"
# What a wrong key is taken for while the keys are checked against each other.
_ASSUMED = {"model": "m", "task": "binary", "target": "\0target", "features": {"numeric": ["\0feature"]}}
# Keys that cannot be judged where another one is wrong.
_METRICS = (("promotion", "metric"), ("promotion", "direction"), ("promotion", "goals"), ("promotion", "guardrails"))
_DEPENDENT: dict[Place, tuple[Place, ...]] = {
    ("task",): _METRICS,
    ("data", "kpis"): (("guards", "kpi"), ("detection", "rules"), *_METRICS),
    ("promotion", "metric"): (("promotion", "direction"), ("promotion", "goals")),
    ("promotion", "horizon"): (("promotion", "method"),),
    ("promotion", "alpha"): (("promotion", "power"),),
    ("detection", "window"): (("detection", "min_rows"),),
    ("detection", "min_rows"): (("detection", "window"),),
}
_NAMES: tuple[Place, ...] = (("model",), ("experiment", "layer", "name"))
_TEXT_OR_NUMBER: Place = ("data", "positive")
_FAMILIES: Place = ("training", "families")
_FAMILY = f"should be one of {', '.join(BUILT_IN)}, or module:Class, an estimator of your own"
_SAID = {
    "missing": "is missing",
    "extra_forbidden": "unknown key",
    "tuple_type": "should be a list, e.g. [a, b]",
    "dict_type": "should hold keys of its own",
    "model_type": "should hold keys of its own",
    "model_attributes_type": "should hold keys of its own",
    "string_pattern_mismatch": f"should be {_NAME}",
    "string_type": "should be text, in quotes",
    "too_short": "should not be empty",
    "invalid_key": "a key should be text",
}


def mistakes_of(raw: Mapping[str, Any]) -> list[str]:
    """
    Say everything that is wrong with a mapping; empty if nothing is.

    pydantic looks at keys together (a feature that is the target, a rule that names no
    metric) only once every single one is right; here that is done as well as the wrong
    ones let it be.
    """
    found = _errors(raw)
    if not found:
        return []
    places = [_place(error) for error in found]
    later = _errors(_repaired(raw, places)) if any(place != () for place in places) else []
    together = [error for error in later if error["type"] == "value_error" and not _touched(error["loc"], places)]
    return list(dict.fromkeys(_words(error) for error in [*found, *together]))


def _errors(raw: Mapping[str, Any]) -> list[Any]:
    try:
        ModelConfig.model_validate(raw)
    except ValidationError as error:
        return list(error.errors())
    return []


def _place(error: Any) -> Place:
    """Where a key must be dropped to go on: an item of the rules, a key of a section, or a section."""
    place: Place = error["loc"]
    if place[:2] == ("detection", "rules"):
        return place[:3]
    return place[:1] if place[:1] == ("rollout",) else place[:2]


def _touched(place: Place, wrong: list[Place]) -> bool:
    return place != () and any(place[: len(one)] == one for one in wrong)


def _repaired(raw: Mapping[str, Any], places: list[Place]) -> dict[str, Any]:
    copy = {key: _copied(value) for key, value in raw.items() if isinstance(key, str)}
    dependent = [one for place in places for one in _DEPENDENT.get(place, ())]
    for place in sorted({*places, *dependent}, key=lambda p: tuple(map(str, p)), reverse=True):
        _drop(copy, place)
    copy |= {key: value for key, value in _ASSUMED.items() if key not in copy}
    if isinstance(copy["features"], dict) and any(place[:1] == ("features",) for place in places):
        copy["features"].setdefault("numeric", ["\0feature"])
    return copy


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _drop(tree: Any, place: Place) -> None:
    *path, last = place or ("",)
    for step in path:
        try:
            tree = tree[step]
        except (KeyError, IndexError, TypeError):
            return
    if isinstance(tree, dict):
        tree.pop(last, None)
    elif isinstance(tree, list) and isinstance(last, int) and last < len(tree):
        del tree[last]


def _words(error: Any) -> str:
    place: Place = error["loc"]
    said = _SAID.get(error["type"]) or error["msg"].removeprefix("Value error, ")
    said = said.removeprefix("Input ").partition(", unable to")[0].partition(", got a number")[0]
    said = said.replace("datetime.timedelta(0)", "0s")
    if error["type"] == "string_pattern_mismatch" and place not in _NAMES:
        said = _FAMILY if place[:2] == _FAMILIES else "should not be blank"
    if place[:2] == _TEXT_OR_NUMBER:
        place, said = _TEXT_OR_NUMBER, "should be text or a whole number"
    said += _close(place) if error["type"] == "extra_forbidden" else ""
    path = ".".join(str(part) for part in place if part != "[key]")
    return f"{path}: {said}{_given(error)}" if path else f"{said}{_given(error)}"


def _given(error: Any) -> str:
    """What was written, unless that says nothing or may be a secret."""
    secret = error["loc"][:1] == ("notify",)
    if secret or error["type"] in ("missing", "value_error", "extra_forbidden"):
        return ""
    shown = without_passwords(repr(error["input"]))  # before it is cut, which would cut off the sign
    return f" (given: {shown if len(shown) <= 60 else shown[:57] + '...'})"


def _close(place: Place) -> str:
    """Suggest the key that was meant."""
    known = list(_keys(ModelConfig))
    siblings = [path[-1] for path in known if path[:-1] == tuple(p for p in place[:-1] if isinstance(p, str))]
    near = difflib.get_close_matches(str(place[-1]), siblings, n=1)
    elsewhere = [".".join(path) for path in known if path[-1] == place[-1]]
    meant = near or elsewhere[:1]
    return f", did you mean {meant[0]}?" if meant else f", known are {', '.join(siblings)}"


def _keys(model: type[BaseModel], before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        yield (*before, name)
        for section in _sections(field.annotation):
            yield from _keys(section, (*before, name))


def _sections(annotation: Any) -> Iterator[type[BaseModel]]:
    """Sections in an annotation, however deep: tuple[Section, ...] | None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _sections(part)
