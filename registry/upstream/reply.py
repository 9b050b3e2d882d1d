"""Replies into scores; what cannot be scores is refused with its reason."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from registry.upstream.failed import UpstreamFailed

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


def parse(raw: bytes) -> Any:
    """
    Parse JSON; NaN and Infinity, which Python services write, are numbers here.

    Raises:
        UpstreamFailed: "not_json".
    """
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        if b"NaN" in raw or b"Infinity" in raw:
            return _parse_leniently(raw)
        raise UpstreamFailed("not_json", str(error)[:200]) from error


def at(document: Any, tokens: Sequence[str]) -> Any:
    """
    Follow a JSON pointer.

    Raises:
        UpstreamFailed: "wrong_shape", if it leads nowhere.

    Source:
        RFC 6901.
    """
    for token in tokens:
        if isinstance(document, Mapping) and token in document:
            document = document[token]
        elif isinstance(document, list) and _INDEX.fullmatch(token) and int(token) < len(document):
            document = document[int(token)]
        else:
            raise UpstreamFailed("wrong_shape", f"there is no {token!r} in {_shown(document)}")
    return document


def tokens(pointer: str) -> tuple[str, ...]:
    """Split a JSON pointer; the empty one is the whole document."""
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])


def numbers(entries: Any, rows: int, within: Sequence[str]) -> list[float]:
    """
    One finite or infinite number per row; NaN for null.

    Args:
        entries: What the service says, one entry per row.
        rows: How many were asked.
        within: Where in an entry the number is.

    Raises:
        UpstreamFailed: "wrong_shape".
    """
    if not isinstance(entries, list):
        raise UpstreamFailed("wrong_shape", f"the scores are {_shown(entries)}, not a list")
    if len(entries) != rows:
        raise UpstreamFailed("wrong_shape", f"{len(entries)} scores for {rows} rows")
    return [_number(at(entry, within)) for entry in entries]


def tensor_rows(output: Any, rows: int) -> list[Any]:
    """
    Cut an output tensor of the v2 protocol into one entry per row.

    Returns:
        Numbers for shape (n,) or (n, 1), else lists of numbers.

    Raises:
        UpstreamFailed: "wrong_shape".
    """
    shape, data = at(output, ["shape"]), at(output, ["data"])
    if not isinstance(shape, list) or not shape or not all(isinstance(size, int) for size in shape) or shape[0] != rows:
        raise UpstreamFailed("wrong_shape", f"shape {_shown(shape)} for {rows} rows")
    flat = _flat(data)
    if not isinstance(flat, list) or not rows or len(flat) % rows:
        raise UpstreamFailed("wrong_shape", f"{len(flat)} values for {rows} rows")
    width = len(flat) // rows
    return flat if width == 1 else [flat[start : start + width] for start in range(0, len(flat), width)]


def _flat(data: Any) -> list[Any]:
    """Row-major; servers may nest by shape or not."""
    if not isinstance(data, list):
        raise UpstreamFailed("wrong_shape", f"data is {_shown(data)}")
    flat: list[Any] = data
    while any(isinstance(item, list) for item in flat):
        flat = [value for item in flat for value in (item if isinstance(item, list) else [item])]
    return flat


def _number(value: Any) -> float:
    if value is None:
        return float("nan")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UpstreamFailed("wrong_shape", f"a score is {_shown(value)}, not a number")
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def _parse_leniently(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise UpstreamFailed("not_json", str(error)[:200]) from error


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, Mapping):
        return f"an object with {', '.join(map(ascii, list(value)[:5])) or 'nothing'}"
    return ascii(value)[:60]
