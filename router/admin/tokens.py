"""Who holds which token, and what it lets them do."""

import hashlib
import logging
import os
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

from registry.errors import InvalidRecord
from registry.home import LEAST_TOKEN
from registry.records.base import name_mistakes

log = logging.getLogger("understudy.control")
Role = Literal["viewer", "operator", "approver"]
ROLES: tuple[Role, ...] = ("viewer", "operator", "approver")
_HASHED = "sha256:"


class Caller(NamedTuple):
    """
    Who asks.

    Attributes:
        name: Of the token; None for the one that a whole machine shares, which vouches for nobody.
        role: What it may do; each role may do what those before it may.
    """

    name: str | None
    role: Role

    def may(self, role: Role) -> bool:
        """Whether this caller has *role*, or a higher one."""
        return ROLES.index(self.role) >= ROLES.index(role)


class TokenBook:
    """
    All tokens: the shared one, and those of a file, which is read again whenever it changes.

    A line of the file is `name role token`, the token as it is sent or as `sha256:` and its digest in
    hexadecimal; blank lines and those that begin with `#` say nothing.

    Args:
        shared: May do everything.
        file: Need not exist.

    Raises:
        InvalidRecord: If the file cannot be understood, with all its mistakes.
    """

    def __init__(self, shared: str, file: Path | None = None) -> None:
        self._shared = (_digest(shared.encode()), Caller(None, "approver"))
        self._file = file
        self._seen = _state(file)
        self._named = _read(file)

    def caller(self, token: bytes) -> Caller | None:
        """Who holds *token*; takes as long for a wrong one as for a right one."""
        self._follow()
        given, found = _digest(token), None
        for digest, caller in (self._shared, *self._named):
            if secrets.compare_digest(given, digest):
                found = caller
        return found

    def _follow(self) -> None:
        state = _state(self._file)
        if state == self._seen:
            return
        self._seen = state
        try:
            self._named = _read(self._file)
        except InvalidRecord as error:
            log.error("the tokens of %s stay as they were: %s", self._file, error)


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


def _state(file: Path | None) -> tuple[int, int, int] | None:
    try:
        found = os.stat(file) if file else None  # noqa: PTH116 - one system call per request
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino) if found else None


def _read(file: Path | None) -> list[tuple[bytes, Caller]]:
    try:
        text = file.read_text() if file else ""
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRecord.of(f"The file of tokens {file}", [str(error)], "Make it readable.") from error
    lines = [(n, line.split()) for n, line in enumerate(text.splitlines(), 1)]
    told = [(n, words) for n, words in lines if words and not words[0].startswith("#")]
    mistakes = [mistake for n, words in told for mistake in _mistakes(n, words)] or _twice(told)
    if mistakes:
        mend = "Write a line as `ann operator <token>`; roles are viewer, operator and approver."
        raise InvalidRecord.of(f"The file of tokens {file}", mistakes, mend)
    _warn_of_readers(file, [words[2] for _, words in told])
    return [(_stored(token), Caller(name, role)) for _, (name, role, token) in told]  # type: ignore[arg-type]


def _warn_of_readers(file: Path | None, tokens: Sequence[str]) -> None:
    if file is None or all(token.startswith(_HASHED) for token in tokens):
        return
    with suppress(OSError):
        if file.stat().st_mode & 0o077:
            log.warning("others may read the tokens in %s: `chmod 600` it, or keep their digests instead", file)


def _mistakes(number: int, words: list[str]) -> list[str]:
    # Never the token itself: this is for the log.
    if len(words) != 3:
        return [f"line {number} has {len(words)} words, expected name, role and token"]
    name, role, token = words
    mistakes = name_mistakes("the name", name)
    if role not in ROLES:
        mistakes.append(f"role {role!r} is none of {', '.join(ROLES)}")
    if token.startswith(_HASHED):
        if not _is_digest(token.removeprefix(_HASHED)):
            mistakes.append("its digest is not 64 hexadecimal digits")
    elif len(token) < LEAST_TOKEN:
        mistakes.append(f"its token has {len(token)} characters, expected at least {LEAST_TOKEN}")
    return [f"line {number}: {mistake}" for mistake in mistakes]


def _twice(told: Iterable[tuple[int, list[str]]]) -> list[str]:
    seen: dict[bytes, int] = {}
    mistakes = []
    for number, words in told:
        first = seen.setdefault(_stored(words[2]), number)
        if first != number:
            mistakes.append(f"line {number}: its token is that of line {first}")
    return mistakes


def _stored(token: str) -> bytes:
    return bytes.fromhex(token.removeprefix(_HASHED)) if token.startswith(_HASHED) else _digest(token.encode())


def _is_digest(text: str) -> bool:
    return len(text) == 64 and all(letter in "0123456789abcdefABCDEF" for letter in text)
