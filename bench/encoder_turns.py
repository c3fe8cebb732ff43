"""Engines as processes that take turns: one runs, the others are stopped (bench/encoder_peers.py)."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

# --isa: what tells the peers' libraries.
ENVIRONMENT = {
    "auto": {},
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2",
             "CT2_FORCE_CPU_ISA": "AVX2"},
}


def progress(line: str) -> None:
    """One line that is written over, where somebody watches; empty: it goes."""
    if sys.stderr.isatty():
        print(f"\r{line:<70}" if line else "\r" + " " * 70 + "\r", end="", file=sys.stderr, flush=True)


class Child:
    """A process that answers JSON lines, and is stopped unless it answers."""

    def __init__(self, name: str, command: list[object], threads: int, isa: str, log: pathlib.Path):
        self.name, self.log = name, log
        limits = {variable: str(threads) for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        limits |= ENVIRONMENT[isa]
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as errors:
            self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=errors, env={**os.environ, **limits, "HF_HUB_OFFLINE": "1"}, text=True)
        try:
            self.ready = self._read()
        except BaseException:
            self.stop()
            raise
        os.kill(self.process.pid, signal.SIGSTOP)

    def ask(self, **request: object) -> dict:
        os.kill(self.process.pid, signal.SIGCONT)
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            return self._read()
        finally:
            if self.process.poll() is None:
                os.kill(self.process.pid, signal.SIGSTOP)

    def _read(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            lines = self.log.read_text(errors="replace").strip().splitlines()
            raise RuntimeError(f"{self.name}: {lines[-1] if lines else f'exit status {self.process.returncode}'}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{self.name}: {answer['error']}")
        return answer

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


class Engine:
    """One of those that a child has."""

    def __init__(self, child: Child, number: int):
        self.child, self.number = child, number

    def times(self, lengths: list[int], seconds: float) -> dict:
        return self.child.ask(engine=self.number, lengths=lengths, seconds=seconds)

    def logits(self, ids: list[list[int]]) -> list[list[float]]:
        return self.child.ask(engine=self.number, ids=ids)["logits"]


class Others:
    """How busy other programs keep the processors that the engines are bound to: noise that turns alone do not take away."""

    def __init__(self, children: list[Child]):
        self.children, self.busy, self.seconds = children, 0.0, 0.0

    def start(self) -> None:
        self.begin = time.monotonic(), *self._ticks()

    def stop(self) -> None:
        """After start(), around a turn."""
        begin, all_before, own_before = self.begin
        all_after, own_after = self._ticks()
        self.busy += max(0, (all_after - all_before) - (own_after - own_before)) / os.sysconf("SC_CLK_TCK")
        self.seconds += (time.monotonic() - begin) * len(os.sched_getaffinity(0))

    def share(self) -> float:
        """Of these processors' time."""
        return self.busy / self.seconds if self.seconds else 0

    def _ticks(self) -> tuple[int, int]:
        """Of all programs on these processors, and of our own."""
        names = {f"cpu{cpu}" for cpu in os.sched_getaffinity(0)}
        everybody = 0
        for line in pathlib.Path("/proc/stat").read_text().splitlines():
            name, *values = line.split()
            if name in names:
                user, nice, system, _, _, irq, softirq, steal = map(int, values[:8])
                everybody += user + nice + system + irq + softirq + steal
        own = 0
        for process in (child.process.pid for child in self.children):
            fields = pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
            own += int(fields[11]) + int(fields[12])  # utime and stime (proc(5)), which count from behind the name
        return everybody, own


def one_thread_of_each_core() -> list[int]:
    """Processors that this process may use; those that share a core with another one come last."""
    first, others = [], []
    seen: set[str] = set()
    for cpu in sorted(os.sched_getaffinity(0)):
        try:
            siblings = pathlib.Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text()
        except OSError:
            siblings = str(cpu)
        (others if siblings in seen else first).append(cpu)
        seen.add(siblings)
    return first + others
