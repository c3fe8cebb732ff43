"""bench/guard: what it calls worse, and that it does so with this build."""

import importlib.machinery
import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUARD = ROOT / "bench" / "guard"
ROUNDS = {"a": [2.0, 2.2, 2.1], "b": [5.0, 5.0, 5.1]}


@pytest.fixture(scope="module")
def guard():
    sys.path.insert(0, str(ROOT / "bench"))
    loader = importlib.machinery.SourceFileLoader("guard", str(GUARD))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("guard", loader))
    loader.exec_module(module)
    return module


@pytest.mark.parametrize("low, bound, worse", [(2.0, 0.15, False), (2.4, 0.15, False), (2.5, 0.15, True), (2.5, 0.3, False)])
def test_worse_is_a_median_below_the_least_of_the_baseline_by_more_than_the_bound(guard, low, bound, worse):
    baseline = {"ratios": {"a": {"median": low + 0.5, "low": low}}}
    rows = {row["name"]: row for row in guard.compare(ROUNDS, baseline, bound)}
    assert rows["a"]["worse"] is worse
    assert rows["b"]["worse"] is False and rows["b"]["limit"] is None  # nothing is known of it


def test_without_a_baseline_nothing_is_compared(guard):
    assert not any(row["worse"] for row in guard.compare(ROUNDS, None, 0.0))


def run_guard(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, str(GUARD), "--rounds", "1", "--seconds", "0.1", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=dict(os.environ), timeout=300)


def test_this_build_is_no_slower_than_the_baseline_by_far(tmp_path):
    """Beside other tests times are rough: only what became several times slower, and stays so, is found here."""
    for _ in range(3):
        done = run_guard("--bound", 0.7, "--json")
        if done.returncode == 0:
            break
    assert done.returncode == 0, done.stdout + done.stderr
    measured = json.loads(done.stdout)
    assert len(measured["ratios"]) >= 15 and all(row["now"] > 0 for row in measured["ratios"])
    # And the same measurement, held against what nobody reaches, is found to be worse.
    better = {row["name"]: {"median": row["now"] * 10, "low": row["now"] * 10} for row in measured["ratios"]}
    baseline = tmp_path / "baseline.json"
    baseline.write_text(json.dumps({measured["instructions"]: {"date": "2026-01-01", "rounds": 1, "ratios": better}}))
    done = run_guard("--skip-server", "--baseline", baseline)
    assert done.returncode == 1 and "WORSE" in done.stdout
