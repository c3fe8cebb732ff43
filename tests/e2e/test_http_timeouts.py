"""The HTTP server and clients that are slow or silent."""

import contextlib
import socket
import time

import pytest

from e2e_support import wait_until
from http_core_support import QUICK_TIMES, curl, get, request, seconds


def test_slow_headers_get_408(probe):
    server = probe(**QUICK_TIMES)
    with server.connect() as raw:
        raw.send(b"GET / HTTP/1.1\r\n")

        def drip():
            with contextlib.suppress(ConnectionError):
                while not raw.socket.recv(1, socket.MSG_PEEK):
                    pass
            return raw.answer()

        answer, took = seconds(drip)
        assert answer.status == 408 and answer.headers["connection"] == "close" and took < 10
        assert raw.ended()
    assert server.stats()["timed_out"] == 1


def test_dripping_headers_do_not_buy_time(probe):
    server = probe(**QUICK_TIMES)
    with server.connect() as raw:
        began = time.monotonic()
        raw.send(b"GET / HTTP/1.1\r\n")
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - began < 5:
                raw.send(b"X: y\r\n")
                time.sleep(0.05)
                raw.socket.settimeout(0.001)
                with contextlib.suppress(TimeoutError):
                    if raw._more():
                        break
        assert b" 408 " in raw._read


@pytest.mark.parametrize("framing", ["Content-Length: 100000", "Transfer-Encoding: chunked"])
def test_slow_bodies_get_408(probe, framing):
    server = probe(**QUICK_TIMES)
    with server.connect() as raw:
        raw.send(request("POST", "/echo", [framing]) + (b"186a0\r\n" if "chunked" in framing else b""))
        began = time.monotonic()
        raw.socket.settimeout(0.05)
        while not raw._read and time.monotonic() - began < 10:
            raw.send(b"x")  # 20 bytes a second
            with contextlib.suppress(TimeoutError):
                raw._more()
        assert b" 408 " in raw._read


def test_a_steady_body_may_take_longer_than_any_window(probe):
    server = probe(**QUICK_TIMES)
    with server.connect() as raw:
        raw.send(request("POST", "/echo", ["Content-Length: 20000"]))
        for _ in range(20):
            raw.send(b"x" * 1000)
            time.sleep(0.08)
        assert raw.answer().body == b"x" * 20_000


def test_idle_connections_are_closed(probe):
    server = probe(**QUICK_TIMES)
    with server.connect() as fresh, server.connect() as used:
        used.send(get("/describe"))
        used.answer()
        for raw in (fresh, used):
            assert seconds(raw.ended) == (True, pytest.approx(1.5, abs=8))
    assert server.stats()["open"] == 0


def test_clients_that_do_not_read_are_dropped(probe):
    server = probe(**QUICK_TIMES)
    with server.connect(receive_buffer=4096) as raw:
        raw.send(get("/big"))
        wait_until(lambda: server.stats()["timed_out"] == 1, "the server gives up")
        assert server.stats()["open"] == 0
    assert len(curl(server, "/big")) == 32 << 20


def test_a_handler_can_answer_at_a_deadline(probe):
    server = probe()
    with server.connect() as raw:
        began = time.monotonic()
        raw.send(get("/later?ms=600000&deadline=100") + get("/later?ms=10&deadline=600000") + get("/describe"))
        assert raw.answer().status == 504
        assert 0.1 <= time.monotonic() - began < 60
        assert raw.answer().body == b"late\n"
        assert raw.answer().status == 200
    with server.connect() as raw:
        raw.send(get("/later?ms=600000&deadline=600000"))
        wait_until(lambda: server.stats()["requests"] == 4, "it is computed")
        server.tell("stop 0")  # a timer that has not run out does not hold it up
        assert raw.ended()
    assert server.process.wait(60) == 0
