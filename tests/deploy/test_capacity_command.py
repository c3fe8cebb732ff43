"""deploy/capacity as a person runs it: reports, cost tables, the simulator, and what it refuses."""

import copy
import json
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COSTS = ["1 1 2000000 32", "64 64 4000000 32", "1024 64 30000000 32"]  # 2 ms, and 28 µs for each token
LENGTHS = ("--tokens", 16, "--sigma", 0.5, "--most-tokens", 64)
ALONE = ("--lose", 0, "--growth", 0, "--imbalance", 0, "--network-ms", 0)


def quantiles(p50: float, p99: float, mean: float) -> dict:
    return {"p50": p50, "p99": p99, "mean": mean}


def a_run(rate: float, p50: float, p99: float | None, calls: int, valid: bool = True) -> dict:
    return {"rate": rate, "calls": calls, "valid": valid, "mean_batch": 1.5,
            "latency_ms": {"all": quantiles(p50, p99, p50)}, "server_ms": {"queue": quantiles(1, 2, 0.5)}}


@pytest.fixture
def report() -> dict:
    """200 calls/s within 20 ms."""
    return {"schema": "bertha.load/1", "started": "2026-01-02T03:04:05Z", "valid": True, "invalid": [],
            "machine": {"processor": "Abacus 9", "cores": 2}, "server": {"address": "127.0.0.1:8001"},
            "objective": {"quantile": 0.99, "latency_ms": 20}, "capacity": {"per_s": 200, "tried": []},
            "runs": [a_run(100, 2, 10, 300), a_run(50, 2, 4, 100), a_run(400, 50, 900, 900), a_run(200, 4, 19, 3000),
                     a_run(150, 3, 900, 40, valid=False)]}


@pytest.fixture
def capacity(tmp_path, build_dir):
    """capacity(ARGUMENTS...) runs it; a report and a cost table, if given, are written and named."""

    def run(*arguments, report: dict | str | None = None, costs: list[str] | None = None):
        command = [sys.executable, ROOT / "deploy" / "capacity", *arguments]
        if report is not None:
            (tmp_path / "report.json").write_text(report if isinstance(report, str) else json.dumps(report))
            command += ["--report", tmp_path / "report.json"]
        if costs is not None:
            lines = ["bertha-costs 1: tokens longest nanoseconds batches", *costs]
            (tmp_path / "model.costs").write_text("".join(line + "\n" for line in lines))
            command += ["--costs", tmp_path / "model.costs"]
        return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60,
                              env={**os.environ, "BERTHA_BUILD_DIR": str(build_dir)})

    return run


@pytest.fixture
def planned(capacity):
    """planned(ARGUMENTS...): what it prints as JSON."""

    def run(*arguments, **files) -> dict:
        done = capacity("--json", *arguments, **files)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_a_report_alone_is_planned_with_as_measured(planned, report):
    loose, exact, strict = (planned("--p99", p99, "--rate", 1000, *ALONE, report=report) for p99 in (500, 20, 10))
    assert [p["pod"]["most_per_s"] for p in (loose, exact, strict)] == pytest.approx([200, 200, 100])
    assert [p["plans"][0]["pods"] for p in (loose, exact, strict)] == [5, 5, 10]
    assert (exact["plans"][0]["cores"], exact["plans"][0]["p99_ms"], exact["plans"][0]["queue_ms"]) == (10, 19, 0.5)
    assert "Abacus 9" in exact["pod"]["measured"] and "2026-01-02" in exact["pod"]["measured"]


def test_all_headroom_is_planned_for(planned, report):
    """1000 * 1.2 * 1.1 / 200 = 6.6: 7 are needed, and of 11 a third may go."""
    plan = planned("--p99", 21, "--network-ms", 1, "--rate", 1000, "--growth", 0.1, "--reaction", 120, "--imbalance",
                   0.1, "--lose", "1/3", "--price", 2, "--gpus", 1, "--cores", 4, report=report)["plans"][0]
    assert (plan["pods"], plan["gpus"], plan["cores"], plan["per_hour"]) == (11, 11, 44, 22)


def simulate(program, costs: list[str], tmp_path: pathlib.Path, **settings) -> dict:
    file = tmp_path / "direct.costs"
    file.write_text("bertha-costs 1: tokens longest nanoseconds batches\n" + "".join(line + "\n" for line in costs))
    wish = {"costs": str(file), "padding": False, "max_batch_requests": 64, "deadlines_ms": [30_000, 30_000], "seed": 7,
            "lengths": {"median": 16, "sigma": 0.5, "least": 3, "most": 64}, **settings}
    return json.loads(subprocess.check_output([str(program("simulator")), json.dumps(wish)], timeout=60))


@pytest.mark.slow
def test_the_simulator_agrees_with_the_table(planned, program, tmp_path):
    """One pod alone, and the whole fleet behind a round_robin balancer, whose arrivals are a little more even."""
    plan = planned("--p99", 25, "--rate", 6000, *LENGTHS, *ALONE, costs=COSTS)["plans"][0]
    assert plan["pods"] >= 3
    pod, fleet = (simulate(program, COSTS, tmp_path, replicas=n, load=plan["utilization"], seconds=120, warm_up=10)
                  for n in (1, plan["pods"]))
    assert pod["offered_per_s"] == pytest.approx(plan["per_pod"], rel=0.03)
    assert pod["p99_ms"] == pytest.approx(plan["p99_ms"], rel=0.1)
    assert pod["p50_ms"] == pytest.approx(plan["p50_ms"], rel=0.1)
    assert pod["busy"] == pytest.approx(plan["busy"], rel=0.05)
    assert pod["queue_mean_ms"] == pytest.approx(plan["queue_ms"], rel=0.1)
    assert fleet["offered_per_s"] == pytest.approx(6000, rel=0.03)
    assert fleet["p99_ms"] <= 25 and fleet["p99_ms"] == pytest.approx(plan["p99_ms"], rel=0.3)


@pytest.mark.slow
def test_with_both_the_simulated_pod_has_the_measured_capacity(planned, report):
    both = planned("--p99", 20, "--rate", 1000, *LENGTHS, *ALONE, report=report, costs=COSTS)
    assert both["pod"]["most_per_s"] == pytest.approx(200, rel=0.001)
    looser = planned("--p99", 60, "--rate", 1000, *LENGTHS, *ALONE, report=report, costs=COSTS)
    assert looser["pod"]["most_per_s"] > 200  # which the report alone could not say


@pytest.mark.slow
def test_more_workers_make_a_larger_pod(planned):
    one, two = (planned("--p99", 25, "--workers", n, *LENGTHS, costs=COSTS) for n in (1, 2))
    assert two["pod"]["full_per_s"] == pytest.approx(2 * one["pod"]["full_per_s"])
    assert two["plans"][-1]["pods"] < one["plans"][-1]["pods"]
    assert two["assumptions"]["cores"] == 2


def test_an_objective_below_a_lone_call_is_impossible(capacity, report):
    done = capacity("--p99", 3, report=report)
    assert (done.returncode, done.stdout) == (1, "")
    assert "p99 3 ms is impossible" in done.stderr and "4 ms" in done.stderr and "Traceback" not in done.stderr


def test_people_see_rates_and_every_assumption(capacity, report):
    done = capacity("--p99", 25, "--curve", "--price", 0.1, report=report)
    assert done.returncode == 0, done.stderr
    rows = [line.split()[0] for line in done.stdout.splitlines() if line.strip()[:1].isdigit()]
    assert rows == ["1000", "10000", "100000", "1000000", "50.0", "100.0", "200.0"]
    for word in ("--lose", "--growth", "--reaction", "--imbalance", "--clients", "--bytes", "--network-ms", "per 1M"):
        assert word in done.stdout, word


CHANGES = {
    "another schema": (lambda r: r.update(schema="x"), "bertha.load/1"),
    "no search": (lambda r: r.update(capacity=None), "--find-capacity"),
    "invalid": (lambda r: r.update(valid=False, invalid=["calls were sent late"]), "calls were sent late"),
    "nothing kept it": (lambda r: r["capacity"].update(per_s=0), "no rate kept 20 ms"),
    "another quantile": (lambda r: r["objective"].update(quantile=0.9), "p90"),
    "another machine": (lambda r: r["server"].update(address="10.0.0.7:8001"), "--cores"),
    "only invalid runs": (lambda r: [run.update(valid=False) for run in r["runs"]], "no valid run"),
    "no address": (lambda r: r["server"].update(address=None), "not a whole report"),
    "half a report": (lambda r: r.pop("machine"), "not a whole report")}


@pytest.mark.parametrize("change, words", CHANGES.values(), ids=CHANGES)
def test_a_report_that_one_cannot_plan_with_is_refused(capacity, report, change, words):
    broken = copy.deepcopy(report)
    change(broken)
    done = capacity("--p99", 20, report=broken)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr and "report.json" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments, files, words", [
    ((), {}, "--report or --costs"),
    (("--report", "/nowhere.json"), {}, "/nowhere.json"),
    ((), {"report": "{"}, "report.json"),
    (("--costs", "/nowhere.costs"), {}, "/nowhere.costs"),
    (("--costs", __file__), {}, "not a cost table"),
    ((), {"costs": ["1 2 three 4"]}, "no costs"),
    (("--rate", "0"), {"report": "{}"}, "'0'"),
    (("--rate", "many"), {"report": "{}"}, "'many'"),
    (("--lose", "1.5"), {"report": "{}"}, "below 1"),
    (("--lose", "1/0"), {"report": "{}"}, "share"),
    (("--workers", "1.5"), {"report": "{}"}, "whole number"),
    (("--growth", "nan"), {"report": "{}"}, "'nan'"),
    (("--set", "noise"), {"report": "{}"}, "KEY=JSON")])
def test_bad_input_is_refused_by_name(capacity, arguments, files, words):
    done = capacity("--p99", 20, *arguments, **files)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr and "Traceback" not in done.stderr
