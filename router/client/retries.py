"""When to ask again, and how long to wait before."""

import random
from collections.abc import Callable
from dataclasses import dataclass

import httpx

Said = httpx.Response | httpx.TransportError
_AGAIN = (429, 503)
_LOST = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """
    How patient a client is.

    Every row carries what makes asking again harmless, so a lost connection is asked again, too.
    An answer that did not come in time is not: a router that is too slow needs fewer requests, not more.

    Attributes:
        attempts: How often one request is sent at most.
        first_s: Upper bound of the first pause; doubled each time.
        most_s: Upper bound of any pause, also of one that the router asks for.
    """

    attempts: int = 3
    first_s: float = 0.05
    most_s: float = 2.0

    def __post_init__(self) -> None:
        """Refuse patience that makes no sense."""
        if self.attempts < 1 or not 0 <= self.first_s <= self.most_s:
            raise ValueError(f"{self} makes no sense: attempts are 1 or more, and 0 <= first_s <= most_s")

    def pause(self, said: Said, attempt: int, dice: Callable[[], float] = random.random) -> float | None:
        """
        Seconds until the next attempt; None if there should be none.

        Args:
            said: What came of the last one.
            attempt: Its number, from 1.
            dice: Uniform between 0 and 1.

        Source:
            Full jitter: Brooker (2015), "Exponential Backoff And Jitter", AWS Architecture Blog.
        """
        if attempt >= self.attempts or not _worth_it(said):
            return None
        wanted = _retry_after(said) if isinstance(said, httpx.Response) else 0.0
        jitter = dice() * min(self.most_s, self.first_s * 2.0 ** (attempt - 1))
        return min(self.most_s, wanted + jitter)


def _worth_it(said: Said) -> bool:
    return said.status_code in _AGAIN if isinstance(said, httpx.Response) else isinstance(said, _LOST)


def _retry_after(response: httpx.Response) -> float:
    text = response.headers.get("retry-after", "")
    return float(text) if text.isdecimal() and len(text) < 6 else 0.0
