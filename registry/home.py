"""Where everything lives: one state folder, three ports, a few tokens."""

import errno
import ipaddress
import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from registry.errors import RegistryError, StoreUnavailable

LEAST_TOKEN = 16


class OpenDoor(RegistryError):
    """A server that strangers could reach, and command; it was not started."""


def _absolute(path: Path) -> Path:
    """The same folder for processes that start elsewhere."""
    return path.expanduser().absolute()


class Settings(BaseSettings):
    """Read from `UNDERSTUDY_*` environment variables; every default works offline, an empty one is none."""

    model_config = SettingsConfigDict(env_prefix="UNDERSTUDY_", env_ignore_empty=True, frozen=True, extra="ignore")

    home: Annotated[Path, AfterValidator(_absolute)] = Field(
        default_factory=lambda: Path.home() / ".understudy", description="State folder"
    )
    host: str = Field(default="127.0.0.1", description="Address that all servers bind to")
    router_port: int = Field(default=3000, ge=1, le=65535)
    admin_port: int = Field(default=3001, ge=1, le=65535)
    prefect_port: int = Field(default=4200, ge=1, le=65535)
    router_workers: int = Field(default=1, ge=1, le=64, description="Processes that answer callers")
    database_url: str | None = Field(default=None, description="SQLAlchemy URL; SQLite in the state folder if absent")
    admin_token: str | None = Field(
        default=None, description="Bearer token; made and kept in the state folder if absent"
    )
    admin_tokens_file: Annotated[Path, AfterValidator(_absolute)] | None = Field(
        default=None,
        description="Further bearer tokens, with names and roles; admin-tokens in the state folder if absent",
    )

    @property
    def registry_url(self) -> str:
        """SQLAlchemy URL of the registry."""
        return self.database_url or f"sqlite:///{self.registry_file}"

    @property
    def registry_file(self) -> Path:
        """The embedded registry database."""
        return self.home / "registry.sqlite"

    @property
    def router_url(self) -> str:
        """Base address of the serving port."""
        return _origin(self.host, self.router_port)

    @property
    def admin_url(self) -> str:
        """Base address of the admin port."""
        return _origin(self.host, self.admin_port)

    @property
    def prefect_api_url(self) -> str:
        """`PREFECT_API_URL` of the local server, unless the environment names another."""
        return os.environ.get("PREFECT_API_URL") or f"{_origin(self.host, self.prefect_port)}/api"

    @property
    def models_dir(self) -> Path:
        """`BENTOML_HOME`: bytes of all artifacts."""
        return self.home / "bentoml"

    @property
    def events_dir(self) -> Path:
        """Event segments, one folder per model."""
        return self.home / "events"

    @property
    def run_dir(self) -> Path:
        """Process ids, sockets, counters and last good plans."""
        return self.home / "run"

    @property
    def shadow_position(self) -> Path:
        """How far the shadow has read the log; `run/shadow.json` is what the supervisor knows of its process."""
        return self.run_dir / "shadow-position.json"

    @property
    def logs_dir(self) -> Path:
        """Output of the supervised processes."""
        return self.home / "logs"

    @property
    def reports_dir(self) -> Path:
        """HTML reports, one folder per model."""
        return self.home / "reports"

    @property
    def decisions_dir(self) -> Path:
        """What each decision was computed from, one folder per model."""
        return self.home / "decisions"

    @property
    def configs_dir(self) -> Path:
        """One validated YAML per model."""
        return self.home / "configs"

    @property
    def replays_dir(self) -> Path:
        """Progress and results of replays."""
        return self.home / "replays"

    @property
    def prefect_home(self) -> Path:
        """`PREFECT_HOME` of the local server."""
        return self.home / "prefect"

    def prepare(self) -> "Settings":
        """
        Create the state folder.

        Raises:
            StoreUnavailable: If it cannot be created or written.
        """
        folders = [
            self.models_dir,
            self.events_dir,
            self.run_dir,
            self.logs_dir,
            self.reports_dir,
            self.decisions_dir,
            self.configs_dir,
            self.replays_dir,
            self.prefect_home,
        ]
        try:
            for folder in folders:
                folder.mkdir(parents=True, exist_ok=True)
                if not os.access(folder, os.W_OK | os.X_OK):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
            (self.home / ".writable").touch()
        except OSError as error:
            raise StoreUnavailable(
                f"The state folder {self.home} cannot be used.",
                f"{error.filename or self.home}: {error.strerror or error}.",
                "Set UNDERSTUDY_HOME to a folder that you may write to.",
            ) from error
        return self

    @property
    def tokens_file(self) -> Path:
        """Tokens with names and roles, one per line; see `router.admin.tokens`. It need not exist."""
        return self.admin_tokens_file or self.home / "admin-tokens"

    @property
    def public(self) -> bool:
        """Whether others than this machine can reach the servers."""
        return not _is_loopback(self.host)

    def refuse_open_door(self) -> None:
        """
        Let no server be reached by strangers before somebody has chosen who may command it.

        Raises:
            OpenDoor: If the address is public and no token was set explicitly, or one that can be guessed.
        """
        if not self.public or (self.admin_token is None and self.admin_tokens_file is not None):
            return
        if self.admin_token is None:
            why = f"UNDERSTUDY_HOST is {self.host}, which others can reach, and no token was set for them."
        elif len(self.admin_token) < LEAST_TOKEN:
            length = len(self.admin_token)
            why = f"UNDERSTUDY_HOST is {self.host}, and UNDERSTUDY_ADMIN_TOKEN has only {length} characters."
        else:
            return
        raise OpenDoor(
            "The server was not started.",
            why,
            f"Set UNDERSTUDY_ADMIN_TOKEN to {LEAST_TOKEN} characters or more, e.g. of `openssl rand -hex 32`, "
            "or UNDERSTUDY_ADMIN_TOKENS_FILE; or leave UNDERSTUDY_HOST at 127.0.0.1.",
        )

    @property
    def has_token(self) -> bool:
        """Whether anybody has needed the token yet: a router, or who commands one."""
        return bool(self.admin_token) or (self.home / "admin-token").exists()

    def token(self) -> str:
        """Bearer token of the admin port; made once, readable by its owner only."""
        if self.admin_token:
            return self.admin_token
        path = self.home / "admin-token"
        if not path.exists():
            self.home.mkdir(parents=True, exist_ok=True)
            _write_once(path, secrets.token_urlsafe(32))
        return path.read_text().strip()


def _origin(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name: who else answers to it is not known
        return False


def _write_once(path: Path, text: str) -> None:
    """Whole or not at all, even if killed; who comes second leaves the first one's text."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".admin-token-")  # readable by its owner only
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        with suppress(FileExistsError):
            Path(path).hardlink_to(draft)
    finally:
        Path(draft).unlink()
