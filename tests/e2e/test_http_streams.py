"""Bodies and answers of the HTTP server that stream."""

import time

import pytest

from e2e_support import wait_until
from http_core_support import QUICK_TIMES, curl, get, post, request


def test_both_directions_stream_at_once(common):
    with common.connect() as raw:
        raw.send(request("POST", "/stream", ["Transfer-Encoding: chunked"]))
        status, headers = raw.head()
        assert (status, headers["transfer-encoding"]) == (200, "chunked")
        for i in range(50):
            line = b'{"id":%d}\n' % i
            raw.send(b"%x\r\n%s\r\n" % (len(line), line))
            assert raw.chunk() == line  # before the next one is sent
        raw.send(b"0\r\n\r\n")
        assert raw.chunk() == b""
        raw.send(get("/describe"))
        assert raw.answer().status == 200  # the connection is kept


def test_curl_streams(common):
    lines = b"".join(b"%d\n" % i for i in range(200_000))
    assert curl(common, "/stream", "-N", "-H", "Expect:", "-T", "-", "-X", "POST", data=lines) == lines
    assert curl(common, "/stream", "-H", "Expect: 100-continue", "--data-binary", "@-", data=lines) == lines
    assert curl(common, "/stream", "-0", "--data-binary", "@-", data=lines) == lines


def test_a_writer_is_held_up_by_a_client_that_does_not_read(probe):
    server = probe()
    with server.connect(receive_buffer=4096) as raw:
        raw.send(get("/flood"))
        raw.head()

        def taken():
            return int((server.seen("flood") or ["flood 0"])[-1].split()[1])

        def settled():
            before = taken()
            time.sleep(0.5)
            return before and taken() == before

        wait_until(settled, "no more is taken")
        assert taken() < 16 << 20
        assert server.resident_bytes() < 200 << 20
    server.wait_seen("flood-ended")


def test_a_client_is_held_up_by_a_reader_that_does_not_read(probe):
    server = probe()
    with server.connect(timeout=1) as raw:
        raw.send(request("POST", "/stream?pause=600000", ["Transfer-Encoding: chunked"]))
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 256 << 20:
                raw.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                sent += 65536
        assert server.resident_bytes() < 128 << 20
    wait_until(lambda: server.stats()["open"] == 1 or server.stats()["open"] == 0, "it lives")
    server.alive()


def test_a_stream_whose_client_goes_is_abandoned(probe):
    server = probe()
    with server.connect() as raw:
        raw.send(request("POST", "/stream", ["Transfer-Encoding: chunked"]) + b"1\r\nx\r\n")
        raw.head()
        assert raw.chunk() == b"x"
    server.wait_seen("stream-abandoned")
    server.wait_seen("echo-failed")


def test_a_stream_that_breaks_the_rules_fails(probe):
    server = probe()
    with server.connect() as raw:
        raw.send(request("POST", "/stream", ["Transfer-Encoding: chunked"]) + b"1\r\nx\r\nzz\r\n")
        answer = raw.answer()
        assert answer.body == b"x"
        assert raw.ended()
    assert "rules of HTTP" in server.wait_seen("echo-failed")[0]


def test_a_stream_that_is_dropped_is_seen_not_to_be_whole(common):
    with common.connect() as raw:
        raw.send(post("/broken", b"x"))
        raw.head()
        assert raw.chunk() == b"half"
        assert raw.ended()


def test_a_stream_that_does_not_read_its_body_closes(common):
    with common.connect() as raw:
        raw.send(request("POST", "/unread", ["Content-Length: 100000"]) + b"x" * 1000)
        assert raw.answer().status == 200
        assert raw.ended()


def test_silent_streams_end(probe):
    server = probe(**QUICK_TIMES)
    with server.connect() as raw:
        raw.send(request("POST", "/stream", ["Transfer-Encoding: chunked"]))
        raw.head()
        assert raw.ended()
    assert server.stats()["timed_out"] == 1
