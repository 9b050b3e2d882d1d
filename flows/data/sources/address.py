"""The address of a database, with and without its secrets."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from flows.errors import DataError

_HIDDEN = "***"
_PREFIX = re.compile(r"^[A-Z_]+: (\[\w+\] )?")  # of the driver: IO: [libpq]
PATIENCE = "10"  # seconds that Postgres may take to answer at all


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """
    Where a database is.

    Attributes:
        scheme: sqlite, postgres or postgresql.
        uri: For its driver; holds the password.
        shown: For people.
        secrets: That must not be shown.
    """

    scheme: str
    uri: str
    shown: str
    secrets: tuple[str, ...] = ()

    @classmethod
    def of(cls, source: str) -> "Address":
        """
        Take an address apart.

        Raises:
            DataError: If it cannot be one.

        Example:
            >>> Address.of("postgresql://ann:secret@db:5432/sales").shown
            'postgresql://ann@db:5432/sales'
        """
        scheme, _, rest = source.partition("://")
        if scheme == "sqlite":
            return cls(scheme=scheme, uri=_file(rest), shown=source)
        try:
            parts = urlsplit(source)
            port = f":{parts.port}" if parts.port else ""
            if "@" in parts.path + parts.query + parts.fragment:
                raise ValueError("a sign of the password has ended the host")
        except ValueError:
            raise DataError(
                f"{scheme}://{_HIDDEN} was not read.",
                "Its host or port cannot be read, perhaps for a sign in the password.",
                "Write it as postgresql://user:password@host:5432/database, special characters as %40.",
            ) from None
        options = dict(parse_qsl(parts.query))
        secrets = [value for name, value in options.items() if name in ("password", "sslpassword")]
        secrets += [one for one in (parts.password, unquote(parts.password or "")) if one]
        user = f"{parts.username}@" if parts.username else ""
        return cls(
            scheme=scheme,
            uri=parts._replace(query=urlencode({"connect_timeout": PATIENCE} | options)).geturl(),
            shown=f"{scheme}://{user}{parts.hostname or ''}{port}{parts.path}",
            secrets=tuple(sorted({*secrets}, key=len, reverse=True)),
        )

    def without_secrets(self, said: str) -> str:
        """Leave the first lines of what a driver has said, in one, without what nobody should see."""
        for secret in (self.uri, *self.secrets):
            said = said.replace(secret, _HIDDEN)
        said = re.sub(r"(postgres(?:ql)?://[^\s:@/]*):[^\s@]*@", rf"\1:{_HIDDEN}@", said)
        lines = [line.strip() for line in said.splitlines() if line.strip() and not line.startswith("query:")]
        return _PREFIX.sub("", " ".join(lines[:3])).rstrip(".?")


def _file(rest: str) -> str:
    """As SQLAlchemy writes it: sqlite:///relative, sqlite:////absolute."""
    return rest.removeprefix("/")
