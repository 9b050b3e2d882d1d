"""The file `upstream.json` of an artifact: where a remote version answers, and how it is asked."""

import re
from math import isfinite
from typing import Any, Literal
from urllib.parse import urlsplit

from registry.errors import InvalidRecord
from registry.records.base import Record

UPSTREAM_FILE = "upstream.json"
ROWS, NAMES = "$rows", "$names"
Protocol = Literal["json", "v2", "mlflow"]
Layout = Literal["named", "placed", "columns", "matrix", "split"]
LAYOUTS: dict[str, tuple[Layout, ...]] = {
    "json": ("named", "placed", "columns"),
    "v2": ("columns", "matrix"),
    "mlflow": ("split", "columns", "matrix"),
}
SECRET = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)*")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OURS = {
    "host",
    "content-length",
    "content-type",
    "transfer-encoding",
    "connection",
    "accept-encoding",
    "te",
    "upgrade",
}
_SECRETS = re.compile(r"authorization|cookie|token|secret|password|api-?key", re.IGNORECASE)
_MOST_BYTES = 64 << 20


class Upstream(Record, frozen=True, kw_only=True):
    """
    A model server, and how rows become its request and its reply becomes scores.

    Attributes:
        url: Of the service: the whole address (json), or the server's base (v2, mlflow).
        protocol: "json": any service that takes a list of rows; "v2": the open inference protocol
            (MLServer, Seldon, KServe, Triton); "mlflow": `mlflow models serve`.
        model: Name of the model on a v2 server.
        layout: How rows are written. "named": objects by feature (json); "placed": arrays by position
            (json); "columns": values by feature; "matrix": one array of rows; "split": MLflow's
            `dataframe_split`. The first that the protocol knows if absent.
        input: Name of the one tensor of a v2 "matrix".
        output: Output tensor of a v2 server that is asked for and read; the first if absent.
        request: Template of a json request: "$rows" stands for the rows, "$names" for their names.
        scores: JSON pointer to the list with one entry per row in a json reply.
        score: JSON pointer to the number within an entry, e.g. "/1" for the second class.
        names: What the service calls a feature, where it calls it otherwise.
        headers: Sent along; `${NAME}` is read from the router's environment when the version is
            loaded, and is stored nowhere.
        ca_file: PEM file of the authorities that are trusted instead of the public ones; where the router runs.
        connect_ms: Milliseconds that connecting may take.
        deadline_ms: Milliseconds that the champion's answer may take; a challenger's deadline is the plan's.
        connections: At most so many requests at once, per router worker; rows that come meanwhile share the next.
        reply_bytes: Larger replies are refused.
        threshold: A binary score at or above it predicts 1.
    """

    format: Literal["understudy-upstream-1"] = "understudy-upstream-1"
    url: str
    protocol: Protocol
    model: str | None = None
    layout: Layout | None = None
    input: str = "input-0"
    output: str | None = None
    request: Any = None
    scores: str | None = None
    score: str = ""
    names: dict[str, str] = {}
    headers: dict[str, str] = {}
    ca_file: str | None = None
    connect_ms: float = 500.0
    deadline_ms: float = 1000.0
    connections: int = 16
    reply_bytes: int = 1 << 20
    threshold: float = 0.5

    def __post_init__(self) -> None:
        """Refuse an upstream that could not be asked, with all its mistakes."""
        mistakes = [
            *_url_mistakes(self.url),
            *self._ca_mistakes(),
            *self._protocol_mistakes(),
            *self._template_mistakes(),
            *self._header_mistakes(),
            *self._limit_mistakes(),
        ]
        if mistakes:
            raise InvalidRecord.of(
                "The upstream", mistakes, "Correct the fields named; docs/router/remote.md has each."
            )

    @property
    def form(self) -> Layout:
        """The layout in force."""
        return self.layout or LAYOUTS[self.protocol][0]

    def mistakes_for(self, features: dict[str, str]) -> list[str]:
        """
        Say what does not fit a model.

        Args:
            features: Kind of each feature by its name.
        """
        mistakes = [f"names has {name!r}, which is no feature" for name in self.names if name not in features]
        called = [self.names.get(name, name) for name in features]
        mistakes += [f"two features are called {name!r}" for name in sorted({n for n in called if called.count(n) > 1})]
        mistakes += [f"a feature is called {ROWS!r}, which stands for the rows" for name in called if name == ROWS]
        words = [name for name, kind in features.items() if kind == "categorical"]
        if self.protocol == "v2" and self.form == "matrix" and words:
            mistakes.append(
                f"layout 'matrix' holds numbers only, but {', '.join(words)} are categorical: use 'columns'"
            )
        return mistakes

    def secrets(self) -> list[str]:
        """Names of the environment variables that the headers need."""
        return sorted({name for value in self.headers.values() for name in SECRET.findall(value)})

    def _protocol_mistakes(self) -> list[str]:
        known = LAYOUTS[self.protocol]
        mistakes = []
        if self.form not in known:
            mistakes.append(f"layout {self.layout!r} is none of {self.protocol}'s: {', '.join(known)}")
        if self.protocol == "v2" and not self.model:
            mistakes.append("model is missing: the name of the model on the v2 server")
        alien = {"model": ("v2",), "output": ("v2",), "request": ("json",), "scores": ("json",)}
        mistakes += [
            f"{name} is not used by {self.protocol}, only by {', '.join(users)}"
            for name, users in alien.items()
            if getattr(self, name) is not None and self.protocol not in users
        ]
        return mistakes

    def _template_mistakes(self) -> list[str]:
        mistakes = [
            f"{field} {value!r} is no JSON pointer: it is empty, or begins with '/'"
            for field, value in (("scores", self.scores or ""), ("score", self.score))
            if not _POINTER.fullmatch(value)
        ]
        if self.request is None:
            return mistakes
        words, keys = _strings(self.request)
        if words.count(ROWS) != 1:
            mistakes.append(f"request has {words.count(ROWS)} places for '{ROWS}', not 1")
        mistakes += [f"request has the unknown place {w!r}; there are {ROWS} and {NAMES}" for w in words if _alien(w)]
        mistakes += [f"request has {key!r} as a name; it stands for a value" for key in keys if key in (ROWS, NAMES)]
        return mistakes

    def _ca_mistakes(self) -> list[str]:
        if self.ca_file is None or (self.url.startswith("https://") and self.ca_file.startswith("/")):
            return []
        return [f"ca_file {self.ca_file!r} needs an https:// address, and a path that begins with '/'"]

    def _header_mistakes(self) -> list[str]:
        mistakes = []
        for name, value in self.headers.items():
            if not _HEADER.fullmatch(name) or name.lower() in _OURS:
                mistakes.append(f"header {name!r} cannot be set")
            elif not value.isascii() or not value.isprintable():
                mistakes.append(f"header {name} is not printable ASCII")
            elif _SECRETS.search(name) and not SECRET.search(value):
                mistakes.append(f"header {name} holds a secret; write ${{NAME}}, and set NAME where the router runs")
        taken = [name for name in self.secrets() if name.upper().startswith("UNDERSTUDY_")]
        return mistakes + [f"headers name ${{{name}}}, which belongs to Understudy" for name in taken]

    def _limit_mistakes(self) -> list[str]:
        mistakes = [
            f"{name} {getattr(self, name)} is not above 0 and at most 600000"
            for name in ("connect_ms", "deadline_ms")
            if not 0 < getattr(self, name) <= 600_000
        ]
        if not 1 <= self.connections <= 1024:
            mistakes.append(f"connections {self.connections} is not between 1 and 1024")
        if not 1 <= self.reply_bytes <= _MOST_BYTES:
            mistakes.append(f"reply_bytes {self.reply_bytes} is not between 1 and {_MOST_BYTES}")
        if not isfinite(self.threshold):
            mistakes.append(f"threshold {self.threshold} is not finite")
        return mistakes


def _url_mistakes(url: str) -> list[str]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return [f"url {url!r} is no address: {error}"]
    if parts.username is not None or parts.password is not None:
        return ["url holds a user or password; send a header with ${NAME} instead"]
    mistakes = []
    if parts.scheme not in ("http", "https") or not parts.hostname:
        mistakes.append(f"url {url!r} is no http:// or https:// address")
    if port == 0 or not url.isascii() or not url.isprintable() or " " in url:
        mistakes.append(f"url {url!r} has a port 0, blanks, or is not ASCII")
    if parts.fragment:
        mistakes.append(f"url {url!r} has a fragment, which is never sent")
    return mistakes


def _strings(value: Any) -> tuple[list[str], list[str]]:
    """All texts of a JSON value: those that are values, and those that are names."""
    if isinstance(value, str):
        return [value], []
    items = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list | tuple) else []
    found = [_strings(item) for item in items]
    keys = list(value) if isinstance(value, dict) else []
    return [word for words, _ in found for word in words], keys + [key for _, names in found for key in names]


def _alien(word: str) -> bool:
    return re.fullmatch(r"\$[a-z_]+", word) is not None and word not in (ROWS, NAMES)
