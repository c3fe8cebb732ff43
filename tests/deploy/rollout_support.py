"""Daemons as pods in network namespaces behind a name, and those who call them."""

import collections
import contextlib
import csv
import json
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

from netns import Network

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "tests" / "e2e"), str(ROOT / "clients" / "python")]

from e2e_support import environment, wait_until, with_quick  # noqa: E402: they are found by the path above

NAME = "bertha.test"
TARGET = f"dns:///{NAME}:8001"
PATIENCE = 120  # seconds
FETCH = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())"


class Pod:
    """A berthad on the usual ports of a host of its own."""

    def __init__(self, host, command, log):
        self.address, self._host, self._log = host.address, host, log
        with open(log, "wb") as output:
            self.process = host.start(*command, stdout=output, stderr=output)

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self):
        """The exit code."""
        return self.process.wait(PATIENCE)

    def log(self):
        return self._log.read_text(errors="replace")

    def calls(self):
        """How many calls of Classify it has answered or refused, by their codes."""
        page = self._host.run(sys.executable, "-I", "-c", FETCH, f"http://{self.address}:8000/metrics")
        return collections.Counter({
            re.search(r'code="(\w+)"', line).group(1): int(float(line.rpartition(" ")[2]))
            for line in page.splitlines()
            if line.startswith("bertha_requests_total{") and 'method="Classify"' in line and 'transport="grpc"' in line
        })


class Node:
    """rollout_node.py, and what it last said of each pod."""

    def __init__(self, host, period):
        command = [sys.executable, HERE / "rollout_node.py", NAME, period]
        self.process = host.start(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment())
        self.changes = []  # (when, address, ready)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            address, state = line.split()
            self.changes.append((time.monotonic(), address, state == "ready"))

    def tell(self, what, pod):
        self.process.stdin.write(f"{what} {pod.address}\n")
        self.process.stdin.flush()

    def is_ready(self, pod):
        states = [ready for _, address, ready in self.changes if address == pod.address]
        return bool(states) and states[-1]


class Cluster:
    """Pods behind NAME, which resolves to those that the probes call ready."""

    def __init__(self, berthad, models, folder, period=0.2):
        self._berthad, self._models, self._folder = berthad, models, folder
        self._period = period
        self._stack = contextlib.ExitStack()
        self.pods = []  # those that should serve, the oldest first

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self._network = stack.enter_context(Network())
            self._processes = []
            stack.callback(self._end_processes)
            self._client = self._network.host()
            self._client.resolve_by(self._network.gateway.address)
            self._node = Node(self._network.gateway, self._period)
            self._processes.append(self._node.process)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._stack.close()

    def _end_processes(self):
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.wait(PATIENCE)

    def start_pod(self, *flags):
        """On an address that nobody had before, as pods have."""
        command = [self._berthad, "--models", self._models, *with_quick(flags)]
        pod = Pod(self._network.host(), command, self._folder / f"pod{len(self._processes)}.log")
        self._processes.append(pod.process)
        self.pods.append(pod)
        self._node.tell("add", pod)
        return pod

    def wait_ready(self, *pods):
        def all_ready():
            for pod in pods:
                assert pod.process.poll() is None, pod.log()
            return all(self._node.is_ready(pod) for pod in pods)

        wait_until(all_ready, "the pods are ready", PATIENCE)

    def start(self, number, *flags):
        self.wait_ready(*[self.start_pod(*flags) for _ in range(number)])
        return self

    def replace_all(self, *flags):
        """As a Deployment does with maxSurge 1 and maxUnavailable 0: for each pod a new one is started, and when it is
        ready the old one is told to end; nobody waits for it. The exit codes of the old ones, in the end."""
        old = list(self.pods)
        for pod in old:
            self.wait_ready(self.start_pod(*flags))
            self.pods.remove(pod)
            pod.signal()
        codes = [pod.wait() for pod in old]
        for pod in old:
            self._node.tell("remove", pod)
        return codes

    def history(self):
        """What the probes said, for a test that fails."""
        return "\n".join(f"{when:.2f} {address} {'ready' if ready else 'unready'}" for when, address, ready in self._node.changes)

    def python(self, kind, rate):
        client = PythonLoad(self._client, kind, rate)
        self._processes.append(client.process)
        return client

    def load(self, bertha, rate, *arguments, balancing="round_robin"):
        load = Load(self._client, bertha, self._folder / f"load{len(self._processes)}", rate, balancing, *arguments)
        self._processes.append(load.process)
        wait_until(lambda: sum(sum(pod.calls().values()) for pod in self.pods) > 0, "calls come", PATIENCE)
        return load


Call = collections.namedtuple("Call", "sent ended code")  # seconds after the begin of the load


class Load:
    """`bertha load` in an open loop, until end()."""

    def __init__(self, host, bertha, out, rate, balancing, *arguments):
        self._out = out
        command = [bertha, "load", "--address", TARGET, "--load-balancing", balancing, "--rate", rate, "--seconds", 600]
        self._complaints = out.with_suffix(".log")
        with open(self._complaints, "wb") as complaints:
            self.process = host.start(*command, "--warm-up", 0, "--quiet", "--json", "--out", out, *arguments,
                                      stdout=subprocess.PIPE, stderr=complaints, text=True)

    def end(self):
        """All calls. They are in the file one by one, whether the run is called valid or not: another program that
        computes beside this one makes it late, which is no failure here."""
        self.process.send_signal(signal.SIGINT)
        output, _ = self.process.communicate(timeout=PATIENCE)
        assert output, self._complaints.read_text(errors="replace")
        report = json.loads(output)
        with open(self._out / "requests.csv", newline="") as file:
            calls = [
                Call(float(row["sent_s"]), float(row["planned_s"]) + float(row["latency_ms"]) / 1e3, row["code"])
                for row in csv.DictReader(file)
            ]
        return Outcome(calls, report["runs"][0]["latency_ms"]["answered"])


class PythonLoad:
    """rollout_client.py, until end()."""

    def __init__(self, host, kind, rate):
        command = [sys.executable, HERE / "rollout_client.py", kind, TARGET, rate]
        self.process = host.start(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment())

    def end(self):
        """What it says."""
        output, _ = self.process.communicate("", timeout=PATIENCE)
        return json.loads(output)


class Outcome:
    def __init__(self, calls, latency_ms):
        self.calls = calls
        self.failed = [call for call in calls if call.code != "OK"]
        self.latency_ms = latency_ms

    def __str__(self):
        codes = collections.Counter(call.code for call in self.failed)
        longest = ", ".join(f"{name} {self.latency_ms[name]:.1f} ms" for name in ("p50", "p99", "max"))
        return f"{len(self.calls)} requests, {len(self.failed)} failed {dict(codes) or ''}, latency {longest}"
