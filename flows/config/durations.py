"""Durations as people write them: 30s, 15m, 6h, 7d, 8w."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_PATTERN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")


def parse(value: Any) -> Any:
    """Turn "6h" into a timedelta; leave anything that is no text to pydantic."""
    if not isinstance(value, str):
        return value
    match = _PATTERN.fullmatch(value.strip())
    if match is None:
        raise ValueError(f"{value!r} is no duration, write a number and s, m, h, d or w, e.g. 6h")
    try:
        return timedelta(seconds=float(match[1]) * _UNITS[match[2]])
    except OverflowError as error:
        raise ValueError(f"{value!r} is longer than time itself") from error


def text(duration: timedelta) -> str:
    """Write a duration in its largest whole unit, exactly."""
    seconds, rest = divmod(duration, timedelta(seconds=1))
    if rest:
        return f"{seconds}.{rest.microseconds:06}".rstrip("0") + "s"
    for unit in ("w", "d", "h", "m"):
        if seconds and seconds % _UNITS[unit] == 0:
            return f"{seconds // _UNITS[unit]}{unit}"
    return f"{seconds}s"


Duration = Annotated[timedelta, BeforeValidator(parse), PlainSerializer(text, return_type=str)]
