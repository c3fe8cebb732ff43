"""deploy/capacity_model.py: the arithmetic of a fleet, against cases that were calculated by hand."""

import dataclasses
import itertools
import pathlib
import sys
from fractions import Fraction

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "deploy"))

import capacity_model as model  # noqa: E402

CURVE = model.Curve([model.Point(100, 2, 5, 2.5, 0.5, 0.3, 1, 1000), model.Point(200, 3, 10, 3.5, 1.5, 0.5, 2, 2000),
                     model.Point(300, 5, 30, 7, 5, 0.9, 8, 3000)], capacity=400)
ASSUME = model.Assumptions(p99_ms=10, network_ms=0, lose=1, imbalance=0.25, growth=0.1, reaction_s=120, cores=2,
                           clients=50, price=0.5)
RATES = (1, 99, 100, 1000, 1001, 54_321, 1e5, 1e6)


@pytest.mark.parametrize("values, weights, expected", [
    ([1, 2, 3], [1, 1, 1], [1, 2, 3]),
    ([1, 3, 2, 4], [1, 1, 1, 1], [1, 2.5, 2.5, 4]),
    ([9, 3, 3], [1, 2, 3], [4, 4, 4]),
    ([5, 1, 4], [1, 3, 1], [2, 2, 4])])
def test_what_falls_is_evened_out(values, weights, expected):
    assert model.never_falling(values, weights) == pytest.approx(expected)


@pytest.mark.parametrize("p99_ms, rate", [(4.9, 0), (5, 100), (7.5, 150), (10, 200), (20, 250), (30, 300), (1000, 300)])
def test_the_limit_is_the_highest_rate_within_the_objective(p99_ms, rate):
    assert CURVE.limit(p99_ms) == pytest.approx(rate)


def test_between_two_points_the_curve_is_linear():
    between = CURVE.at(250)
    assert [getattr(between, name) for name in model.RISING] == pytest.approx([4, 20, 5.25, 3.25, 0.7, 5])
    assert CURVE.at(1).p99_ms == 5
    with pytest.raises(ValueError, match="301"):
        CURVE.at(301)


def test_runs_of_one_rate_count_by_their_calls():
    runs = [model.Point(10, 1, p99_ms, 1, None, None, None, calls) for p99_ms, calls in ((2, 100), (8, 200))]
    twice = model.Curve(runs, capacity=20)
    assert [p.p99_ms for p in twice.points] == [6]
    assert twice.at(10).queue_ms is None


def test_a_pod_that_is_twice_as_fast_does_twice_as_much_in_half_the_time():
    assert CURVE.faster(2).limit(5) == 400
    assert CURVE.faster(2).capacity == 800


@pytest.mark.parametrize("measured, p99_ms, speed", [(200, 10, 1), (400, 5, 2), (100, 20, 0.5), (300, 300, 1)])
def test_the_simulated_pod_gets_the_speed_that_was_measured(measured, p99_ms, speed):
    assert model.speed_of(CURVE, measured, p99_ms) == pytest.approx(speed)
    assert CURVE.faster(speed).limit(p99_ms) == pytest.approx(measured)


def test_a_measurement_of_another_machine_is_refused():
    with pytest.raises(ValueError, match="another model"):
        model.speed_of(CURVE, 1e9, 10)


def test_a_fleet_as_calculated_by_hand():
    """1000 calls/s grow to 1200; of 8 pods that are left the busiest has 1200 / 8 * 1.25 = 187.5, and may have 200."""
    plan = model.plan(CURVE, ASSUME, 1000)
    assert (plan.pods, plan.cores, plan.gpus, plan.connections) == (9, 18, 0, 50)
    assert plan.per_pod == pytest.approx(111.11, rel=1e-3)
    assert plan.utilization == pytest.approx(111.11 / 400, rel=1e-3)
    assert plan.p99_ms == pytest.approx(5 + 5 * 0.38889, rel=1e-3)  # 138.9 calls/s
    assert plan.p50_ms == pytest.approx(2 + 0.38889, rel=1e-3)
    assert plan.worst_p99_ms == pytest.approx(5 + 5 * 0.875)
    assert plan.in_flight == pytest.approx(111.11 * 2.6111e-3, rel=1e-3)
    assert plan.queue_ms == pytest.approx(0.61111, rel=1e-3)
    assert plan.gbit == pytest.approx(187.5 * 500 * 8e-9)
    assert plan.per_hour == pytest.approx(4.5)
    assert plan.per_million == pytest.approx(1.25)  # 3.6 million calls an hour


def test_the_network_takes_its_part_of_the_objective():
    near, far = (dataclasses.replace(ASSUME, network_ms=ms) for ms in (0, 5))
    assert [model.plan(CURVE, a, 1000).pods for a in (near, far)] == [9, 16]  # 1500 calls/s by 200, by 100
    assert model.plan(CURVE, far, 1000).p99_ms == 10


@pytest.mark.parametrize("needed, lose, pods", [
    (8, 0, 8), (8, 1, 9), (8, 3, 11), (8, Fraction(1, 3), 12), (8, Fraction("0.33"), 12), (8, Fraction(1, 10), 9),
    (1, Fraction(1, 3), 2), (1, Fraction(1, 2), 2), (9, Fraction(1, 10), 10), (10, Fraction(1, 10), 12),
    (7, Fraction(1, 2), 14)])
def test_what_is_left_after_the_loss_is_enough(needed, lose, pods):
    assert model.pods_with_loss(needed, lose) == pods


@pytest.mark.parametrize("lose", [0, 1, 5, Fraction(1, 3), Fraction(1, 2), Fraction(1, 7)])
def test_the_worst_moment_keeps_the_objective_with_no_pod_too_many(lose):
    assume = dataclasses.replace(ASSUME, lose=lose)
    for rate in RATES:
        plan = model.plan(CURVE, assume, rate)
        missing = lose if isinstance(lose, int) else -(-plan.pods * lose // 1)
        busiest = rate * 1.2 * 1.25 / (plan.pods - missing)
        assert busiest <= 200 * (1 + 1e-9)
        assert plan.p99_ms <= plan.worst_p99_ms <= assume.p99_ms + 1e-6
        fewer = plan.pods - 1 - (lose if isinstance(lose, int) else -(-(plan.pods - 1) * lose // 1))
        assert fewer < 1 or rate * 1.2 * 1.25 / fewer > 200


def test_more_calls_never_need_fewer_pods():
    for a, b in itertools.pairwise(model.plan(CURVE, ASSUME, rate) for rate in RATES):
        assert a.pods <= b.pods


def test_a_stricter_objective_never_needs_fewer_pods():
    objectives = (5, 6, 7.5, 9.9, 10, 15, 30, 100, 1e6)
    pods = [model.plan(CURVE, dataclasses.replace(ASSUME, p99_ms=ms), 1e5).pods for ms in objectives]
    assert pods == sorted(pods, reverse=True)
    assert pods[0] > pods[-1]


@pytest.mark.parametrize("wider", [{"growth": 0.2}, {"reaction_s": 600}, {"imbalance": 0.5}, {"lose": 2},
                                   {"lose": Fraction(1, 2)}, {"network_ms": 4}])
def test_more_caution_needs_more_pods(wider):
    assert model.plan(CURVE, dataclasses.replace(ASSUME, **wider), 1e4).pods > model.plan(CURVE, ASSUME, 1e4).pods


def test_a_full_network_bounds_a_pod():
    narrow = dataclasses.replace(ASSUME, nic_gbit=0.001, bytes_in=1000)  # 80% of 1 Mbit/s by 8 kbit: 100 calls/s
    assert model.usable(CURVE, narrow) == (pytest.approx(100), "network")
    assert model.plan(CURVE, narrow, 1000).pods == 16
    assert model.usable(CURVE, ASSUME) == (pytest.approx(200), "latency")
    assert model.usable(CURVE, dataclasses.replace(ASSUME, p99_ms=31)) == (300, "known")


@pytest.mark.parametrize("change, words", [
    ({"p99_ms": 4}, ["p99 4 ms", "impossible", "5 ms", "100 calls/s"]),
    ({"p99_ms": 10, "network_ms": 6}, ["p99 10 ms", "network takes 6 ms"]),
    ({"clients": 20_000}, ["20000 clients", "limits.max_connections"])])
def test_what_is_impossible_says_why(change, words):
    with pytest.raises(model.Impossible) as raised:
        model.plan(CURVE, dataclasses.replace(ASSUME, **change), 1000)
    for word in words:
        assert word in str(raised.value)
