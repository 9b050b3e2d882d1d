"""Addresses of people: what is wrong with one, said without showing what is secret in it."""

import difflib
import fnmatch
import hashlib
import logging
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

PREFECT = "prefect"
BLOCKS = ("slack-webhook", "ms-teams-webhook", "custom-webhook")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}\Z")
_BLOCK = re.compile(r"prefect://([a-z-]+)/([a-z0-9]+(?:-[a-z0-9]+)*)\Z")
_PASSWORDS = frozenset({"pass", "password", "token"})
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_TEAMS = "Teams has retired these webhooks; make a workflow there, and write workflows://"


class Address(NamedTuple):
    """Where one message goes; everything but `kind` and `name` may be secret."""

    url: str

    @property
    def kind(self) -> str:
        """e.g. "mailtos"."""
        scheme = self.url.split("://", 1)[0]
        return scheme.lower() if "://" in self.url and _SCHEME.match(scheme) else "an address without scheme"

    @property
    def name(self) -> str:
        """Tell it from others of its kind, e.g. "mailtos:3f09c1"; a new password leaves it as it is."""
        return f"{self.kind}:{hashlib.sha256(_without_password(self.url).encode()).hexdigest()[:6]}"

    @property
    def block(self) -> tuple[str, str] | None:
        """Kind and name of the Prefect block that it names, if it is one."""
        found = _BLOCK.match(self.url)
        return (found[1], found[2]) if found else None


def addresses(urls: Iterable[str]) -> tuple[Address, ...]:
    """Every address once, in order."""
    return tuple(Address(url) for url in dict.fromkeys(urls))


def wanted(kind: str, only: Sequence[str]) -> bool:
    """Whether people want to hear of *kind*; patterns as of file names, e.g. "rollout.*"."""
    return not only or kind == "test" or any(fnmatch.fnmatchcase(kind, pattern) for pattern in only)


def mistakes(urls: Sequence[str]) -> list[str]:
    """Say what is wrong with each address that cannot be used; touches no network."""
    found = [(number, Address(url), wrong(url)) for number, url in enumerate(urls)]
    return [f"notify.urls.{number} ({address.kind}): {why}" for number, address, why in found if why]


def wrong(url: str) -> str:
    """Why *url* cannot be used; empty if it can."""
    address = Address(url)
    if url != url.strip() or "://" not in url or not _SCHEME.match(url.split("://", 1)[0]):
        return "it does not begin with a kind of address, e.g. mailtos://, slack://, workflows://, jsons://"
    if address.kind == PREFECT:
        return "" if address.block and address.block[0] in BLOCKS else _no_block()
    return _unknown(address.kind) or _unusable(url)


def _no_block() -> str:
    return f"write prefect://KIND/NAME, where KIND is one of {', '.join(BLOCKS)} and NAME is that of your block"


def _unknown(kind: str) -> str:
    from apprise.manager_plugins import NotificationManager

    manager: Any = NotificationManager  # it has no types
    known = sorted(manager().schemas())
    if kind in known or kind in ("http", "https"):
        return ""
    if kind == "msteams":
        return _TEAMS
    near = difflib.get_close_matches(kind, known, n=1)
    return f"Apprise knows no such kind{f', did you mean {near[0]}://?' if near else ''}"


def _unusable(url: str) -> str:
    plugin = instance(url)
    if plugin is None:
        return "it is not complete; docs/operations/notifications.md has a recipe for each kind"
    if not plugin.verify_certificate:
        return "it checks no certificate (verify=no); leave that out, and have the system trust your authority"
    if _sends_password_in_clear(plugin):
        return "it would send its password unencrypted; write mailtos://"
    return ""


def instance(url: str) -> Any:
    """
    Apprise's own object behind *url*; None if it cannot be made. Its log would show the address.

    It follows no redirect: most turn the message into a question that carries nothing, and is answered with 200; and
    whoever is pointed to would be sent the tokens of the address.
    """
    import apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    asset = apprise.AppriseAsset(http_redirects=False)
    return apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)


def _sends_password_in_clear(plugin: Any) -> bool:
    secured = getattr(plugin, "secure_mode", None)
    host = getattr(plugin, "smtp_host", "")
    return secured == "insecure" and bool(plugin.password) and host not in _LOOPBACK


def _without_password(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    user, at, host = parts.netloc.rpartition("@")
    query = urlencode([(name, value) for name, value in parse_qsl(parts.query) if name.lower() not in _PASSWORDS])
    return parts._replace(netloc=f"{user.partition(':')[0]}{at}{host}", query=query).geturl()
