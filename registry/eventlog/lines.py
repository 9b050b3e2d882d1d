"""One line of the event log: `crc32 in 8 hex digits, a space, JSON, newline`."""

from zlib import crc32


def frame(payload: bytes) -> bytes:
    """A line from the JSON of one event; newlines between its tokens become spaces."""
    if b"\n" in payload:  # a caller's own JSON may be spread over lines; inside strings they are always escaped
        payload = payload.replace(b"\n", b" ")
    return b"%08x %s\n" % (crc32(payload), payload)


def unframe(line: bytes) -> bytes | None:
    """The JSON of a line without its newline; None if the line is torn or altered."""
    payload = line[9:]
    try:
        return payload if line[8:9] == b" " and int(line[:8], 16) == crc32(payload) else None
    except ValueError:
        return None
