"""Clients of the HTTP server that go, and a server that goes."""

import socket

import pytest

from e2e_support import wait_until
from http_core_support import Raw, get


def test_a_client_that_goes_is_noticed_while_its_request_is_computed(probe):
    server = probe()
    for number, pipelined in enumerate((b"", get("/describe"))):
        with server.connect() as raw:
            raw.send(get("/later?ms=600000") + pipelined)
            wait_until(lambda: server.stats()["requests"] == number + 1, "the request is computed")
            assert len(server.seen("abandoned")) == number
        server.wait_seen("abandoned", number + 1)
    wait_until(lambda: server.stats()["open"] == 0, "nothing is left")


def test_a_client_that_only_stops_sending_still_gets_its_answer(common):
    with common.connect() as raw:
        raw.send(get("/describe"))
        raw.socket.shutdown(socket.SHUT_WR)
        assert raw.answer().status == 200


def test_draining_closes_after_each_answer_and_stop_waits_for_what_runs(probe):
    server = probe()
    with server.connect() as idle, server.connect() as busy, server.connect() as kept:
        kept.send(get("/describe"))
        assert "connection" not in kept.answer().headers
        server.tell("drain")
        busy.send(get("/later?ms=1500"))
        wait_until(lambda: server.stats()["requests"] == 2, "it is computed")
        kept.send(get("/describe"))
        assert kept.answer().headers["connection"] == "close"
        assert kept.ended()
        server.alive()  # still serves
        server.tell("stop 60000")
        assert idle.ended()
        answer = busy.answer()
        assert (answer.body, answer.headers["connection"]) == (b"late\n", "close")
    assert server.process.wait(60) == 0
    with pytest.raises(ConnectionRefusedError):
        Raw(server.port)


def test_stop_cuts_off_what_does_not_end(probe):
    server = probe()
    with server.connect() as raw:
        raw.send(get("/later?ms=600000"))
        wait_until(lambda: server.stats()["requests"] == 1, "it is computed")
        server.tell("stop 200")
        assert raw.ended()
    assert server.process.wait(60) == 0
    assert server.seen("abandoned")
