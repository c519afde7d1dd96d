"""Everything that can go wrong on the wire between an exchange and an OPA server, by name.

Each fault says what the server sends and the ``pdp:…`` code in which the decision must end. ``GOOD`` is the
answer without a fault: it permits, so each fault is what turns a permit into a refusal.
"""

import asyncio
import gzip
import json
import socket
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from policies.bundle import shipped_bundle
from policies.embedded import build_engine, evaluate
from policies.guard import outgoing
from tests.policies.opa.hostile import Respond, Write, http
from tests.policies.questions import TRANSFER

HURRIED_SECONDS = 0.3
PATIENT_SECONDS = 30.0
REVISION = shipped_bundle().digest
_BUNDLES = {"headwaters": {"revision": REVISION}}
_PROVENANCE = {"version": "1.20.2", "bundles": _BUNDLES}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; ``hurried`` where only the deadline ends it."""

    name: str
    respond: Respond
    reason: str
    hurried: bool = False

    @property
    def deadline_seconds(self) -> float:
        """Give the deadline to decide with: short where it is what the test waits for."""
        return HURRIED_SECONDS if self.hurried else PATIENT_SECONDS


@cache
def permit() -> dict[str, object]:
    """Give what the shipped policies answer to the test question: a permit."""
    answer: dict[str, object] = json.loads(
        evaluate(lambda: build_engine(shipped_bundle()), outgoing(TRANSFER))
    )
    return answer


def body(**changes: object) -> dict[str, object]:
    """Write OPA's body around the permit, with some members changed."""
    return {"provenance": _PROVENANCE, "result": permit(), **changes}


def result(**changes: object) -> dict[str, object]:
    """Write OPA's body around a permit of which some members are changed."""
    return body(result={**permit(), **changes})


GOOD = http(body())
_RAW = json.dumps(body()).encode()


def sends(*pieces: bytes, reset: bool = False) -> Write:
    """Send the pieces and hang up, politely or not."""

    async def write(writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if reset:
            connection = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    return write


def drips(first: bytes, drop: bytes) -> Write:
    """Send ``first``, and then one drop after the other for ever."""

    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(0.01)

    return write


def floods(first: bytes, piece: bytes) -> Write:
    """Send ``first``, and then as much as the other side takes."""

    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while True:
            writer.write(piece)
            await writer.drain()

    return write


async def hangs(_writer: asyncio.StreamWriter) -> None:
    """Read the question and never say a word."""
    await asyncio.Event().wait()


def _head(length: str | None = None) -> bytes:
    """Write a good head before a body of this length, or before one in chunks."""
    return http(b"", Content_Length=length, Transfer_Encoding=None if length else "chunked")


def _silence() -> Iterator[Fault]:
    """The server is there and does not come to an end."""
    chunked = _head()
    yield Fault("never-answers", hangs, "pdp:timeout", hurried=True)
    yield Fault("drips-head", drips(b"HTTP/1.1 200 OK\r\nX-", b"a"), "pdp:timeout", hurried=True)
    yield Fault("drips-body", drips(_head("99999"), b" "), "pdp:timeout", hurried=True)
    yield Fault("drips-chunks", drips(chunked, b"1\r\n \r\n"), "pdp:timeout", hurried=True)
    yield Fault("always-continue", drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "pdp:timeout", hurried=True)
    yield Fault("half-a-body", drips(_head("99999"), b""), "pdp:timeout", hurried=True)


def _lost() -> Iterator[Fault]:
    """The connection goes away."""
    chunked = _head()
    yield Fault("hangs-up", sends(), "pdp:unavailable")
    yield Fault("resets", sends(reset=True), "pdp:unavailable")
    yield Fault("hangs-up-in-head", sends(b"HTTP/1.1 200 OK\r\nContent-"), "pdp:unavailable")
    yield Fault("hangs-up-in-body", sends(GOOD[:-1]), "pdp:bad-answer")
    yield Fault("hangs-up-in-chunks", sends(chunked, b'5\r\n{"res'), "pdp:bad-answer")
    for status in ("429 Too Many Requests", "502 Bad Gateway", "503 Service Unavailable", "504 Timeout"):
        yield Fault(f"status-{status[:3]}", http(body(), status), "pdp:unavailable")


def _statuses() -> Iterator[Fault]:
    """The status is not 200, whatever the body says."""
    yield Fault("status-400", http(body(), "400 Bad Request"), "pdp:error")
    yield Fault("status-401", http(body(), "401 Unauthorized"), "pdp:refused")
    yield Fault("status-403", http(body(), "403 Forbidden"), "pdp:refused")
    yield Fault("status-404", http(body(), "404 Not Found"), "pdp:undefined")
    yield Fault("status-500", http(body(), "500 Internal Server Error"), "pdp:error")
    for status in (
        "201 Created",
        "204 No Content",
        "206 Partial Content",
        "407 Proxy",
        "418 Teapot",
        "599 X",
    ):
        yield Fault(f"status-{status[:3]}", http(body(), status), "pdp:bad-answer")
    yield Fault("switches-protocol", http(b"", "101 Switching Protocols", Upgrade="h2c"), "pdp:bad-answer")


def _framing() -> Iterator[Fault]:
    """It is no HTTP, or no plain HTTP."""
    chunked = _head()
    yield Fault("garbage", sends(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"), "pdp:bad-answer")
    yield Fault("bare-json", sends(_RAW + b"\r\n\r\n"), "pdp:bad-answer")
    yield Fault("bad-status-line", sends(b"HTTP/1.1 OK\r\n\r\n"), "pdp:bad-answer")
    yield Fault("long-header", http(body(), X_Long="a" * 100_000), "pdp:bad-answer")
    yield Fault("endless-header", floods(b"HTTP/1.1 200 OK\r\nX-Long: ", b"a" * 65536), "pdp:bad-answer")
    yield Fault("two-lengths", http(body(), Content_Length="1, 2"), "pdp:bad-answer")
    yield Fault("length-and-chunks", http(body(), Transfer_Encoding="chunked"), "pdp:bad-answer")
    yield Fault("bad-chunk", sends(chunked + b"zz\r\n{}\r\n0\r\n\r\n"), "pdp:bad-answer")
    yield Fault("short-length", http(body(), Content_Length="40"), "pdp:bad-answer")
    yield Fault("too-long", http(b" " * 300_000 + _RAW), "pdp:bad-answer")
    yield Fault("endless-chunks", floods(chunked, b"10000\r\n" + b" " * 65536 + b"\r\n"), "pdp:bad-answer")
    yield Fault("html", http(b"<html>sign in</html>", Content_Type="text/html"), "pdp:bad-answer")
    yield Fault("other-type", http(body(), Content_Type="text/plain"), "pdp:bad-answer")
    yield Fault("no-type", http(body(), Content_Type=None), "pdp:bad-answer")
    yield Fault("gzip", http(gzip.compress(_RAW), Content_Encoding="gzip"), "pdp:bad-answer")
    yield Fault("gzip-bomb", http(gzip.compress(b" " * 10**7), Content_Encoding="gzip"), "pdp:bad-answer")
    yield Fault("called-gzip", http(body(), Content_Encoding="gzip"), "pdp:bad-answer")
    yield Fault("called-br", http(body(), Content_Encoding="br"), "pdp:bad-answer")
    yield Fault("deflate", http(zlib.compress(_RAW), Content_Encoding="deflate"), "pdp:bad-answer")


def _json() -> Iterator[Fault]:
    """The body is not the JSON that it should be."""
    twice = _RAW.replace(b'"allow": true', b'"allow": false, "allow": true')
    spellings: Mapping[str, bytes] = {
        "empty-body": b"",
        "not-utf-8": _RAW.replace(b"agreement-in-force", b"agreement-in-\xff"),
        "utf-16": _RAW.decode().encode("utf-16"),
        "byte-order-mark": b"\xef\xbb\xbf" + _RAW,
        "cut-json": _RAW[:-5],
        "more-behind": _RAW + b"{}",
        "nan": _RAW.replace(b'"version": "1.20.2"', b'"version": NaN'),
        "key-twice": b'{"result": {}, ' + _RAW[1:],
        "allow-twice": twice,
        "deep": b"[" * 100_000,
        "deep-result": _RAW.replace(b'"denials": []', b'"denials": ' + b"[" * 900 + b"]" * 900),
        "huge-number": _RAW.replace(b'"denials": []', b'"denials": 1' + b"0" * 5000),
        "null": b"null",
        "true": b"true",
        "list": b"[" + _RAW + b"]",
    }
    for name, raw in spellings.items():
        yield Fault(name, http(raw), "pdp:bad-answer")


def _origin() -> Iterator[Fault]:
    """The answer does not say that it comes from the bundle that is expected."""
    provenances: Mapping[str, object] = {
        "null-provenance": None,
        "provenance-without-bundles": {"version": "1.20.2"},
        "no-bundle": {"bundles": {}},
        "bundles-as-list": {"bundles": [{"revision": REVISION}]},
        "other-revision": {"bundles": {"headwaters": {"revision": "sha256:" + "0" * 64}}},
        "no-revision": {"bundles": {"headwaters": {}}},
        "empty-revision": {"bundles": {"headwaters": {"revision": ""}}},
        "revision-as-list": {"bundles": {"headwaters": {"revision": [REVISION]}}},
        "revision-elsewhere": {"revision": REVISION},
        "revision-in-capitals": {"bundles": {"headwaters": {"revision": REVISION.upper()}}},
        "two-bundles": {"bundles": {**_BUNDLES, "other": {"revision": REVISION}}},
    }
    yield Fault("no-provenance", http({"result": permit()}), "pdp:wrong-bundle")
    for name, provenance in provenances.items():
        yield Fault(name, http(body(provenance=provenance)), "pdp:wrong-bundle")


def _result() -> Iterator[Fault]:
    """The answer comes from the right bundle and is no permit all the same."""
    yield Fault("no-result", http({"provenance": _PROVENANCE}), "pdp:undefined")
    yield Fault("result-misspelt", http({"provenance": _PROVENANCE, "Result": permit()}), "pdp:undefined")
    yield Fault("null-result", http(body(result=None)), "pdp:undefined")
    yield Fault("undefined-as-text", http(body(result="<undefined>")), "pdp:undefined")
    for name, value in {"true-result": True, "list-result": [True], "text-result": "allow"}.items():
        yield Fault(name, http(body(result=value)), "pdp:bad-answer")
    for name, allow in {"allow-text": "true", "allow-one": 1, "allow-null": None, "allow-list": [1]}.items():
        yield Fault(name, http(result(allow=allow)), "pdp:bad-answer")
    yield Fault("member-added", http(result(advice=[])), "pdp:bad-answer")
    yield Fault("time-as-float", http(result(valid_until_ms=1.5)), "pdp:bad-answer")
    yield Fault("time-too-large", http(result(valid_until_ms=2**70)), "pdp:bad-answer")
    yield Fault("unknown-obligation", http(result(obligations=[{"kind": "pray"}])), "pdp:bad-answer")
    yield Fault(
        "unknown-ground", http(result(grounds=[{"code": "because", "args": {}}])), "pdp:unknown-reason"
    )
    yield Fault("no-ground", http(result(grounds=[])), "pdp:inconsistent")
    denied = [{"code": "receipt-owed", "args": {"owed": 1}}]
    yield Fault("permit-with-denial", http(result(denials=denied)), "pdp:inconsistent")
    yield Fault("out-of-date", http(result(valid_until_ms=1)), "pdp:inconsistent")
    yield Fault("no-obligations", http(result(obligations=[])), "pdp:inconsistent")


def _redirects() -> Iterator[Fault]:
    """The server sends us elsewhere."""
    for status in ("301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"):
        yield Fault(
            f"status-{status[:3]}", http(b"", status, Location="http://127.0.0.1:9/"), "pdp:bad-answer"
        )


WIRE_FAULTS = (
    *_silence(),
    *_lost(),
    *_statuses(),
    *_redirects(),
    *_framing(),
    *_json(),
    *_origin(),
    *_result(),
)
