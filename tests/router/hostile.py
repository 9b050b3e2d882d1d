"""
Requests that no well-behaved client sends, and what a router that cannot be broken makes of them.

`attack(port)` sends every case to a serving port of model "m" (features x: numeric, c: categorical) over
plain sockets and returns one sentence per finding; none means that every case was answered or refused as
it should be, in time, and that no worker died of it. Run against any port: python tests/router/hostile.py PORT
"""

import gzip
import json
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

TIMEOUT_S = 10.0
ROW = {"key": "k", "features": {"x": 0.5, "c": "a"}}
LONE = "\\ud800"  # as JSON writes it


class Case(NamedTuple):
    """
    One hostile exchange.

    Attributes:
        pieces: What is sent, one write each.
        statuses: Of the first answer; any of them is right.
        says: Parts of the refusal: field, value, expectation. With any, the body must be a refusal of three parts.
        replies: How many answers must come.
        closes: Whether hanging up without an answer is right, too.
        half: Whether the sender stops in mid-request.
    """

    name: str
    pieces: tuple[bytes, ...]
    statuses: tuple[int, ...]
    says: tuple[str, ...] = ()
    replies: int = 1
    closes: bool = False
    half: bool = False


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def attack(
    port: int, *, paths: tuple[str, str] = ("/v1/models/m/predict", "/v1/models/m/outcomes"), only: str = ""
) -> list[str]:
    """
    Send every case whose name holds *only*.

    Returns:
        One sentence per finding.
    """
    before, findings = workers(port), []
    for case in cases(*paths):
        if only not in case.name:
            continue
        finding = judge(case, *send(port, case))
        if finding:
            findings.append(f"{case.name}: {finding}")
        if not _well(port, paths[0]):
            findings.append(f"{case.name}: the next good request was not answered")
    lost = before - workers(port)
    return findings + ([f"workers {sorted(lost)} died"] if lost else [])


def send(port: int, case: Case) -> tuple[list[Reply], float]:
    """The answers to one case, and how many seconds they took."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for piece in case.pieces:
                connection.sendall(piece)
                if len(case.pieces) > 1:
                    time.sleep(0.0005)
            if case.half:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused before all was sent; the answer is still to be read
        replies = _read(connection, case)
    return replies, time.monotonic() - began


def judge(case: Case, replies: list[Reply], seconds: float) -> str | None:
    """What is wrong with the answers; None if nothing is."""
    if seconds >= TIMEOUT_S:
        return f"no end after {seconds:.0f} s, {len(replies)} of {case.replies} answers"
    if not replies:
        return None if case.closes else "hung up without an answer"
    if any(reply.status in (500, 502) for reply in replies):
        return f"status {[reply.status for reply in replies]}: {replies[-1].body[:200]!r}"
    if replies[0].status not in case.statuses:
        return f"status {replies[0].status}, expected {case.statuses}: {replies[0].body[:200]!r}"
    if len(replies) < case.replies and not case.closes:
        return f"{len(replies)} of {case.replies} answers"
    return _misspoken(case, replies[0])


def workers(port: int, looks: int = 12) -> set[int]:
    """Process ids of the workers behind *port*, as far as a dozen fresh connections show them."""
    asked = Case("readyz", (b"GET /readyz HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n",), (200,))
    return {json.loads(replies[0].body)["worker"] for _ in range(looks) if (replies := send(port, asked)[0])}


def _misspoken(case: Case, reply: Reply) -> str | None:
    if not case.says:
        return None
    try:
        document = json.loads(reply.body)
        told = document["why"]
        assert {"error", "why", "mend"} <= document.keys()
    except (ValueError, KeyError, TypeError, AssertionError):
        return f"no refusal of three parts: {reply.body[:200]!r}"
    missing = [part for part in case.says if part not in told]
    if missing:
        return f"the refusal does not say {missing}: {told[:300]!r}"
    return f"the refusal has {len(reply.body)} bytes" if len(reply.body) > 8192 else None


def _well(port: int, path: str) -> bool:
    good = Case("good", (_post(path, ROW),), (200,))
    return judge(good, *send(port, good)) is None


def _read(connection: socket.socket, case: Case) -> list[Reply]:
    data, replies = b"", []
    bodiless = case.pieces[0].startswith(b"HEAD ")
    deadline = time.monotonic() + TIMEOUT_S
    while len(replies) < case.replies and time.monotonic() < deadline:
        try:
            chunk = connection.recv(1 << 16)
        except TimeoutError:
            break
        except OSError:
            chunk = b""
        data += chunk
        while (found := _parse(data, bodiless, ended=not chunk)) is not None:
            reply, data = found
            if reply.status != 100:
                replies.append(reply)
        if not chunk:
            break
    return replies


def _parse(data: bytes, bodiless: bool, ended: bool) -> tuple[Reply, bytes] | None:
    head, found, rest = data.partition(b"\r\n\r\n")
    if not found:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    status = int(first.split()[1])
    if bodiless or status in (100, 204, 304):
        return Reply(status, headers, b""), rest
    if headers.get("transfer-encoding") == "chunked":
        return _unchunked(status, headers, rest)
    if "content-length" not in headers:
        return (Reply(status, headers, rest), b"") if ended else None
    length = int(headers["content-length"])
    return (Reply(status, headers, rest[:length]), rest[length:]) if len(rest) >= length else None


def _unchunked(status: int, headers: dict[str, str], rest: bytes) -> tuple[Reply, bytes] | None:
    body = b""
    while b"\r\n" in rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        if len(rest) < length + 2:
            return None
        body, rest = body + rest[:length], rest[length + 2 :]
        if length == 0:
            return Reply(status, headers, body), rest
    return None


def _post(path: str, body: object, *headers: str, version: str = "1.1", method: str = "POST") -> bytes:
    raw = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/{version}", "host: h", f"content-length: {len(raw)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + raw


def cases(predict: str, outcomes: str) -> Iterator[Case]:
    """All of them."""
    yield from _values(predict)
    yield from _documents(predict)
    yield from _batches(predict)
    yield from _sizes(predict)
    yield from _outcomes(outcomes)
    yield from _framing(predict)
    yield from _headers(predict)
    yield from _targets(predict)


Row = Callable[..., Case]


def _values(path: str) -> Iterator[Case]:
    def row(name: str, statuses: tuple[int, ...], *says: str, **fields: str) -> Case:
        # Fields are JSON text, so that they can hold what no encoder writes.
        told = {"key": '"k"', "features": '{"x": 0.5, "c": "a"}', **fields}
        body = "{" + ", ".join(f'"{field}": {text}' for field, text in told.items()) + "}"
        return Case(f"value: {name}", (_post(path, body),), statuses, says)

    yield from _texts(row)
    yield from _numbers(row)
    yield from _wrong_types(row)
    yield from _wrong_names(row)
    yield from _long_and_deep(row)


def _features(x: str = "0.5", c: str = '"a"') -> str:
    return f'{{"x": {x}, "c": {c}}}'


def _texts(row: Row) -> Iterator[Case]:
    yield row("lone surrogate as key", (200,), key=f'"{LONE}"')
    yield row(
        "lone surrogate as category", (422,), "features.c", "ud800", "expected", features=_features(c=f'"{LONE}"')
    )
    yield row("lone surrogate in a name", (422,), "unknown", features=f'{{"x": 1, "c": "a", "{LONE}": 1}}')
    yield row("lone surrogate as id", (422,), "id is", "ud800", "expected a string", id=f'"{LONE}"')
    yield row("two halves of a pair as key", (200,), key='"\\ud83d\\ude00"')
    yield row("NUL in key", (200,), key='"a\\u0000b"')
    yield row("NUL as category", (200,), features=_features(c='"\\u0000"'))
    yield row("NUL as id", (200, 422), id='"\\u0000"')


def _numbers(row: Row) -> Iterator[Case]:
    for name, number in {"400": "1" * 400, "5,000": "1" * 5000, "100,000": "9" * 100_000}.items():
        yield row(f"an integer of {name} digits as feature", (400, 422), features=_features(x=number))
        yield row(f"an integer of {name} digits as key", (200, 400, 422), key=number)
        yield row(f"an integer of {name} digits as time", (400, 422), time=number)
    for number in ("1e400", "-1e400", "1e39", "-4e38"):
        yield row(f"{number} as feature", (400, 422), features=_features(x=number))
    yield row(
        "1e39 says which", (422,), "features.x is 1e+39", "expected a finite number", features=_features(x="1e39")
    )
    yield row("1e-400 as feature", (200,), features=_features(x="1e-400"))
    for literal in ("NaN", "Infinity", "-Infinity", "nan", "+1", ".5", "0x1", "01", "1_000", "True", "undefined"):
        yield row(f"{literal} as feature", (400,), "JSON", features=_features(x=literal))
        yield row(f"{literal} beside a lone surrogate", (400,), "JSON", key=f'"{LONE}"', features=_features(x=literal))


def _wrong_types(row: Row) -> Iterator[Case]:
    for text, shown in {'"old"': "'old'", "[]": "[]", "{}": "{}", '"1"': "'1'"}.items():
        told = ("features.x", shown, "expected a finite number")
        yield row(f"{text} as number", (422,), *told, features=_features(x=text))
    for text, shown in {"1": "1", "[]": "[]", "{}": "{}", "true": "True"}.items():
        told = ("features.c", shown, "expected a string")
        yield row(f"{text} as category", (422,), *told, features=_features(c=text))
    for text in ("null", '""', "1.5", "true", "[1]", "{}", "9223372036854775808", "-1", "18446744073709551616"):
        yield row(f"{text} as key", (200,), key=text)
    for text in ('""', "5", "[]", "true", f'"{"x" * 129}"'):
        yield row(f"{text[:9]} as id", (422,), "id is", "expected a string of 1 to 128", id=text)
    for text in ('"now"', "true", "1e300", "-1e300", "[]"):
        yield row(f"{text} as time", (422,), "time is", "expected epoch seconds", time=text)


def _wrong_names(row: Row) -> Iterator[Case]:
    yield row("a missing feature", (422,), "features.c is missing", "expected a string", features='{"x": 1}')
    yield row("a further feature", (422,), "'y'", "unknown", features='{"x": 1, "c": "a", "y": 2}')
    yield row("too few by position", (422,), "1 values", "expected 2", features="[1]")
    yield row("too many by position", (422,), "3 values", "expected 2", features='[1, "a", 2]')
    yield row("features null", (422,), "features is missing or null", "expected an object", features="null")
    yield row("features a text", (422,), "features is a string", "expected an object", features='"x"')
    yield row("an unknown field", (422,), "'weight'", "unknown field", weight="1")
    yield row("a name twice", (200, 400, 422), features='{"x": 1, "x": 2, "c": "a"}')
    yield row("a key twice", (200, 400, 422), key='"a", "key": "b"')


def _long_and_deep(row: Row) -> Iterator[Case]:
    yield row("a name of 1 MB", (422,), "unknown", features=f'{{"x": 1, "c": "a", "{"y" * 1_000_000}": 1}}')
    yield row("1,000 unknown names", (422,), "more", features=json.dumps({f"f{i}": i for i in range(1000)}))
    yield row("a category of 1 MB", (200, 413, 422), features=_features(c=f'"{"y" * 1_000_000}"'))
    yield row("an id of 1 MB", (422,), "id is", "expected", id=f'"{"y" * 1_000_000}"')
    yield row("a key of 1 MB", (200, 413, 422), key=f'"{"y" * 1_000_000}"')
    for depth in (100, 1000, 100_000):
        for opening, closing in (("[", "]"), ('{"a":', "}")):
            deep = opening * depth + "1" + closing * depth
            yield row(f"{opening} {depth} deep as feature", (400, 422), features=_features(x=deep))
            yield row(f"{opening} {depth} deep as key", (200, 400, 422), key=deep)
            yield row(f"{opening} {depth} deep beside a lone surrogate", (400, 422), key=f'"{LONE}"', features=deep)


def _documents(path: str) -> Iterator[Case]:
    good = json.dumps(ROW).encode()
    bodies = {
        "empty": b"",
        "blanks": b"  \n ",
        "null": b"null",
        "a number": b"1",
        "a text": b'"x"',
        "a list": b"[]",
        "a list of rows": b"[" + good + b"]",
        "half": good[:-5],
        "two": good + good,
        "and then garbage": good + b"x",
        "a comment": b"/* */" + good,
        "a comma too many": good[:-1] + b",}",
        "single quotes": good.replace(b'"', b"'"),
        "a byte order mark": b"\xef\xbb\xbf" + good,
        "UTF-16": good.decode().encode("utf-16"),
        "UTF-32": good.decode().encode("utf-32"),
        "Latin-1": b'{"key": "\xe9", "features": {"x": 1, "c": "a"}}',
        "overlong UTF-8": b'{"key": "\xc0\xaf", "features": {"x": 1, "c": "a"}}',
        "a raw NUL": b'{"key": "a\x00", "features": {"x": 1, "c": "a"}}',
        "a raw newline in a text": b'{"key": "a\n", "features": {"x": 1, "c": "a"}}',
        "only brackets": b"[" * 100_000,
        "only braces": b'{"a":' * 100_000,
        "a form": b"key=k&x=1",
        "MessagePack": b"\x82\xa3key\xa1k\xa8features\x92\x01\xa1a",
    }
    for name, body in bodies.items():
        yield Case(f"document: {name}", (_post(path, body),), (400,), ("It is",))
    packed = gzip.compress(good)
    yield Case("document: gzip", (_post(path, packed, "content-encoding: gzip"),), (400, 415), (" ",))
    yield Case("document: gzip not announced", (_post(path, packed),), (400,), ("JSON",))
    yield Case("document: an object of nothing", (_post(path, b"{}"),), (422,), ("features is missing or null",))
    for kind in ("text/plain", "application/xml", "x", "application/json; charset=utf-16", ";;;", ""):
        yield Case(f"document: called {kind!r}", (_post(path, good, f"content-type: {kind}"),), (200, 415))


def _batches(path: str) -> Iterator[Case]:
    def batch(name: str, body: object, statuses: tuple[int, ...], *says: str) -> Case:
        return Case(f"batch: {name}", (_post(path, body),), statuses, says)

    yield batch("empty", {"rows": []}, (422,), "'rows' is 0 rows")
    yield batch("null", {"rows": None}, (422,), "'rows' is missing or null")
    yield batch("an object", {"rows": {}}, (422,), "'rows' is an object")
    yield batch("a text", {"rows": "x"}, (422,), "'rows' is a string")
    yield batch("of nothing", {"rows": [None]}, (422,), "rows[0]", "expected an object")
    yield batch("of lists", {"rows": [[]]}, (422,), "rows[0]", "expected an object")
    wrong = {"key": "k", "features": {"x": "old", "c": "a"}}
    yield batch("one wrong of three", {"rows": [ROW, wrong, ROW]}, (422,), "rows[1].features.x is 'old'", "expected")
    yield batch("all wrong", {"rows": [wrong] * 1000}, (422,), "rows[9].features.x", "990 more")
    yield batch("10,000 rows", {"rows": [ROW] * 10_000}, (200,))
    yield batch("10,001 rows", {"rows": [ROW] * 10_001}, (422,), "10001 rows")
    yield batch("a million nothings", b'{"rows": [' + b"0," * 999_999 + b"0]}", (422,), "1000000 rows")
    yield batch("rows and a row", ROW | {"rows": [ROW]}, (200, 422))


def _sizes(path: str) -> Iterator[Case]:
    big = b'{"key": "' + b"k" * (9 << 20) + b'", "features": {"x": 1, "c": "a"}}'
    yield Case("size: 9 MiB", (_post(path, big),), (413,), ("8388608",), closes=True)
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in _cut(big, 60_000)) + b"0\r\n\r\n"
    head = f"POST {path} HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    yield Case("size: 9 MiB in chunks", (head + chunked,), (413,), ("8388608",), closes=True)
    yield Case("size: 9 MiB of blanks", (_post(path, b" " * (9 << 20)),), (413,), ("8388608",), closes=True)
    promised = f"POST {path} HTTP/1.1\r\nhost: h\r\ncontent-length: 999999999999999\r\n\r\n{{".encode()
    yield Case("size: a petabyte is promised", (promised,), (400, 413), closes=True, half=True)


def _outcomes(path: str) -> Iterator[Case]:
    good = {"prediction_id": "p", "value": 1}

    def outcome(name: str, body: object, statuses: tuple[int, ...], *says: str, kind: str = "application/json") -> Case:
        return Case(f"outcome: {name}", (_post(path, body, f"content-type: {kind}"),), statuses, says)

    for name, body in {
        "a value that is NaN": b'{"prediction_id": "p", "value": NaN}',
        "half": b'{"prediction_id": "p"',
        "only brackets": b"[" * 100_000,
        "a byte order mark": b"\xef\xbb\xbf{}",
        "UTF-16": json.dumps(good).encode("utf-16"),
        "Latin-1": b'{"prediction_id": "\xe9", "value": 1}',
        "empty": b"",
    }.items():
        yield outcome(name, body, (400,), "JSON")
    for name, body in {
        "nothing": {},
        "a text as value": good | {"value": "1"},
        "true as value": good | {"value": True},
        "no owner": {"value": 1},
        "two owners": good | {"key": "k"},
        "an unknown field": good | {"weight": 1},
        "an id of 1 MB": good | {"prediction_id": "p" * 1_000_000},
        "no metric": good | {"metric": ""},
    }.items():
        yield outcome(name, body, (422,))
    yield outcome("1e400 as value", b'{"prediction_id": "p", "value": 1e400}', (400, 422))
    yield outcome("an integer of 5,000 digits", b'{"prediction_id": "p", "value": ' + b"1" * 5000 + b"}", (400, 422))
    yield outcome("an integer of 5,000 digits as key", b'{"key": ' + b"1" * 5000 + b', "value": 1}', (400, 422))
    yield outcome("a lone surrogate", b'{"prediction_id": "\\ud800", "value": 1}', (400, 422))
    yield outcome("a time of no calendar", good | {"time": 1e300}, (200, 422))
    yield outcome("an empty list", [], (200, 422))
    yield outcome("10,001", [good] * 10_001, (422,), "10001 rows")
    lines = b'{"prediction_id": "p", "value": 1}\n{\n\xff\n\x00\n[]\n' + b"[" * 10_000
    yield outcome("broken lines among good ones", lines, (200,), kind="application/x-ndjson")


def _framing(path: str) -> Iterator[Case]:
    good, raw = _post(path, ROW), json.dumps(ROW).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: h\r\n".encode()

    def frame(name: str, rest: bytes, *statuses: int, closes: bool = True, **more: object) -> Case:
        return Case(f"framing: {name}", (head + rest,), statuses, closes=closes, **more)  # type: ignore[arg-type]

    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in _cut(raw, 7)) + b"0\r\n\r\n"
    yield frame("chunks", b"transfer-encoding: chunked\r\n\r\n" + chunks, 200, closes=False)
    extended = chunks.replace(b"\r\n", b";a=b\r\n", 1)
    yield frame("chunks with an extension", b"transfer-encoding: chunked\r\n\r\n" + extended, 200, 400)
    yield frame(
        "chunks with a trailer", b"transfer-encoding: chunked\r\n\r\n" + chunks[:-2] + b"a: b\r\n\r\n", 200, 400
    )
    yield frame("a chunk without a size", b"transfer-encoding: chunked\r\n\r\nzz\r\n" + raw, 400)
    yield frame("a chunk of negative size", b"transfer-encoding: chunked\r\n\r\n-1\r\n" + raw, 400)
    yield frame("a chunk of 2**70 bytes", b"transfer-encoding: chunked\r\n\r\n" + b"f" * 18 + b"\r\n" + raw, 400)
    yield frame("chunks that end early", b"transfer-encoding: chunked\r\n\r\n" + chunks[:20], 400, half=True)
    yield frame("length and chunks", b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n" + chunks, 200, 400)
    yield frame("two lengths", b"content-length: 5\r\ncontent-length: 6\r\n\r\n" + raw, 400)
    yield frame("a negative length", b"content-length: -1\r\n\r\n" + raw, 400)
    yield frame("a length in words", b"content-length: many\r\n\r\n" + raw, 400)
    yield frame("a length of 2**70", b"content-length: 1180591620717411303424\r\n\r\n" + raw, 400, 413)
    yield frame("a length too large", b"content-length: 1000\r\n\r\n" + raw, 400, half=True)
    yield frame("a length too small", b"content-length: 5\r\n\r\n" + raw, 400)
    yield frame("no length", b"\r\n", 400)
    yield frame("an unknown encoding", b"transfer-encoding: gzip\r\n\r\n" + raw, 400, 501)
    yield Case("framing: byte by byte", tuple(good[i : i + 1] for i in range(len(good))), (200,))
    yield Case("framing: cut in two everywhere", tuple(_cut(good * 5, 13)), (200,), replies=5)
    yield Case("framing: 100 at once", (good * 100,), (200,), replies=100)
    mixed = good + _post(path, b"{") + good + _post("/v1/nothing", b"") + good
    yield Case("framing: good and bad at once", (mixed,), (200,), replies=5)
    yield Case("framing: 100 at once and gone", (good * 100,), (200,), closes=True, half=True)
    asks = head + b"content-length: %d\r\nexpect: 100-continue\r\n\r\n" % len(raw)
    yield Case("framing: asks before it sends", (asks, raw), (200, 417))
    yield Case("framing: expects the impossible", (asks.replace(b"100-continue", b"magic") + raw,), (200, 417))
    yield Case("framing: HTTP/1.0", (_post(path, ROW, version="1.0"),), (200,))
    kept = _post(path, ROW, "connection: keep-alive", version="1.0")
    yield Case("framing: HTTP/1.0 kept alive", (kept * 2,), (200,), replies=2, closes=True)
    for version in ("0.9", "3.0", "1.2", "9.9", "x"):
        yield Case(f"framing: HTTP/{version}", (_post(path, ROW, version=version),), (200, 400, 505), closes=True)
    yield Case("framing: no version", (f"GET {path}\r\n\r\n".encode(),), (400, 405), closes=True, half=True)
    yield Case("framing: HTTP/2 preface", (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",), (400, 404, 405, 505), closes=True)
    yield Case("framing: TLS", (bytes.fromhex("16030100c8010000c40303") + b"\0" * 200,), (400,), closes=True, half=True)
    yield Case("framing: nothing", (b"",), (400,), closes=True, half=True)
    yield Case("framing: garbage", (bytes(range(256)) * 64,), (400,), closes=True, half=True)
    yield Case("framing: blank lines first", (b"\r\n\r\n" + good,), (200, 400), closes=True)
    yield Case("framing: bare line feeds", (good.replace(b"\r\n", b"\n"),), (200, 400), closes=True)
    after = good + b"GET /readyz HTTP/1.1\r\nhost: h\r\n\r\n"
    yield Case("framing: another page behind", (after,), (200,), replies=2)


def _headers(path: str) -> Iterator[Case]:
    def header(name: str, *lines: str, statuses: tuple[int, ...] = (200, 400, 431), closes: bool = True) -> Case:
        return Case(f"header: {name}", (_post(path, ROW, *lines),), statuses, closes=closes)

    yield header("100,000 of them", *(f"x-{i}: y" for i in range(100_000)))
    yield header("1 MB", f"x: {'y' * 1_000_000}")
    yield header("a name of 100 kB", f"{'x' * 100_000}: y")
    yield header("without a colon", "nothing")
    yield header("without a name", ": x")
    yield header("a blank in its name", "x y: z")
    yield header("folded", "x: y\r\n z")
    yield header("control characters", "x: \x01\x02\x7f")
    yield header("NUL", "x: a\0b")
    yield header("beyond ASCII", "x: \xe9\xff")
    yield header("no host twice", "host: a", "host: b")
    yield header("a websocket", "connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13")
    upgrade = ("connection: upgrade", "upgrade: websocket", "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==")
    yield Case(
        "header: a whole websocket handshake",
        (_post(path, b"", *upgrade, "sec-websocket-version: 13", method="GET"),),
        (400, 403, 404, 405, 426),
        closes=True,
    )
    yield header("HTTP/2 by upgrade", "connection: upgrade, http2-settings", "upgrade: h2c", "http2-settings: AAMAAABk")
    yield header("a foreign trace", "traceparent: 00-zz-zz-zz", "tracestate: " + "a=b," * 1000)
    yield header("an odd request id", "x-request-id: " + "x" * 10_000)


def _targets(path: str) -> Iterator[Case]:
    odd = (400, 404, 405)

    def target(name: str, where: str, *statuses: int, closes: bool = True) -> Case:
        return Case(f"target: {name}", (_post(where, ROW),), statuses or odd, closes=closes)

    yield target("absolute", f"http://127.0.0.1{path}", 200, *odd)
    yield target("absolute and foreign", f"http://example.org{path}", 200, *odd)
    yield target("a query", f"{path}?a=b&&&=%", 200, closes=False)
    yield target("a fragment", f"{path}#x", 200, *odd)
    for where in ("/..", "/../../etc/passwd", "/v1/models/../../../etc/passwd", "/v1/models/m/../m/predict"):
        yield target(where, where, closes=False)
    for where in (
        "/v1/models/%2e%2e/predict",
        "/v1/models/%00/predict",
        "/v1/models//predict",
    ):
        yield target(where, where, closes=False)
    for where in (
        "/v1/models/%ff%fe/predict",
        "/v1/models/%zz/predict",
        "/v1/models/%/predict",
        "/v1/models/é/predict",
    ):
        yield target(ascii(where), where)
    for where in ("//", "*", "x", "/v1/models/m", f"{path}/", f"/{path}", f"{path}/x", path.upper()):
        yield target(where, where, 200, *odd)
    yield target("100 kB", f"/{'x' * 100_000}", *odd, 414, 431)
    yield target("a model of 10 kB", f"/v1/models/{'m' * 10_000}/predict", *odd, 414)
    yield target("a blank inside", "/v1/mo dels/m/predict")
    yield from _methods(path)


def _methods(path: str) -> Iterator[Case]:
    def target(name: str, where: str, *statuses: int, method: str, closes: bool = True) -> Case:
        return Case(f"target: {name}", (_post(where, ROW, method=method),), statuses, closes=closes)

    for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
        yield target(method, path, 405, method=method, closes=False)
    for method in ("BREW", "get", "CONNECT", "M-SEARCH", "POSTPOST", "\x01"):
        yield target(ascii(method), path, 400, 404, 405, 501, method=method)
    for page in (path, "/readyz", "/metrics", "/openapi.json", "/docs", "/nothing"):
        yield Case(f"target: HEAD {page}", (_post(page, b"", method="HEAD"),), (200, 404, 405))
    for method in ("POST", "PUT", "DELETE"):
        for page in ("/readyz", "/metrics", "/openapi.json", "/docs", "/healthz"):
            yield target(f"{method} {page}", page, 404, 405, method=method, closes=False)


def _cut(data: bytes, size: int) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


def main(argv: list[str], say: Callable[[str], None] = print) -> int:
    findings = attack(int(argv[1]), only=argv[2] if len(argv) > 2 else "")
    for finding in findings:
        say(finding)
    count = sum(1 for _ in cases("/v1/models/m/predict", "/v1/models/m/outcomes"))
    say(f"{count} cases, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
