"""What decides in Kubernetes who gets calls, as a program of its own, which runs in a network namespace: kubelet's
readiness probes, and the DNS of a headless Service, whose answer is the addresses that are ready.

    python rollout_node.py NAME PERIOD        # seconds between two probes of a pod

Lines in: "add ADDRESS", "remove ADDRESS". Lines out: "ADDRESS ready" and "ADDRESS unready", when that changes.
"""

import socket
import struct
import sys
import threading

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

PROBE_PORT = 8004
TIMEOUT = 1  # second; kubelet's, unless timeoutSeconds says otherwise
TTL = 1
A, IN, NXDOMAIN, AUTHORITATIVE_ANSWER = 1, 1, 3, 0x8400


def is_ready(address):
    """On a connection of its own, as kubelet asks."""
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
    with grpc.insecure_channel(f"{address}:{PROBE_PORT}", options=options) as channel:
        request = health_pb2.HealthCheckRequest(service="readiness")
        try:
            status = health_pb2_grpc.HealthStub(channel).Check(request, timeout=TIMEOUT).status
        except grpc.RpcError:
            return False
    return status == health_pb2.HealthCheckResponse.SERVING


class Node:
    """Thread-safe."""

    def __init__(self, period):
        self._period, self._lock = period, threading.Lock()
        self._ready, self._removed = {}, {}  # by address

    def add(self, address):
        removed = threading.Event()
        with self._lock:
            self._ready[address], self._removed[address] = False, removed
        threading.Thread(target=self._probe, args=(address, removed), daemon=True).start()

    def remove(self, address):
        self._removed[address].set()
        self._set(address, False)

    def ready(self):
        with self._lock:
            return [address for address, ready in self._ready.items() if ready]

    def _probe(self, address, removed):
        while not removed.is_set():
            ready = is_ready(address)
            if not removed.is_set():
                self._set(address, ready)
            removed.wait(self._period)

    def _set(self, address, ready):
        with self._lock:
            if self._ready[address] != ready:
                self._ready[address] = ready
                print(address, "ready" if ready else "unready", flush=True)


def answer(query, name, addresses):
    """RFC 1035: the A records of `name`; nothing else exists."""
    end = query.index(b"\0", 12) + 5
    labels, place = [], 12
    while query[place]:
        labels.append(query[place + 1 : place + 1 + query[place]].decode())
        place += 1 + query[place]
    known = ".".join(labels).lower() == name
    kind, _ = struct.unpack("!HH", query[end - 4 : end])
    found = addresses if known and kind == A else []
    flags = AUTHORITATIVE_ANSWER | (0 if known else NXDOMAIN)
    header = query[:2] + struct.pack("!HHHHH", flags, 1, len(found), 0, 0)
    records = [struct.pack("!HHHIH", 0xC00C, A, IN, TTL, 4) + socket.inet_aton(address) for address in found]
    return header + query[12:end] + b"".join(records)


def serve_names(server, name, node):
    while True:
        query, client = server.recvfrom(512)
        server.sendto(answer(query, name, node.ready()), client)


def main():
    name, period = sys.argv[1], float(sys.argv[2])
    node = Node(period)
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("0.0.0.0", 53))
    threading.Thread(target=serve_names, args=(server, name, node), daemon=True).start()
    for line in sys.stdin:
        what, address = line.split()
        node.add(address) if what == "add" else node.remove(address)


if __name__ == "__main__":
    main()
