"""A berthad to measure: started on a free loopback port, drained at the end."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
BIN = pathlib.Path(os.environ.get("BERTHA_BUILD_DIR", ROOT / "build" / "release")) / "bin"


def run_json(*command: object) -> dict:
    """The JSON object that a command prints."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{command[0]} ended with {done.returncode}\n{done.stdout}")
    return json.loads(done.stdout)


def only(model: str, models: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """A model directory in `folder` with one model of several, so that just that one is loaded."""
    alone = folder / "models"
    alone.mkdir()
    (alone / model).symlink_to((models / model).resolve())
    return alone


def free_address() -> str:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{s.getsockname()[1]}"


class Berthad:
    """With these flags; `address` is where gRPC listens, `http_address` where HTTP does, if it shall."""

    def __init__(self, *flags: object, http: bool = False):
        self.address, self.http_address = free_address(), free_address() if http else ""
        self.log = tempfile.NamedTemporaryFile("w+", suffix=".log")
        command = [BIN / "berthad", "--grpc-address", self.address, "--http-address", self.http_address,
                   "--admin-address", "", "--admin-http-address", "", "--probe-address", "", "--drain-lame-duck-ms", "0", *flags]
        self.process = subprocess.Popen([str(part) for part in command], stderr=self.log)

    def __enter__(self):
        healthy = [str(BIN / "bertha"), "health", "--wait", "120", "--address", self.address]
        if subprocess.run(healthy, stdout=subprocess.DEVNULL).returncode != 0:
            self.process.kill()
            sys.exit(f"berthad does not serve:\n{pathlib.Path(self.log.name).read_text()}")
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)

    def memory_bytes(self, key: str) -> int:
        """VmRSS, RssAnon, ... of the daemon (proc(5))."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
        raise KeyError(key)

    def load(self, *arguments: object) -> dict:
        """What `bertha load` reports of its last run, valid or not: who compares figures says what is wrong with them."""
        command = [str(part) for part in (BIN / "bertha", "load", "--address", self.address, "--json", *arguments)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if not done.stdout:
            sys.exit(f"{' '.join(command)} ended with {done.returncode}")
        return json.loads(done.stdout)["runs"][-1]

    def closed_loop(self, in_flight: int, requests: int, *arguments: object) -> dict:
        """So many calls, after a tenth of a second; an error ends this program."""
        run = self.load("--in-flight", in_flight, "--requests", requests, "--warm-up", 0.1, "--channels", 1, *arguments)
        if set(run["codes"]) != {"OK"}:
            sys.exit(f"calls failed: {run['codes']}")
        return run
