"""The simulator: does the program that judges the batcher tell the truth?"""

import json
import subprocess

import pytest
from e2e_support import PATIENCE

COUNTS = ("goodput_per_s", "late_per_s", "refused_per_s", "dropped_per_s")


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


TEN_MS = ["1 1 10000000 32", "4096 512 10000000 32"]  # whatever the batch


def test_the_simulator_takes_a_batch_for_what_its_table_says(simulate, tmp_path):
    trace = tmp_path / "trace"
    trace.write_text("".join(f"{at} 16 1000\n" for at in (0.0, 0.5, 1.0, 1.001, 1.002)))
    result = simulate(TEN_MS, policy="bertha", trace=str(trace), seconds=2)
    assert result["answered"] == 5
    assert result["p50_ms"] == pytest.approx(10, rel=0.05)
    assert result["p99_ms"] == pytest.approx(19, rel=0.1)  # waits for the one before
    assert result["mean_ms"] == pytest.approx((3 * 10 + 19 + 18) / 5, rel=0.05)
    assert result["queue_mean_ms"] == pytest.approx((9 + 8) / 5, rel=0.05)
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
