"""Try the addresses of a model, one message each."""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from flows.notify.address import Address, addresses, wrong
from flows.notify.channel import OpenChannel, open_channel
from flows.notify.messages import trial
from flows.notify.outbox import whom
from registry.home import Settings


class Tried(NamedTuple):
    """
    What came of one address.

    Attributes:
        address: Its kind and a short name, e.g. "mailtos:3f09c1"; nothing secret.
        arrived: Whether the server took the message.
        said: Why not; without any text of the server's.
    """

    address: str
    arrived: bool
    said: str


def try_addresses(settings: Settings, model: str, *, through: OpenChannel = open_channel) -> list[Tried]:
    """
    Send a test message to each address, at the same time.

    Raises:
        NotFound: If there is no such model.
        ConfigError: If its configuration cannot be read.
    """
    known = addresses(whom(settings, model).urls)
    with ThreadPoolExecutor(max_workers=max(len(known), 1)) as pool:
        return list(pool.map(lambda address: _try(address, model, through), known))


def _try(address: Address, model: str, through: OpenChannel) -> Tried:
    message = trial(model)
    why = wrong(address.url)
    if why:
        return Tried(address.name, arrived=False, said=why)
    try:
        arrived = through(address)(message.title, message.body, message.level)
    except Exception as error:  # noqa: BLE001  an address may be wrong in any way
        return Tried(address.name, arrived=False, said=_cause(error))
    return Tried(address.name, arrived=arrived, said="" if arrived else "the server cannot be reached, or refused it")


def _cause(error: BaseException) -> str:
    known = {"ValueError": "there is no such block in Prefect", "NotificationError": "the server refused it"}
    return known.get(type(error).__name__, f"it cannot be used ({type(error).__name__})")
