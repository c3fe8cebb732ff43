#!/usr/bin/env python3
"""What open connections cost those who use theirs: p99 with thousands of idle and some slow ones, and without.

    bench/connections.py [--idle 10000] [--slow 100] [--in-flight 8] [--requests 20000] [--rounds 5] [--json]

Half of the connections are gRPC's (the HTTP/2 handshake done), half are HTTP's (one request answered). Slow ones send a
byte of a request each second and never finish it; those that the server ends are opened anew. Healthy clients call
Classify over gRPC and over HTTP, in turns with and without the others; figures are medians over the rounds.
"""

import argparse
import contextlib
import json
import pathlib
import resource
import socket
import statistics
import sys
import tempfile
import threading
import time

import berthad
import transports

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04\x00" + bytes(4)  # and empty SETTINGS
SETTINGS_ACK = bytes(3) + b"\x04\x01" + bytes(4)
HEALTHZ = b"GET /healthz HTTP/1.1\r\nHost: bench\r\n\r\n"
HALF_REQUEST = b"POST /v1/classify HTTP/1.1\r\nHost: bench\r\nX-Slow: " + b"x" * 4000
HALF_FRAME = (400).to_bytes(3, "big") + b"\x01\x04\x00\x00\x00\x01" + b"\x00" * 400


def connect(address: str) -> socket.socket:
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=60)


def idle_http(address: str) -> socket.socket:
    connection = connect(address)
    connection.sendall(HEALTHZ)
    if not connection.recv(4096).startswith(b"HTTP/1.1 200"):
        sys.exit("/healthz does not answer 200")
    return connection


def idle_grpc(address: str) -> socket.socket:
    connection = connect(address)
    connection.sendall(PREFACE)
    if not connection.recv(4096):
        sys.exit("the gRPC port ends new connections")
    connection.sendall(SETTINGS_ACK)
    return connection


class Slow:
    """Connections that send a byte a second, in a thread of their own."""

    def __init__(self, daemon, count: int):
        self.kinds = [(daemon.http_address, b"", HALF_REQUEST), (daemon.address, PREFACE, HALF_FRAME)]
        self.open = [self.start(i) for i in range(count)]
        self.reopened = 0
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def start(self, index: int):
        address, opening, slow = self.kinds[index % 2]
        connection = connect(address)
        connection.sendall(opening)
        connection.setblocking(False)
        return connection, iter(slow)

    def run(self) -> None:
        while not self.ending.wait(1):
            for i, (connection, rest) in enumerate(self.open):
                try:
                    with contextlib.suppress(BlockingIOError):
                        if connection.recv(4096) == b"":
                            raise ConnectionError
                    connection.send(bytes([next(rest)]))
                except (OSError, StopIteration):
                    connection.close()
                    self.open[i] = self.start(i)
                    self.reopened += 1

    def close(self) -> None:
        self.ending.set()
        self.thread.join()
        for connection, _ in self.open:
            connection.close()


@contextlib.contextmanager
def crowd(daemon, idle: int, slow: int):
    """These connections, for as long as this lasts."""
    connections = [(idle_http if i % 2 else idle_grpc)(daemon.http_address if i % 2 else daemon.address)
                   for i in range(idle)]
    slow_ones = Slow(daemon, slow)
    try:
        yield slow_ones
        alive = sum(is_open(connection) for connection in connections)
        if alive < idle:
            sys.exit(f"the server ended {idle - alive} of {idle} idle connections: nothing was measured")
    finally:
        slow_ones.close()
        for connection in connections:
            connection.close()


def is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(65536) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", type=pathlib.Path, default=transports.ROOT / "demo" / "models")
    parser.add_argument("--model", default="sentiment-bert")
    parser.add_argument("--idle", type=int, default=10_000)
    parser.add_argument("--slow", type=int, default=100)
    parser.add_argument("--in-flight", type=int, default=8)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < arguments.idle + arguments.slow + 100:
        sys.exit(f"this process may open {hard} files, too few for so many connections (ulimit -n)")
    wanted = {name: body for name, body in transports.bodies(arguments.model).items() if "lassify" in name}
    results: dict[tuple[str, bool], list[dict]] = {}
    memory = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        models = berthad.only(arguments.model, arguments.models, folder)
        flags = ["--http-max-connections-per-client", 0]  # they all come from here
        with berthad.Berthad("--models", models, *flags, http=True) as daemon:
            for _ in range(arguments.rounds):
                for crowded in (False, True):
                    before = daemon.memory_bytes("VmRSS")
                    others = crowd(daemon, arguments.idle, arguments.slow) if crowded else contextlib.nullcontext()
                    with others:
                        time.sleep(1)  # the handshakes are over
                        if crowded:
                            memory.append(daemon.memory_bytes("VmRSS") - before)
                        for name, (body, path, options) in wanted.items():
                            file = folder / "body"
                            file.write_bytes(body)
                            address = daemon.http_address if "--h1" in options else daemon.address
                            one = transports.measure(address, arguments.in_flight, arguments.requests, file, path, options)
                            results.setdefault((name, crowded), []).append(one)
                    print(".", end="", file=sys.stderr, flush=True)
            transports.check(daemon, arguments.model)
    print(file=sys.stderr)
    rows = []
    for name in wanted:
        alone, crowded = (statistics.median(r["p99_us"] for r in results[name, c]) for c in (False, True))
        ratios = [b["p99_us"] / a["p99_us"] for a, b in zip(results[name, False], results[name, True])]
        rows.append({"transport": name, "p99_us_alone": alone, "p99_us_crowded": crowded,
                     "ratio": statistics.median(ratios)})
    per_connection = max(memory) / (arguments.idle + arguments.slow)
    if arguments.json:
        print(json.dumps({"rows": rows, "bytes_per_connection": per_connection}))
        return
    for row in rows:
        print(f"{row['transport']:20} p99 {row['p99_us_alone']:.0f} us alone, {row['p99_us_crowded']:.0f} us beside "
              f"{arguments.idle} idle and {arguments.slow} slow connections: ratio {row['ratio']:.2f}")
    print(f"first {arguments.idle + arguments.slow} connections: {per_connection:.0f} bytes of the daemon's memory each")


if __name__ == "__main__":
    main()
