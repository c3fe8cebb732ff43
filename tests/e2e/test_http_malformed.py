"""Requests to the HTTP server that are wrong somewhere, by the thousand."""

import contextlib
import random
import socket

import pytest

from e2e_support import wait_until
from http_core_support import QUICK_TIMES, get, post, request


def malformed(chance):
    """A request that is wrong somewhere, or cut off."""
    body = chance.randbytes(chance.randrange(0, 300))
    data = bytearray(chance.choice([
        get("/describe?a=b", "Accept: */*", "X-Y: z"),
        post("/echo", body),
        post("/stream", body),
        request("POST", "/echo", ["Transfer-Encoding: chunked"]) + b"5;a=b\r\nhello\r\n3\r\nabc\r\n0\r\nT: x\r\n\r\n",
        request("POST", "/stream", ["Transfer-Encoding: chunked", "Expect: 100-continue"]) + b"5\r\nhello\r\n0\r\n\r\n",
        request("HEAD", "/", ["If-None-Match: *"]),
    ]))
    tokens = [b"\r\n", b"\n", b"\r", b"\0", b" ", b":", b"Content-Length: 7\r\n", b"Transfer-Encoding: chunked\r\n",
              b"%00", b"ffffffffffffffff", b"-1", b"\xff\xfe", b"HTTP/9.9", b"\r\n\r\n", b"Host: b\r\n", b"\t",
              b"Connection: close\r\n"]
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(5)
        if kind == 0:
            data[at:at] = chance.choice(tokens)
        elif kind == 1:
            data[at : at + 1] = chance.randbytes(1)
        elif kind == 2:
            del data[at : at + chance.randrange(1, 20)]
        elif kind == 3:
            data[at:at] = data[max(0, at - 30) : at] * chance.randrange(1, 4)
        else:
            del data[at:]
    return bytes(data)


@pytest.mark.slow
def test_10000_malformed_requests_leave_nothing_behind(probe):
    server = probe(**QUICK_TIMES)
    server.alive()
    wait_until(lambda: server.stats()["open"] == 0, "that connection is closed")
    descriptors = server.descriptors()
    chance, statuses = random.Random(20261123), {}
    for _ in range(10_000):
        with server.connect(timeout=30) as raw:
            with contextlib.suppress(ConnectionError):
                raw.send(malformed(chance))
                raw.socket.shutdown(socket.SHUT_WR)
                while raw._more():
                    pass
        if raw._read:
            assert raw._read.startswith(b"HTTP/1.1 "), raw._read[:100]
            status = int(raw._read[9:12])
            statuses[status] = statuses.get(status, 0) + 1
    assert not [s for s in statuses if s >= 500 and s not in (501, 505)], statuses
    assert statuses[400] > 1000 and statuses[200] > 100
    wait_until(lambda: server.stats()["open"] == 0, "all connections are closed")
    server.alive()
    wait_until(lambda: server.descriptors() == descriptors, "all descriptors are back")
