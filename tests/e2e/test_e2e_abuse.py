"""Connections that abuse HTTP/2 end; the daemon and everybody else's calls do not."""

import contextlib
import pathlib
import resource
import socket
import struct
import subprocess
import sys
import threading
import time

import grpc
import pytest

import http2_frames as h2
from e2e_support import Daemon, serving, texts_request, wait_until, with_quick

PATHS = {name: f"/bertha.v1.Bertha/{name}" for name in ("Classify", "StreamClassify", "NoSuchMethod")}
REQUEST = texts_request(["I love it"])
# What a flood may cost: the daemon grew by more than 2 GB, and calls of others waited 10 s, before floods were ended.
MOST_GROWTH_MB = 600
MOST_WAIT = 5  # seconds; on a busy machine


def resident_mb(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


class Bystander:
    """A client that goes on calling, one call after the other; its worst wait, and the daemon's memory meanwhile."""

    def __init__(self, daemon):
        self.stub, self.pid = daemon.stub(), daemon.process.pid
        self.stub.Classify(REQUEST, timeout=60)
        self.calls, self.worst, self.error, self._stop = 0, 0.0, None, threading.Event()
        self.before = self.peak = resident_mb(self.pid)
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self.stub.Classify(REQUEST, timeout=60)
            except grpc.RpcError as error:
                self.error = error
                return
            self.calls, self.worst = self.calls + 1, max(self.worst, time.monotonic() - began)
            self.peak = max(self.peak, resident_mb(self.pid))
            time.sleep(0.01)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def check(self):
        assert self.error is None and self.calls > 0
        assert self.worst < MOST_WAIT
        assert self.peak - self.before < MOST_GROWTH_MB


@pytest.fixture(scope="module")
def target(program, models_dir, tmp_path_factory):
    """One daemon for all floods: it must survive them all."""
    with serving(program("berthad"), models_dir, tmp_path_factory.mktemp("abuse") / "log", *with_quick(())) as d:
        yield d


def reset(_stream, before=b""):
    return before + h2.frame(h2.RST_STREAM, _stream, 0, h2.CANCEL)


def with_message(stream):
    message = h2.message(REQUEST.SerializeToString())
    return reset(stream, h2.frame(h2.DATA, stream, h2.END_STREAM, message))


def opened(path="StreamClassify", flags=h2.END_HEADERS):
    return h2.frame(h2.HEADERS, 1, flags, h2.headers(PATHS[path]))


FLOODS = {
    "rapid reset": lambda: h2.calls(100_000, PATHS["Classify"], reset),
    "rapid reset after a whole message": lambda: h2.calls(60_000, PATHS["Classify"], with_message),
    "rapid reset of streams": lambda: h2.calls(100_000, PATHS["StreamClassify"], reset),
    "rapid reset of a method that is not there": lambda: h2.calls(100_000, PATHS["NoSuchMethod"], reset),
    "pings": lambda: h2.frame(h2.PING, 0, 0, b"12345678") * 300_000,
    "settings": lambda: h2.frame(h2.SETTINGS) * 400_000,
    "settings that change": lambda: h2.frame(h2.SETTINGS, 0, 0, struct.pack("!HI", 4, 65_536)) * 250_000,
    "window updates": lambda: h2.frame(h2.WINDOW_UPDATE, 0, 0, struct.pack("!I", 1)) * 300_000,
    "frames of no known kind": lambda: h2.frame(0xFA) * 400_000,
    "empty data": lambda: opened() + h2.frame(h2.DATA, 1) * 4_000_000,
    "continuation without end": lambda: opened(flags=0) + h2.frame(h2.CONTINUATION, 1, 0, b"\x00\x01a\x01b" * 3000) * 3000,
    "empty continuation without end": lambda: opened(flags=0) + h2.frame(h2.CONTINUATION, 1) * 4_000_000,
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_ends_its_connection_and_nothing_else(target, name):
    data = FLOODS[name]()
    attacker = h2.Connection(target.address)
    with Bystander(target) as bystander, contextlib.closing(attacker):
        _, closed = attacker.flood(data, seconds=15)
        assert closed or attacker.closed_within(10)
    bystander.check()


def test_someone_who_cancels_now_and_then_is_left_alone(target):
    connection = h2.Connection(target.address)
    with contextlib.closing(connection):
        connection.flood(h2.calls(1000, PATHS["Classify"], reset), seconds=5)
        assert not connection.closed_within(2)


def test_large_headers_are_refused_and_small_ones_are_not(target):
    with pytest.raises(grpc.RpcError) as refused:
        target.stub().Classify(REQUEST, metadata=[("x-large", "x" * 100_000)], timeout=60)
    # gRPC ends the stream, and sometimes the connection before the client has seen why.
    assert refused.value.code() in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)
    assert target.stub().Classify(REQUEST, metadata=[("x-small", "x" * 4000)], timeout=60).results


def test_who_asks_and_never_reads_costs_little(target):
    """4000 calls on a connection whose window for replies is shut."""
    shut = h2.PREFACE + h2.frame(h2.SETTINGS, 0, 0, struct.pack("!HI", 4, 0))
    ask = h2.frame(h2.DATA, 0, h2.END_STREAM, h2.message(REQUEST.SerializeToString()))
    data = h2.calls(4000, PATHS["Classify"], lambda stream: ask[:5] + struct.pack("!I", stream) + ask[9:])
    with Bystander(target) as bystander, contextlib.closing(h2.Connection(target.address, shut)) as connection:
        connection.flood(data, seconds=5)
        time.sleep(1)
    bystander.check()


def test_a_connection_that_does_not_say_hello_is_closed(daemon):
    d = daemon("--limits-handshake-timeout-ms", "500")
    for hello in (b"", h2.PREFACE[:10], h2.PREFACE):
        connection = h2.Connection(d.address, hello)
        assert connection.closed_within(10), hello
        connection.close()


def test_connections_beyond_the_limits_are_closed_at_once(daemon):
    d = daemon("--limits-max-connections-per-client", "5")
    target_host, port = d.address.split(":")
    wait_until(lambda: h2.open_sockets(d.process.pid) < 8, "the client that waited has gone")
    held = [h2.Connection(d.address) for _ in range(8)]
    refused = [c for c in held if c.closed_within(0.5)]
    assert 3 <= len(refused) <= 4  # one of the five may be that of the client that waited until it serves
    for connection in held:
        connection.close()
    time.sleep(0.3)
    again = h2.Connection(d.address)
    assert not again.closed_within(0.5)
    again.close()
    assert len(d.log_lines("limits.max_connections_per_client")) == 1


def test_running_out_of_descriptors_is_not_the_end(program, models_dir, tmp_path):
    """gRPC's own listener would be deaf from then on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wrapped = tmp_path / "few_files"
    wrapped.write_text(f'#!/bin/sh\nulimit -n 128\nexec "{program("berthad")}" "$@"\n')
    wrapped.chmod(0o755)
    d = Daemon(wrapped, models_dir, tmp_path / "log", *with_quick(()))
    try:
        d.wait_serving()
        held = [socket.create_connection(d.address.split(":")) for _ in range(200)]
        admin = [socket.create_connection(d.admin_address.split(":")) for _ in range(200)]
        time.sleep(1)
        for connection in held + admin:
            connection.close()
        assert d.stub().Classify(REQUEST, timeout=60).results
    finally:
        d.close()


HOLDER = """
import socket, sys, time
host, port = sys.argv[1].rsplit(":", 1)
hello = bytes.fromhex(sys.argv[2])
held = []
for _ in range(int(sys.argv[3])):
    held.append(socket.create_connection((host, int(port))))
    held[-1].sendall(hello)
print("ready", flush=True)
sys.stdin.read()
"""


def test_10000_idle_connections_are_held(target):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 12_000:
        pytest.skip(f"the limit of open files is {hard}")
    hello = (h2.PREFACE + h2.frame(h2.SETTINGS)).hex()
    command = [sys.executable, "-c", HOLDER, target.address, hello, "10000"]
    before = resident_mb(target.process.pid)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"ready\n"
        with Bystander(target) as bystander:
            time.sleep(2)
        assert h2.open_sockets(target.process.pid) >= 10_000
        growth = resident_mb(target.process.pid) - before
        holder.stdin.close()
    assert growth < 10_000 * 0.1  # 100 KB each
    bystander.check()
    wait_until(lambda: h2.open_sockets(target.process.pid) < 100, "they are gone", 60)
