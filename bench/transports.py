#!/usr/bin/env python3
"""What a transport costs: one Classify over gRPC, over HTTP, and as the Open Inference Protocol's ModelInfer over both.

    bench/transports.py [--models DIR] [--model NAME] [--in-flight 1 8 64] [--requests 20000] [--rounds 3] [--json]

Starts a berthad with one model and asks it the same text again and again with h2load (Debian: nghttp2-client), one
request at a time on each of as many connections as requests are in flight. The transports take turns, so that a busy
neighbour meets them all; figures are medians over the rounds. Client and server share the machine's cores.
"""

import argparse
import json
import pathlib
import re
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile

import berthad

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "clients" / "python"))
TEXT = "I love it, this was a lovely evening with friends and the food was great"


def frame(message) -> bytes:
    """A message as gRPC sends it: not compressed, length, bytes."""
    data = message.SerializeToString()
    return struct.pack(">BI", 0, len(data)) + data


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def infer_request(model: str) -> bytes:
    """inference.ModelInferRequest with a text in raw_input_contents, by hand: the stubs are not part of the client."""
    text = TEXT.encode()
    shape = b"\x1a" + varint(1) + varint(1)  # packed int64 shape = 3: [1]
    tensor = field(1, b"text") + field(2, b"BYTES") + shape
    message = field(1, model.encode()) + field(5, tensor) + field(7, struct.pack("<I", len(text)) + text)
    return struct.pack(">BI", 0, len(message)) + message


def bodies(model: str) -> dict[str, tuple[bytes, str, list[str]]]:
    """Name -> body, path, arguments of h2load."""
    from bertha.v1 import bertha_pb2 as pb

    grpc = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
    http = ["--h1", "-H", "content-type: application/json"]
    classify = pb.ClassifyRequest(model=model, inputs=[pb.TextInput(text=TEXT)])
    as_json = json.dumps({"model": model, "inputs": [{"text": TEXT}]}).encode()
    oip_json = json.dumps({"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": [TEXT]}]}).encode()
    return {
        "gRPC Classify": (frame(classify), "/bertha.v1.Bertha/Classify", grpc),
        "HTTP /v1/classify": (as_json, "/v1/classify", http),
        "gRPC ModelInfer": (infer_request(model), "/inference.GRPCInferenceService/ModelInfer", grpc),
        "HTTP /v2/.../infer": (oip_json, f"/v2/models/{model}/infer", http),
    }


def measure(address: str, in_flight: int, requests: int, body: pathlib.Path, path: str, arguments: list[str]) -> dict:
    with tempfile.NamedTemporaryFile() as log:
        # Counted, not timed: when the time is up h2load cuts off what is under way.
        command = ["h2load", "-c", in_flight, "-m", 1, "-n", min(requests, 3000 * in_flight), "-d", body, "--log-file",
                   log.name, *arguments, f"http://{address}{path}"]
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"h2load failed:\n{done.stdout}{done.stderr}")
        lines = [line.split("\t") for line in pathlib.Path(log.name).read_text().splitlines()]
    bad = [line for line in lines if line[1] != "200"]
    if bad or not lines:
        sys.exit(f"{path}: {len(bad)} of {len(lines)} requests were not answered with 200\n{done.stdout}")
    micros = sorted(int(line[2]) for line in lines)
    per_second = float(re.search(r"([\d.]+) req/s", done.stdout)[1])
    return {"requests_per_second": per_second, "p50_us": micros[len(micros) // 2],
            "p99_us": micros[len(micros) * 99 // 100]}


def check(daemon, model: str) -> None:
    """h2load does not see grpc-status: that the calls succeed is asked of the daemon."""
    import urllib.request

    with urllib.request.urlopen(f"http://{daemon.http_address}/metrics") as reply:
        text = reply.read().decode()
    failed = [line for line in text.splitlines()
              if line.startswith("bertha_requests_total") and 'code="OK"' not in line and not line.endswith(" 0")]
    if failed:
        sys.exit("some calls failed:\n" + "\n".join(failed))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", type=pathlib.Path, default=ROOT / "demo" / "models")
    parser.add_argument("--model", default="sentiment-bert")
    parser.add_argument("--in-flight", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--requests", type=int, default=20_000, help="at most; 3000 for each in flight")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if not shutil.which("h2load"):
        sys.exit("h2load is missing: install nghttp2-client")
    results: dict[tuple[str, int], list[dict]] = {}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        transports = bodies(arguments.model)
        with berthad.Berthad("--models", berthad.only(arguments.model, arguments.models, folder), http=True) as daemon:
            for _ in range(arguments.rounds):
                for in_flight in arguments.in_flight:
                    for name, (body, path, options) in transports.items():
                        file = folder / "body"
                        file.write_bytes(body)
                        address = daemon.http_address if "--h1" in options else daemon.address
                        one = measure(address, in_flight, arguments.requests, file, path, options)
                        results.setdefault((name, in_flight), []).append(one)
                        print(".", end="", file=sys.stderr, flush=True)
            check(daemon, arguments.model)
    print(file=sys.stderr)
    rows = [{"transport": name, "in_flight": n, **{key: statistics.median(r[key] for r in runs) for key in runs[0]}}
            for (name, n), runs in results.items()]
    if arguments.json:
        print(json.dumps(rows))
        return
    print(f"{'transport':20} {'in flight':>9} {'requests/s':>11} {'p50 us':>8} {'p99 us':>8}")
    for row in sorted(rows, key=lambda r: r["in_flight"]):
        print(f"{row['transport']:20} {row['in_flight']:9} {row['requests_per_second']:11.0f} {row['p50_us']:8.0f} "
              f"{row['p99_us']:8.0f}")


if __name__ == "__main__":
    main()
