"""Reports of `bertha load` that no server was needed for: a queue with batches, simulated from a seed, and broken ones."""

from __future__ import annotations

import collections
import copy
import json
import random
import sys

Report = dict[str, object]

QUEUE_LIMIT = 400
MOST_IN_BATCH = 32
OBJECTIVE_MS = 50.0
STAGES = ("tokenize", "queue", "compute", "total")


def _quantiles(values: list[float], missing: int = 0) -> dict[str, float | None]:
    """Of milliseconds; `missing` more are slower than all."""
    values = sorted(values)
    calls = len(values) + missing

    def at(share: float) -> float | None:
        index = min(int(share * calls), calls - 1)
        return round(values[index], 4) if 0 <= index < len(values) else None

    mean = round(sum(values) / len(values), 4) if values else None
    return {"p50": at(0.5), "p90": at(0.9), "p95": at(0.95), "p99": at(0.99), "p999": at(0.999), "max": at(1), "mean": mean,
            "count": calls}


def _buckets(values: list[float]) -> list[list[int]]:
    """Three significant digits of microseconds, as an HDR histogram."""
    counts: collections.Counter[tuple[int, int]] = collections.Counter()
    for value in values:
        us = max(1, round(1000 * value))
        step = 10 ** max(0, len(str(us)) - 3)
        counts[us // step * step, us // step * step + step - 1] += 1
    return [[low, high, count] for (low, high), count in sorted(counts.items())]


def simulate(rate: float, seconds: float, seed: int, speed: float = 1.0) -> list[dict[str, float]]:
    """Calls that come by a Poisson process to one worker that takes all that wait, up to a batch."""
    dice = random.Random(seed)
    arrivals = []
    at = dice.expovariate(rate)
    while at < seconds:
        arrivals.append(at)
        at += dice.expovariate(rate)
    calls, waiting, free = [], collections.deque(), 0.0
    for index in range(len(arrivals) + 1):
        until = arrivals[index] if index < len(arrivals) else float("inf")
        while waiting and max(free, waiting[0]) < until:
            begin = max(free, waiting[0])
            batch = [waiting.popleft() for _ in range(min(len(waiting), MOST_IN_BATCH))]
            took = (0.9e-3 + 0.42e-3 * len(batch)) * dice.lognormvariate(0, 0.12) / speed
            free = begin + took
            for arrival in batch:
                tokenize, way = dice.lognormvariate(-11.0, 0.3), dice.lognormvariate(-8.6, 0.5)
                latency = free - arrival + tokenize + way
                calls.append({"at": arrival, "ms": 1e3 * latency, "tokenize": 1e3 * tokenize, "queue": 1e3 * (begin - arrival),
                              "compute": 1e3 * took, "total": 1e3 * (latency - way) + 0.02, "batch": len(batch)})
        if index < len(arrivals):
            if len(waiting) < QUEUE_LIMIT:
                waiting.append(until)
            else:
                calls.append({"at": until, "ms": -1.0})
    return calls


def _timeline(calls: list[dict[str, float]], seconds: float, points: int) -> list[dict[str, object]]:
    width = seconds / points
    made = []
    for i in range(points):
        mine = [call for call in calls if i * width <= call["at"] < (i + 1) * width]
        good = [call["ms"] for call in mine if call["ms"] >= 0]
        found = _quantiles(good, len(mine) - len(good)) if mine else {"p50": None, "p99": None}
        made.append({"at_s": round(i * width, 3), "planned": len(mine), "answered": len(good), "failed": len(mine) - len(good),
                     "p50_ms": found["p50"], "p99_ms": found["p99"]})
    return made


def make_run(rate: float, seconds: float, calls: list[dict[str, float]], points: int = 60) -> Report:
    good = [call for call in calls if call["ms"] >= 0]
    times = [call["ms"] for call in good]
    failed = len(calls) - len(good)
    sizes = collections.Counter(int(call["batch"]) for call in good)
    within = sum(time <= OBJECTIVE_MS for time in times)
    codes = {"OK": len(good)} | ({"RESOURCE_EXHAUSTED": failed} if failed else {})
    return {
        "rate": rate, "in_flight": None, "seconds": seconds, "calls": len(calls), "planned_per_s": len(calls) / seconds,
        "offered_per_s": len(calls) / seconds, "answered_per_s": len(good) / seconds, "goodput_per_s": within / seconds,
        "codes": codes if calls else {}, "latency_ms": {"all": _quantiles(times, failed), "answered": _quantiles(times)},
        "send_lag_ms": _quantiles([0.04 + 0.0001 * (i % 200) for i in range(len(calls))]), "client_cores": 0.21,
        "cores_per_channel": 0.105,
        "server_ms": {stage: _quantiles([call[stage] for call in good]) for stage in STAGES} if good else None,
        "server_means_ms": None, "mean_batch": sum(call["batch"] for call in good) / len(good) if good else None,
        "batch_sizes": {str(size): count for size, count in sorted(sizes.items())},
        "histogram": {"unit": "us", "buckets": _buckets(times)}, "timeline": _timeline(calls, seconds, points) if calls else [],
        "valid": True, "invalid": [],
    }


def make_report(kind: str, runs: list[Report], **fields: object) -> Report:
    model = {"name": "sentiment-bert", "version": 1, "family": "bert", "engine": "fused", "dtype": "fp32"}
    words = ["bertha", "load", "--rate", "1000", "--file", "two words.txt"]
    return {
        "schema": "bertha.load/1", "kind": kind, "started": "2026-11-23T14:00:00Z", "command": words,
        "machine": {"processor": "AMD EPYC 9R14", "cores": 2, "memory_gb": 23.5, "kernel": "Linux 6.1.0"},
        "client": {"program": "bertha load", "version": "0.1.0", "protocol": "bertha", "stream": False, "channels": 2},
        "server": {"address": "localhost:8001", "models": [model]},
        "plan": {"arrivals": "poisson", "seed": 1, "texts": {"source": "heldout.jsonl", "count": 3472}, "deadline_ms": None,
                 "warm_up_s": 0.5},
        "objective": {"quantile": 0.99, "latency_ms": OBJECTIVE_MS}, "valid": True, "invalid": [], "capacity": None, "runs": runs,
    } | fields


def one_run(rate: float = 1500, seconds: float = 8, seed: int = 1, speed: float = 1.0) -> Report:
    calls = simulate(rate, seconds, seed, speed)
    for call in calls:  # the machine was somebody else's for a moment
        if 0.55 * seconds < call["at"] < 0.57 * seconds and call["ms"] >= 0:
            call["ms"] += 1000 * (0.57 * seconds - call["at"])
    return make_report("open", [make_run(rate, seconds, calls)])


def sweep(capacity: float = 2000, seed: int = 1, speed: float = 1.0) -> Report:
    shares = (0.1, 0.25, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0)
    runs = [make_run(share * capacity, 2, simulate(share * capacity, 2, seed + i, speed), 20) for i, share in enumerate(shares)]
    tried = [{"rate": capacity * share, "met": share <= 1, "seconds": 2, "calls": int(2 * capacity * share), "over": 0 if share <= 1 else 900}
             for share in (0.5, 1.0, 2.0, 1.5, 1.25)]
    return make_report("sweep", runs, capacity={"per_s": capacity, "tried": tried})


def partly_invalid() -> Report:
    report = sweep()
    why = "the 99th percentile of the send lag was 1.4 ms, more than 1 ms"
    report["runs"][4] |= {"valid": False, "invalid": [why]}
    report["runs"].insert(0, report["runs"][4])  # a search tried this rate before
    return report | {"valid": False, "invalid": [f"run {n}: {why}" for n in range(1, 10)]}


def no_capacity() -> Report:
    """A search in which no rate kept the objective."""
    return sweep(seed=3) | {"capacity": {"per_s": 0, "tried": []}}


def closed_loop() -> Report:
    run = make_run(900, 4, simulate(900, 4, 3), 30) | {"rate": None, "in_flight": 8, "planned_per_s": 0}
    return make_report("closed", [run], objective=None)


def invalid() -> Report:
    why = ["this program used 0.93 cores for each channel, more than 0.70: it measured itself; add --channels",
           "offered 1410/s instead of 1500/s, 6.0 % off"]
    report = one_run(seed=4)
    report["runs"][0] |= {"valid": False, "invalid": why}
    return report | {"valid": False, "invalid": why}


def empty() -> Report:
    return make_report("open", [])


def no_calls() -> Report:
    return make_report("open", [make_run(10, 1, [])])


def all_failed() -> Report:
    return make_report("open", [make_run(500, 4, [{"at": i / 500, "ms": -1.0} for i in range(2000)], 20)])


def single_call() -> Report:
    return make_report("open", [make_run(1, 1, simulate(1, 1, 9)[:1] or simulate(5, 1, 9)[:1], 4)], objective=None)


def means_only() -> Report:
    """As the Open Inference Protocol tells it: no split of a call, only means of the run."""
    report = one_run(seed=5)
    means = {"tokenize": 0.02, "queue": 1.4, "compute": 3.1}
    report["runs"][0] |= {"server_ms": None, "server_means_ms": means, "batch_sizes": {}, "mean_batch": 3.2}
    return report


def hostile() -> Report:
    """Names that would be markup, or end the element in which they stand."""
    bad = "</script><script>document.title = 'taken'</script><!-- <img src=x onerror=\"document.title = 'taken'\">\u2028 & "
    report = copy.deepcopy(single_call())
    report["server"] = {"address": bad, "models": [{"name": bad, "version": 1, "family": bad, "engine": bad, "dtype": bad}]}
    report["command"] = ["bertha", bad, "it's"]
    report["machine"] = {"processor": bad, "cores": 1, "memory_gb": 1, "kernel": bad}
    report["runs"][0]["codes"] = {bad: 1}
    return report | {"valid": False, "invalid": [bad]}


def wrong_types() -> Report:
    """What nobody writes, and a page must still survive."""
    run = {"rate": "fast", "codes": [], "latency_ms": 3, "histogram": {"buckets": [1, [2], ["a", "b", "c"]]}, "timeline": [None, 4],
           "batch_sizes": {"x": "y"}, "server_ms": []}
    return make_report("open", [run, 7, None], server=[], machine=None, plan="none", objective=7, capacity=[])


ALL = (one_run, sweep, partly_invalid, no_capacity, closed_loop, invalid, empty, no_calls, all_failed, single_call, means_only, hostile, wrong_types)

if __name__ == "__main__":
    print(json.dumps({make.__name__: make for make in ALL}[sys.argv[1]]()))
