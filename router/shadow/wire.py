"""What the shadow process and the process of one version say to each other, over a socket."""

import socket
import struct
import time

import msgspec

_LENGTH = struct.Struct("<I")
MOST = 256 << 20


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """
    First message to a child.

    Attributes:
        version: JSON of the `ModelVersion`.
        loader: "module:function" that takes the folder of all artifacts and returns a loader of scorers.
    """

    version: bytes
    loader: str
    models_dir: str
    memory_mb: float


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """Its answer; *said* tells why it could not load the version, or is empty."""

    said: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """
    What it says of a group of copies, sent as a JSON array of features.

    Attributes:
        errors: Reason for each copy that has no score; empty if all have one.
        latency_ms: Of one copy, on average.
    """

    scores: list[float | None]
    predictions: list[float | int | None]
    errors: list[str | None] = []
    latency_ms: float = 0.0


class Gone(Exception):
    """The other side closed, or sent nonsense."""


def send(sock: socket.socket, message: bytes, seconds: float | None = None) -> None:
    """
    Send one message.

    Raises:
        TimeoutError: If the other side does not take it in time.
        OSError: If it is gone.
    """
    sock.settimeout(seconds)
    sock.sendall(_LENGTH.pack(len(message)))
    sock.sendall(message)


def receive(sock: socket.socket, seconds: float | None = None) -> bytes:
    """
    Wait for one message.

    Raises:
        TimeoutError: If it does not come in time.
        Gone: If it will never come.
        OSError: The same.
    """
    end = None if seconds is None else time.monotonic() + seconds
    [length] = _LENGTH.unpack(_exactly(sock, _LENGTH.size, end))
    if length > MOST:
        raise Gone(f"a message of {length} bytes")
    return bytes(_exactly(sock, length, end))


def _exactly(sock: socket.socket, size: int, end: float | None) -> bytearray:
    found = bytearray(size)
    view = memoryview(found)
    while view:
        if end is not None:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError
            sock.settimeout(left)
        else:
            sock.settimeout(None)
        took = sock.recv_into(view)
        if not took:
            raise Gone("closed")
        view = view[took:]
    return found
