"""What callers notice while pods come and go: real daemons in network namespaces behind a DNS name, clients with round_robin.
`pytest -s` shows the figures."""

import shutil
import signal
import time

import pytest

import netns
from rollout_support import PATIENCE, ROOT, Cluster  # sets the path

from e2e_support import wait_until

RATE = 300  # calls a second
LAME_DUCK = ("--drain-lame-duck-ms", "600")  # three of the node's probes

WHY_NOT = netns.why_not()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=WHY_NOT or "")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    shutil.copytree(ROOT / "demo" / "models" / "sentiment-bert", folder / "sentiment-bert")
    return folder


@pytest.fixture
def bertha(program):
    return program("bertha")


@pytest.fixture
def cluster(program, models, tmp_path):
    with Cluster(program("berthad"), models, tmp_path) as cluster:
        yield cluster


def shares(cluster, seconds):
    """Of the calls that are answered in the next so many seconds, each pod's part."""
    before = [pod.calls()["OK"] for pod in cluster.pods]
    time.sleep(seconds)
    answered = [pod.calls()["OK"] - n for pod, n in zip(cluster.pods, before)]
    return [n / sum(answered) for n in answered]


def is_fair(parts):
    """Some calls come while the pods are asked one after the other."""
    return all(part == pytest.approx(1 / len(parts), rel=0.15) for part in parts)


def test_calls_are_shared_out_equally(cluster, bertha):
    cluster.start(3)
    load = cluster.load(bertha, RATE)
    time.sleep(1)
    outcome = load.end()
    answered = [pod.calls()["OK"] for pod in cluster.pods]
    print(f"\nshares: {answered}; {outcome}")
    assert not outcome.failed
    assert sum(answered) == len(outcome.calls)
    assert max(answered) - min(answered) <= 0.03 * sum(answered)


def roll(cluster, bertha, times):
    cluster.start(3, *LAME_DUCK)
    load = cluster.load(bertha, RATE)
    python = cluster.python("retrying", 50)
    began = time.monotonic()
    codes = [code for _ in range(times) for code in cluster.replace_all(*LAME_DUCK)]
    seconds = time.monotonic() - began
    time.sleep(0.5)
    outcome, retried = load.end(), python.end()
    print(f"\n{times} rolling restarts of 3 pods in {seconds:.1f} s; without retries: {outcome}; Python: {retried}")
    if outcome.failed:
        print(f"{cluster.history()}\n{began:.2f} the first pod is replaced; failed from {outcome.failed[0]} to {outcome.failed[-1]}")
    assert codes == [0] * 3 * times
    assert len(outcome.calls) > 0.9 * RATE * seconds
    assert not outcome.failed
    assert set(retried["codes"]) == {"OK"}


def test_a_rolling_restart_loses_no_call(cluster, bertha):
    roll(cluster, bertha, times=1)


@pytest.mark.slow
def test_twenty_rolling_restarts_lose_no_call(cluster, bertha):
    roll(cluster, bertha, times=20)


def test_a_client_that_knows_no_health_loses_no_call_if_connections_grow_old_in_the_lame_duck_time(cluster):
    flags = ("--drain-lame-duck-ms", "1500", "--limits-max-connection-age-ms", "1000")
    cluster.start(3, *flags)
    plain = cluster.python("plain", RATE / 2)
    old = cluster.pods[0]
    wait_until(lambda: old.calls()["OK"] > 50, "calls come", PATIENCE)
    old.signal()
    assert old.wait() == 0
    time.sleep(0.5)
    answer = plain.end()
    print(f"\nplain round_robin: {answer}")
    assert set(answer["codes"]) == {"OK"}


def test_a_killed_pod_fails_the_calls_that_it_had_and_retries_hide_them(cluster, bertha):
    cluster.start(3)
    load = cluster.load(bertha, RATE)
    python = cluster.python("retrying", 50)
    time.sleep(1)
    victim = cluster.pods[0]
    victim.signal(signal.SIGSTOP)  # calls pile up in it
    time.sleep(0.2)
    victim.signal(signal.SIGKILL)
    victim.wait()
    time.sleep(1)
    outcome, retried = load.end(), python.end()
    print(f"\nwithout retries: {outcome}; Python: {retried}")
    assert 0 < len(outcome.failed) <= RATE  # about a third of those of 0.2 s
    assert {call.code for call in outcome.failed} == {"UNAVAILABLE"}
    died = min(call.ended for call in outcome.failed)
    assert all(call.sent <= died + 0.1 and call.ended <= died + 0.2 for call in outcome.failed), "a later call failed"
    assert set(retried["codes"]) == {"OK"}
    assert 0 < retried["retries"] <= retried["budget"]


def test_a_new_pod_gets_its_share_when_connections_have_grown_old(cluster, bertha):
    age = 2  # seconds
    flags = ("--limits-max-connection-age-ms", str(age * 1000))
    cluster.start(3, *flags)
    load = cluster.load(bertha, RATE)
    newcomer = cluster.start_pod(*flags)
    cluster.wait_ready(newcomer)
    began = time.monotonic()
    while not newcomer.calls()["OK"]:
        assert time.monotonic() < began + PATIENCE
    joined = time.monotonic() - began
    time.sleep(max(0.0, began + 1.1 * age + 1 - time.monotonic()))  # the age varies by 10%, names are good for a second
    parts = shares(cluster, 1)
    outcome = load.end()
    print(f"\nfirst call after {joined:.2f} s, shares after {1.1 * age + 1:.1f} s: {[f'{p:.3f}' for p in parts]}; {outcome}")
    assert joined <= 1.1 * age + 1
    assert is_fair(parts), parts
    assert not outcome.failed
