"""Assignment without any server: JSON lines in, JSON lines out."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from registry.assignment import assign, bucket_of
from registry.errors import Refusal

_KNOWN = {"salt", "key", "slices", "overrides"}
_DIGITS = 4300


class Answer(NamedTuple):
    """One line of output; *wrong* ones belong to standard error."""

    text: str
    wrong: bool


def answer_lines(lines: Iterable[bytes]) -> Iterator[Answer]:
    """
    Answer every line that is not blank.

    A wrong line gives {"line", "error": {"what", "why", "mend"}}; the others are still answered.
    """
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _answer(number, line)


def _answer(number: int, line: bytes) -> Answer:
    try:
        return Answer(_text(assignment(_decoded(line))), wrong=False)
    except Refusal as refusal:
        error = {"what": refusal.what, "why": refusal.why, "mend": refusal.mend}
        return Answer(_text({"line": number, "error": error}), wrong=True)


def assignment(request: Any) -> dict[str, Any]:
    """
    Assign one request.

    Args:
        request: {"salt", "key", "slices": [[variant, weight], ...], "overrides"?: {variant: [key, ...]}}.
            The total is the sum of the weights. Overrides are looked at in the order of the slices.

    Returns:
        {"variant", "bucket", "enrolled", "reason"}; bucket is null, and variant "champion", where the
        key cannot be used or no slice has a weight. A forced key is told where it would stand.

    Raises:
        ConfigError: With everything that is wrong.
    """
    mistakes = _mistakes(request)
    if mistakes:
        from flows.errors import ConfigError

        raise ConfigError(
            "The line was not answered.",
            "; ".join(mistakes) + ".",
            'Write {"salt": "s", "key": "k", "slices": [["champion", 900000], ["challenger", 100000]]}.',
        )
    slices = [(variant, weight) for variant, weight in request["slices"]]
    overrides: Mapping[str, list[str | int]] = request.get("overrides") or {}
    forced = {variant: set(map(str, overrides[variant])) for variant, _ in slices if variant in overrides}
    key, salt = request.get("key"), request["salt"]
    found = assign(key, salt=salt, slices=slices, forced=forced)
    total = sum(weight for _, weight in slices)
    if found.reason == "forced" and total:
        found = found._replace(bucket=bucket_of(salt, str(key), total=total))
    return found._asdict()


def _decoded(line: bytes) -> Any:
    """Decode strictly but for lone surrogates, which JSON allows and UTF-8 does not."""
    import json

    from flows.errors import ConfigError

    try:
        return json.loads(line, parse_int=_integer)
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            "The line was not answered.", f"It is no JSON: {error}.", "Write one object per line."
        ) from error


def _integer(text: str) -> int | float:
    """An integer; one of thousands of digits, which Python refuses, is no key and no weight."""
    return int(text) if len(text) <= _DIGITS else float(text)


def _mistakes(request: Any) -> list[str]:
    if not isinstance(request, dict):
        return [f"it is {_kind(request)}, not an object"]
    mistakes = [f"unknown field {name!r}" for name in request.keys() - _KNOWN]
    salt = request.get("salt")
    if not isinstance(salt, str) or not salt or ":" in salt or not _encodable(salt):
        mistakes.append(f"salt {salt!r} is not text without ':'")
    return [*mistakes, *_slice_mistakes(request.get("slices")), *_override_mistakes(request)]


def _slice_mistakes(slices: Any) -> list[str]:
    if not isinstance(slices, list) or not slices:
        return ["slices is not a list of [variant, weight]"]
    mistakes = [f"slice {one!r} is not [variant, weight]" for one in slices if not _is_slice(one)]
    good = [one for one in slices if _is_slice(one)]
    mistakes += [f"weight {weight} of {variant!r} is negative" for variant, weight in good if weight < 0]
    return mistakes


def _is_slice(one: Any) -> bool:
    return (
        isinstance(one, list)
        and len(one) == 2
        and isinstance(one[0], str)
        and bool(one[0])
        and isinstance(one[1], int)
        and not isinstance(one[1], bool)
    )


def _override_mistakes(request: Mapping[str, Any]) -> list[str]:
    overrides = request.get("overrides")
    if overrides is None:
        return []
    if not isinstance(overrides, dict):
        return ["overrides is not an object"]
    slices = request.get("slices")
    known = {one[0] for one in slices if _is_slice(one)} if isinstance(slices, list) else set()
    mistakes = [f"override {variant!r} has no slice" for variant in overrides if variant not in known]
    wrong = [variant for variant, keys in overrides.items() if not _are_keys(keys)]
    return mistakes + [f"override {variant!r} is not a list of keys" for variant in wrong]


def _are_keys(keys: Any) -> bool:
    return isinstance(keys, list) and all(isinstance(key, str | int) and not isinstance(key, bool) for key in keys)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kind(value: Any) -> str:
    return {list: "a list", str: "text", type(None): "null", bool: "a boolean"}.get(type(value), "a number")


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
