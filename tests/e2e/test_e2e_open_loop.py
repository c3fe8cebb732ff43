"""bench_open_loop and the simulator: do the programs that judge the batcher tell the truth?"""

import json
import signal
import subprocess
import threading

import pytest
from e2e_support import PATIENCE

COUNTS = ("goodput_per_s", "late_per_s", "refused_per_s", "dropped_per_s")


@pytest.fixture
def open_loop(program, tmp_path):
    """open_loop(ADDRESS, [(seconds, deadline_ms, text)], ARGUMENTS...) sends that and returns what it prints."""

    def run(address, calls, *arguments):
        schedule = tmp_path / "schedule.tsv"
        schedule.write_text("".join(f"{at}\t{deadline}\t{text}\n" for at, deadline, text in calls))
        command = [program("bench_open_loop"), "--address", address, "--schedule", schedule, *arguments]
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=PATIENCE, check=True)
        return json.loads(done.stdout)

    return run


@pytest.fixture
def simulate(program, tmp_path):
    """simulate(COSTS, SETTINGS...) runs the simulator with the cost table of these lines."""

    def run(costs, **settings):
        file = tmp_path / "model.costs"
        file.write_text("bertha-costs 1: tokens longest nanoseconds batches\n" + "".join(line + "\n" for line in costs))
        wish = json.dumps({"costs": str(file), "noise": 0, "warm_up": 0, **settings})
        done = subprocess.run([str(program("simulator")), wish], capture_output=True, text=True, timeout=PATIENCE, check=True)
        return json.loads(done.stdout)

    return run


def test_a_server_that_stands_still_is_seen(daemon, open_loop):
    """Calls that were due meanwhile count from then on, though a closed loop would not have sent them."""
    d = daemon()
    calls = [(i / 100, 20_000, "I love it") for i in range(150)]
    open_loop(d.address, calls[:20])  # connections are warm
    stop = threading.Timer(0.4, lambda: d.process.send_signal(signal.SIGSTOP))
    go_on = threading.Timer(1.0, lambda: d.process.send_signal(signal.SIGCONT))
    stop.start(), go_on.start()
    try:
        result = open_loop(d.address, calls)
    finally:
        stop.join(), go_on.join()
    assert result["codes"] == {"0": 150}
    assert result["p99_ms"] > 400
    assert result["p50_ms"] < result["p99_ms"] / 2


def test_every_call_is_counted_once(daemon, slow_models, open_loop):
    """A model of 40 ms for each text alone, offered twice what it can do: refused, not late."""
    d = daemon("--batch-max-requests", "1", models=slow_models)
    calls = [(i / 50, 400, f"text {i}") for i in range(150)]
    result = open_loop(d.address, calls, "--warm-up", "0.5")
    assert sum(result["codes"].values()) == 125
    assert set(result["codes"]) <= {"0", "4", "8"}
    assert sum(result[name] for name in COUNTS) == pytest.approx(result["offered_per_s"])
    assert result["refused_per_s"] > 10
    assert 10 < result["goodput_per_s"] < 30
    assert result["mean_batch"] == pytest.approx(1)


@pytest.mark.parametrize(
    "lines, message",
    [
        (None, "cannot read"),
        ("", "is empty"),
        ("0.1\t50\tfine\n0.05\t50\tearlier\n", "line 2"),
        ("0.1\t0\tno time\n", "line 1"),
        ("soon\t50\ttext\n", "line 1"),
        ("0.1 50 text\n", "line 1"),
    ],
)
def test_a_wrong_schedule_is_refused(program, tmp_path, lines, message):
    schedule = tmp_path / "schedule.tsv"
    if lines is not None:
        schedule.write_text(lines)
    command = [str(program("bench_open_loop")), "--schedule", str(schedule)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 2
    assert message in done.stderr


TEN_MS = ["1 1 10000000 32", "4096 512 10000000 32"]  # whatever the batch


def test_the_simulator_takes_a_batch_for_what_its_table_says(simulate, tmp_path):
    trace = tmp_path / "trace"
    trace.write_text("".join(f"{at} 16 1000\n" for at in (0.0, 0.5, 1.0, 1.001, 1.002)))
    result = simulate(TEN_MS, policy="bertha", trace=str(trace), seconds=2)
    assert result["answered"] == 5
    assert result["p50_ms"] == pytest.approx(10, rel=0.05)
    assert result["p99_ms"] == pytest.approx(19, rel=0.1)  # waits for the one before
    assert result["mean_batch"] == pytest.approx(5 / 4)


def test_the_simulator_loses_nobody(simulate):
    """More than can be done: the daemon's queue refuses what would be late, plain FIFO answers nobody in time."""
    settings = {"load": 3, "seconds": 5, "lengths": {"median": 32, "most": 128}, "max_requests": 1_000_000}
    costs = [f"{n} {min(n, 128)} {1_000_000 + 5_000 * n} 32" for n in (8, 32, 128, 512, 2048, 4096)]
    ours, fifo, reject = (simulate(costs, policy=p, **settings) for p in ("bertha", "fifo-timeout", "fifo-reject"))
    for result in (ours, fifo, reject):
        assert sum(result[name] for name in COUNTS) == pytest.approx(result["offered_per_s"])
    assert ours["kept"] > 0.98
    assert ours["goodput_per_s"] > 0.6 * ours["capacity_per_s"]
    assert ours["goodput_per_s"] > 5 * max(fifo["goodput_per_s"], reject["goodput_per_s"])


def test_a_faster_machine_has_more_capacity(simulate):
    one, twenty = (simulate(TEN_MS, load=0.5, seconds=1, speedup=speedup)["capacity_per_s"] for speedup in (1, 20))
    assert twenty == pytest.approx(20 * one, rel=0.01)
