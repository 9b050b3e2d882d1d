"""Let nobody new into the queue of a listening socket, while those who are in it are still answered."""

import ctypes
import socket
import struct
import sys
from contextlib import suppress

_SO_ATTACH_FILTER = 26
_RETURN_NOTHING = struct.pack("HBBI", 0x06, 0, 0, 0)  # struct sock_filter: BPF_RET, 0 bytes of every packet


def deafen(descriptor: int) -> None:
    """
    Drop every packet that asks this TCP socket for a new connection (Linux; elsewhere nothing happens).

    Closing it instead would reset whom the kernel has let in and nobody has accepted yet.
    Callers ask again after a second; by then the socket is closed, and they are refused.
    """
    if sys.platform != "linux":
        return
    program = ctypes.create_string_buffer(_RETURN_NOTHING)
    with suppress(OSError), socket.socket(fileno=descriptor) as listening:
        try:
            listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(program)))
        finally:
            listening.detach()
