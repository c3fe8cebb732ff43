"""What deploy/capacity knows of a pod: a report of `bertha load`, or a simulation with a cost table."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import sys

from capacity_model import Curve, Point

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bench"))

import curves  # noqa: E402

LOADS = (0.02, 0.05, *(n / 20 for n in range(2, 20)), 0.975)  # by the capacity of full batches
SIMULATED_CALLS = 40_000  # for each load
MOST_FAILED = 0.001  # share of calls that a simulated pod may refuse, or answer late, and still count
MOST_WAIT = 0.05  # of the simulated time: a p99 that takes more is that of a queue which grows for as long as one looks
COSTS_HEADER = "bertha-costs 1:"
LOOPBACK = ("localhost", "127.", "[::1]")


class BadInput(Exception):
    """A file or a flag; says which, and what to do."""


@dataclasses.dataclass(frozen=True)
class Measured:
    """A report of `bertha load --find-capacity --json`."""

    curve: Curve
    capacity: float  # calls a second
    p99_ms: float  # of the objective that it was found for
    where: str
    cores: int | None  # of the server; None: it ran elsewhere, and the report does not know


def read_report(path: pathlib.Path) -> Measured:
    try:
        report = json.loads(path.read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BadInput(f"{path}: {error}") from error
    if not isinstance(report, dict) or report.get("schema") != "bertha.load/1":
        raise BadInput(f"{path}: not a report of bertha load --json (schema bertha.load/1)")
    try:
        return measured_of(report)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error
    except (AttributeError, KeyError, TypeError) as error:
        raise BadInput(f"{path}: not a whole report of bertha load --json: {error!r}") from error


def check(report: dict) -> None:
    """Whether a capacity was found that one can plan with."""
    capacity, objective = report["capacity"], report["objective"]
    if not capacity or not objective:
        raise BadInput("has no capacity: make it with bertha load --find-capacity --slo p99=50ms --json")
    if not report["valid"]:
        raise BadInput(f"is INVALID: {'; '.join(report['invalid'])}: measure again (docs/load.md)")
    if capacity["per_s"] <= 0:
        raise BadInput(f"no rate kept {objective['latency_ms']:g} ms: measure with a looser --slo, or a faster server")
    if objective["quantile"] < 0.99:
        raise BadInput(f"its objective is of p{100 * objective['quantile']:g}, which says nothing of a p99: measure "
                       "with --slo p99=50ms")


def point_of_run(run: dict, p99_ms: float) -> Point:
    """The search has shown that this rate keeps the objective, whatever one short run of it says."""
    latency, server = run["latency_ms"]["all"], run["server_ms"]
    return Point(run["rate"], latency["p50"], min(latency["p99"], p99_ms), latency["mean"],
                 server["queue"]["mean"] if server else None, None, run["mean_batch"], run["calls"])


def measured_of(report: dict) -> Measured:
    check(report)
    capacity, p99_ms, machine = report["capacity"]["per_s"], report["objective"]["latency_ms"], report["machine"]
    runs = [run for run in report["runs"] if run["valid"] and run["rate"] and run["rate"] <= capacity * 1.0001
            and run["latency_ms"]["all"]["p99"] is not None]
    if not runs:
        raise BadInput("has no valid run at or below its capacity")
    address, day = report["server"]["address"], report["started"][:10]
    at_home = address.startswith(LOOPBACK)
    here = f"{machine['processor']}, {machine['cores']} cores, client on the same machine"
    where = here if at_home else f"server {address}"
    return Measured(Curve([point_of_run(run, p99_ms) for run in runs], capacity), capacity, p99_ms, f"{where}, {day}",
                    machine["cores"] if at_home else None)


def check_costs(path: pathlib.Path) -> None:
    try:
        known = path.read_text().startswith(COSTS_HEADER)
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: {error}") from error
    if not known:
        raise BadInput(f"{path}: not a cost table of berthad (a .costs file of its costs.directory)")
    if not (curves.BIN / "simulator").exists():
        raise BadInput(f"{curves.BIN / 'simulator'} is not built: cmake --build build/release --target simulator")


def simulate(settings: dict) -> dict:
    try:
        return curves.simulate(settings)
    except SystemExit as error:  # it has said why
        raise BadInput(f"the simulator does not take {json.dumps(settings)}: {error}") from error


def point_of(simulated: dict, rate: float) -> Point:
    return Point(rate, simulated["p50_ms"], simulated["p99_ms"], simulated["mean_ms"], simulated["queue_mean_ms"],
                 simulated["busy"], simulated["mean_batch"], simulated["answered"])


def simulate_curve(costs: pathlib.Path, workers: int, lengths: dict, settings: dict) -> Curve:
    """A pod whose workers share the work: each call goes to the worker that has least of it."""
    check_costs(costs)
    pod = {"costs": str(costs), "replicas": workers, "balancer": "least-loaded", "max_batch_requests": 64,
           "padding": False, "deadlines_ms": [30_000, 30_000], "lengths": lengths, **settings}
    capacity = simulate({**pod, "load": 1, "seconds": 1e-6, "warm_up": 0})["capacity_per_s"]
    points = []
    for load in LOADS:
        curves.progress(f"simulating {load:.0%} of full batches")
        seconds = SIMULATED_CALLS / (load * capacity)
        simulated = simulate({**pod, "load": load, "seconds": 1.1 * seconds, "warm_up": 0.1 * seconds})
        failed = sum(simulated[key] for key in ("late_per_s", "refused_per_s", "dropped_per_s"))
        if failed > MOST_FAILED * simulated["offered_per_s"] or simulated["p99_ms"] > MOST_WAIT * 1e3 * seconds:
            break
        points.append(point_of(simulated, load * capacity))
    curves.progress("")
    if not points:
        raise BadInput(f"{costs}: a simulated pod keeps up with no load: are deadlines (--set deadlines_ms) too short?")
    return Curve(points, capacity)
