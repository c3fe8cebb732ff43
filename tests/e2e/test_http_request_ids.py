"""Every answer of the HTTP server names its request, whoever made it."""

import re

import pytest

from e2e_support import wait_until
from http_core_support import QUICK_TIMES, get, post, request

NEW = re.compile("[0-9a-f]{32}")
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
CHUNKED = "Transfer-Encoding: chunked"
OURS = "X-Request-Id: order-7"


@pytest.fixture(scope="module")
def small(program):
    from http_core_support import Probe

    server = Probe(program("http_probe_server"), {**QUICK_TIMES, "body_bytes": 100, "target_bytes": 50, "headers": 10})
    yield server
    assert server.close() == 0, server.log


# What comes, and the code of the answer; the header can be read.
READ = [
    (get("/describe", OURS), 200),
    (request("HEAD", "/describe", [OURS]), 200),
    (request("OPTIONS", "/describe", [OURS]), 204),
    (get("/", OURS, "If-None-Match: *"), 304),
    (get("/drop", OURS), 500),
    (get("/busy", OURS), 429),
    (get("/nothing", OURS), 404),
    (post("/", b"x", OURS), 405),
    (post("/echo", b"x" * 101, OURS), 413),
    (request("POST", "/echo", [OURS, CHUNKED]) + b"65\r\nx", 413),
    (request("POST", "/echo", [OURS, CHUNKED]) + b"zz\r\n", 400),
    (request("POST", "/echo", [OURS, "Content-Length: 50"]) + b"x", 408),
    (request("POST", "/stream", [OURS, CHUNKED]) + b"0\r\n\r\n", 200),
    (get("/describe", OURS, "Expect: tea"), 417),
    (get("/describe", OURS, "Host: another"), 400),
]
UNREAD = [
    (get("/" + "x" * 60, OURS), 414),
    (get("/", *[OURS] * 20), 431),
    (b"\x01", 400),
    (b"GET / HTTP/1.1\r\n", 408),
]


@pytest.mark.parametrize("data, status", READ)
def test_the_callers_id_comes_back_where_it_could_be_read(small, data, status):
    with small.connect() as raw:
        raw.send(data)
        answer = raw.answer(head_only=data.startswith(b"HEAD"))
    assert (answer.status, answer.headers["x-request-id"]) == (status, "order-7")
    assert "traceparent" not in answer.headers


@pytest.mark.parametrize("data, status", UNREAD)
def test_a_request_that_could_not_be_read_gets_a_new_id(small, data, status):
    answers = [small.ask(data) for _ in range(2)]
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert answers[0].status == status and NEW.fullmatch(ids[0]) and ids[0] != ids[1]


@pytest.mark.parametrize("path, status", [("/describe", 200), ("/nothing", 404)])
def test_ids_that_are_none_are_replaced_by_the_trace_or_a_new_one(small, path, status):
    with small.connect() as raw:  # one connection: nothing of one request is left for the next
        for headers, expected, trace in (
            (["X-Request-Id: a b"], NEW, None),
            ([f"Traceparent: {TRACE}"], TRACE[3:35], TRACE),
            ([OURS, f"Traceparent: {TRACE}"], "order-7", TRACE),
            ([], NEW, None),
        ):
            raw.send(get(path, *headers))
            answer = raw.answer()
            assert answer.status == status and re.fullmatch(expected, answer.headers["x-request-id"])
            assert answer.headers.get("traceparent") == trace


def test_a_connection_too_many_gets_an_id(probe):
    server = probe(per_client=1)
    with server.connect():
        wait_until(lambda: server.stats()["open"] == 1, "the first connection is open")
        answer = server.ask(b"")
    assert answer.status == 429 and NEW.fullmatch(answer.headers["x-request-id"])
