"""What kubelet's probes see of a pod's life, and when: asked again and again on the probe port, as kubelet asks.
`pytest -s` shows the times."""

import contextlib
import shutil
import threading
import time

import grpc
import pytest

from rollout_support import ROOT  # sets the path

from e2e_support import PATIENCE, Daemon, texts_request, wait_until, with_quick
from grpc_health.v1 import health_pb2, health_pb2_grpc

CODE = grpc.StatusCode
LAME_DUCK = 1.5  # seconds
# Where nobody listens yet it tries again at once, and not after a second.
AT_ONCE = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
AT_ONCE += [(f"grpc.{which}_reconnect_backoff_ms", 20) for which in ("initial", "min", "max")]


class Probe:
    """Asks for a service every 10 ms until the process is gone: every change of the answer, and when it was told."""

    def __init__(self, daemon, service):
        self._daemon, self._service = daemon, service
        self.changes = []  # (told, answer)
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def _ask(self):
        with grpc.insecure_channel(self._daemon.probe_address, options=AT_ONCE) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            while self._daemon.process.poll() is None:
                self._ask_once(stub)
                time.sleep(0.01)

    def _ask_once(self, stub):
        with contextlib.suppress(grpc.RpcError):
            reply = stub.Check(health_pb2.HealthCheckRequest(service=self._service), timeout=1)
            answer = health_pb2.HealthCheckResponse.ServingStatus.Name(reply.status)
            if not self.changes or self.changes[-1][1] != answer:
                self.changes.append((time.monotonic(), answer))

    def answers(self):
        return [answer for _, answer in self.changes]

    def wait(self, answer, since=0.0):
        """When this answer was told first since then."""
        return wait_until(
            lambda: next((told for told, what in self.changes if what == answer and told >= since), None),
            f"{self._service} is {answer}",
        )

    def end(self):
        self._thread.join(PATIENCE)


class Caller:
    """One call after the other until one fails."""

    def __init__(self, daemon):
        self.last_answer, self.failure = None, None
        self._stub = daemon.stub()
        self._thread = threading.Thread(target=self._call, daemon=True)
        self._thread.start()

    def _call(self):
        while self.failure is None:
            try:
                self._stub.Classify(texts_request(["I love it"]), timeout=PATIENCE)
                self.last_answer = time.monotonic()
            except grpc.RpcError as error:
                self.failure = error

    def end(self):
        self._thread.join(PATIENCE)
        return self.failure.code()


@pytest.fixture
def daemon(program, tmp_path):
    shutil.copytree(ROOT / "demo" / "models" / "sentiment-bert", tmp_path / "models" / "sentiment-bert")
    flags = with_quick(("--drain-lame-duck-ms", str(int(LAME_DUCK * 1000))))
    d = Daemon(program("berthad"), tmp_path / "models", tmp_path / "log", *flags)
    yield d
    d.close()


def test_probes_say_when_a_pod_can_answer_and_when_it_ends(daemon):
    ready, alive, model = (Probe(daemon, service) for service in ("readiness", "liveness", "sentiment-bert"))
    told_ready = ready.wait("SERVING")
    answer = daemon.stub().Classify(texts_request(["I love it"]), timeout=PATIENCE)
    assert answer.results, "it was called ready before it could answer"
    caller = Caller(daemon)
    wait_until(lambda: caller.last_answer, "calls are answered")
    signalled = time.monotonic()
    daemon.signal()
    told_unready = ready.wait("NOT_SERVING", since=signalled)
    assert caller.end() is CODE.UNAVAILABLE
    assert daemon.wait() == 0
    ended = time.monotonic()
    for probe in (ready, alive, model):
        probe.end()
    print(f"\nready {told_ready - daemon.began:.2f} s after the start; NOT_SERVING {told_unready - signalled:.3f} s after SIGTERM, "
          f"answers until {caller.last_answer - signalled:.2f} s, gone after {ended - signalled:.2f} s")
    assert ready.answers() in (["NOT_SERVING", "SERVING", "NOT_SERVING"], ["SERVING", "NOT_SERVING"])
    assert model.answers()[-2:] == ["SERVING", "NOT_SERVING"]
    assert alive.answers() == ["SERVING"]
    assert told_unready - signalled < 0.2
    assert caller.last_answer - signalled > LAME_DUCK - 0.1
