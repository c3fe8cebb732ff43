"""A forward pass that does not return in time: its callers are told, health says so, and the worker works on when it does."""

import signal
import threading
import time

import grpc
import pytest
from grpc_health.v1 import health_pb2

from e2e_support import NOT_SERVING, PATIENCE, SERVING, failure, texts_request, wait_until

CODE = grpc.StatusCode


def health_of(daemon):
    return daemon.health().Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE).status


def test_while_the_only_worker_is_stuck_calls_are_unavailable(daemon, slow_models):
    d = daemon("--watchdog-stuck-after-ms", "500", "--drain-timeout-ms", "500", models=slow_models, exit_code=None)
    stub = d.stub()
    stuck = stub.Classify.future(texts_request(["[MASK]"]), timeout=PATIENCE)
    time.sleep(0.2)
    waiting = stub.Classify.future(texts_request(["hello"]), timeout=PATIENCE)
    for call in (stuck, waiting):
        assert call.exception(PATIENCE).code() is CODE.UNAVAILABLE
        assert "the engine does not answer" in call.details()
    wait_until(lambda: health_of(d) == NOT_SERVING, "health says NOT_SERVING")
    assert failure(stub.Classify, texts_request(["hello"]), timeout=PATIENCE).code() is CODE.UNAVAILABLE
    d.signal()
    assert d.wait() == 0, d.log()  # every call has had its answer; the forward pass does not keep the process


def test_a_worker_that_comes_back_serves_again(daemon, slow_models):
    d = daemon("--watchdog-stuck-after-ms", "400", models=slow_models)
    stub = d.stub()
    assert failure(stub.Classify, texts_request(["wait"]), timeout=PATIENCE).code() is CODE.UNAVAILABLE
    wait_until(lambda: health_of(d) == SERVING, "health says SERVING again")
    assert stub.Classify(texts_request(["hello"]), timeout=PATIENCE).results


@pytest.mark.slow
def test_a_process_that_stood_still_is_not_stuck(daemon, slow_models):
    """A container that was frozen, a machine that was moved: the engine is not to blame."""
    d = daemon("--watchdog-stuck-after-ms", "6000", models=slow_models)
    call = d.stub().Classify.future(texts_request(["wait"]), timeout=PATIENCE)
    time.sleep(0.4)
    d.process.send_signal(signal.SIGSTOP)
    go_on = threading.Timer(8, lambda: d.process.send_signal(signal.SIGCONT))
    go_on.start()
    try:
        assert call.result().results
    finally:
        go_on.join()
    assert health_of(d) == SERVING
