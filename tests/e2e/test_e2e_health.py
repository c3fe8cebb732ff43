"""Health tells the truth: of each model, of the process, while it drains, and on the port for probes."""

import contextlib
import shutil
import signal
import socket
import threading
import time

import grpc
import pytest
import requests
from grpc_health.v1 import health_pb2

from tokenizers import Tokenizer

import http2_frames as h2
from bertha.v1 import bertha_pb2 as pb
from e2e_cued import make_cued_package
from e2e_support import NOT_SERVING, PATIENCE, SERVING, copy_package, failure, texts_request, wait_until

CODE = grpc.StatusCode


def check(daemon, service="", address=None):
    request = health_pb2.HealthCheckRequest(service=service)
    return daemon.health(address).Check(request, timeout=PATIENCE).status


class Watch:
    """Every status of a service, with the time when it was told."""

    def __init__(self, daemon, service="", address=None):
        self.seen = []
        self._call = daemon.health(address).Watch(health_pb2.HealthCheckRequest(service=service), timeout=PATIENCE)
        threading.Thread(target=self._read, daemon=True).start()
        wait_until(lambda: self.seen, "the first status comes")

    def _read(self):
        with contextlib.suppress(grpc.RpcError):
            for response in self._call:
                self.seen.append((time.monotonic(), response.status))

    def statuses(self):
        return [status for _, status in self.seen]

    def wait(self, status):
        """When the last change, to this, was told."""
        wait_until(lambda: self.seen[-1][1] == status, f"health says {status}")
        return self.seen[-1][0]


@pytest.fixture(scope="session")
def cued_models(tmp_path_factory, package):
    """The models "cued", which does as it is told (e2e_cued.py), and "other", one of the demo's."""
    folder = tmp_path_factory.mktemp("cued_models")
    make_cued_package(folder / "cued" / "1", package)
    (folder / "other").mkdir()
    copy_package(package, folder / "other" / "1")
    return folder


def say(stub, word):
    assert stub.Classify(texts_request([word], model="cued"), timeout=PATIENCE).results


def status_of(daemon, name):
    models = daemon.stub().ListModels(pb.ListModelsRequest(), timeout=PATIENCE).models
    return next(m for m in models if m.model.name == name)


# --- models ---


def test_a_model_that_nobody_calls_proves_itself_all_the_time(daemon, cued_models):
    age = ("--health-max-age-ms", "1200", "--health-canary-interval-ms", "60000")
    d = daemon(*age, models=cued_models)
    watches = {name: Watch(d, name) for name in ("cued", "other")}
    time.sleep(4)  # several times the age
    assert all(watch.statuses() == [SERVING] for watch in watches.values())
    say(d.stub(), "bad")  # from here on nobody calls, and its passes fail
    watches["cued"].wait(NOT_SERVING)  # for its age, on a machine where three passes take longer than that
    wait_until(lambda: "forward passes in a row failed" in status_of(d, "cued").unhealthy, "three passes failed")
    assert watches["other"].statuses() == [SERVING]


def test_faults_turn_a_model_off_within_a_second_and_its_neighbour_serves_on(daemon, cued_models):
    d = daemon("--health-max-age-ms", "60000", "--health-canary-interval-ms", "60000", models=cued_models)
    stub = d.stub()
    cued, other, whole, alive = (Watch(d, service) for service in ("cued", "other", "", "liveness"))
    say(stub, "bad")
    assert cued.statuses() == [SERVING]
    for _ in range(3):
        assert failure(stub.Classify, texts_request(["x"], model="cued"), timeout=PATIENCE).code() is CODE.INTERNAL
    third = time.monotonic()
    assert cued.wait(NOT_SERVING) - third < 1
    assert stub.Classify(texts_request(["x"], model="other"), timeout=PATIENCE).results
    assert status_of(d, "cued").state == pb.ModelStatus.STATE_SERVING  # who insists is still answered
    assert "passes in a row failed" in status_of(d, "cued").unhealthy
    assert not status_of(d, "other").unhealthy
    wait_until(lambda: d.log_lines(r"cued:1: NOT_SERVING: \d+ forward passes in a row failed"), "the log says why")
    say(stub, "right")
    cued.wait(SERVING)
    wait_until(lambda: d.log_lines("cued:1: SERVING again"), "the log says so")
    for watch in (other, whole, alive):
        assert watch.statuses() == [SERVING]


def test_one_fault_is_enough_for_the_canary_to_find_the_others(daemon, cued_models):
    d = daemon("--health-max-age-ms", "60000", "--health-canary-interval-ms", "60000", models=cued_models)
    cued = Watch(d, "cued")
    say(d.stub(), "bad")
    assert failure(d.stub().Classify, texts_request(["x"], model="cued"), timeout=PATIENCE).code() is CODE.INTERNAL
    first = time.monotonic()
    assert cued.wait(NOT_SERVING) - first < 1.5


def test_wrong_answers_turn_a_model_off_at_the_next_probe(daemon, cued_models):
    d = daemon("--health-canary-interval-ms", "300", models=cued_models)
    stub, cued, other = d.stub(), Watch(d, "cued"), Watch(d, "other")
    say(stub, "wrong")
    told = time.monotonic()
    say(stub, "a call that succeeds, though its answer is wrong")
    assert cued.wait(NOT_SERVING) - told < 1.3
    assert status_of(d, "cued").unhealthy.startswith("a probe gets a wrong answer: it differs from the exporter's by 1,")
    say(stub, "right")
    cued.wait(SERVING)
    assert other.statuses() == [SERVING]
    assert cued.statuses() == [SERVING, NOT_SERVING, SERVING]


def test_the_server_is_not_ready_but_alive_while_no_model_serves(daemon, cued_models, tmp_path, package):
    make_cued_package(tmp_path / "alone" / "cued" / "1", package)
    d = daemon(models=tmp_path / "alone")
    say(d.stub(), "bad")
    failure(d.stub().Classify, texts_request(["x"]), timeout=PATIENCE)
    wait_until(lambda: check(d) == NOT_SERVING, "the server is not ready")
    for service in ("readiness", "bertha.v1.Bertha", "cued"):
        assert check(d, service) == NOT_SERVING
    assert check(d, "liveness") == SERVING


# --- the watchdog ---


def test_a_stuck_worker_is_noticed_in_time_and_only_a_restart_helps(daemon, slow_models):
    d = daemon("--watchdog-stuck-after-ms", "2000", models=slow_models, exit_code=None)
    watches = [Watch(d, service, d.probe_address) for service in ("", "liveness", "slow")]
    began = time.monotonic()
    assert failure(d.stub().Classify, texts_request(["[MASK]"]), timeout=PATIENCE).code() is CODE.UNAVAILABLE
    for watch in watches:
        assert 2 <= watch.wait(NOT_SERVING) - began < 2.75  # 0.25 s late, and what a busy machine adds
    assert d.log_lines("the server: NOT_SERVING: every worker is in a forward pass that does not return")


def test_a_worker_that_comes_back_makes_the_process_alive_again(daemon, slow_models):
    d = daemon("--watchdog-stuck-after-ms", "400", models=slow_models)
    alive, whole = Watch(d, "liveness"), Watch(d)
    assert failure(d.stub().Classify, texts_request(["wait"]), timeout=PATIENCE).code() is CODE.UNAVAILABLE
    alive.wait(NOT_SERVING)
    alive.wait(SERVING)
    whole.wait(SERVING)


@pytest.mark.slow
def test_a_process_that_stood_still_is_well(daemon, cued_models):
    d = daemon("--health-max-age-ms", "1500", models=cued_models)
    watch = Watch(d)
    d.process.send_signal(signal.SIGSTOP)
    time.sleep(4)
    d.process.send_signal(signal.SIGCONT)
    time.sleep(2)
    assert watch.statuses() == [SERVING]
    assert not d.log_lines("NOT_SERVING")


# --- a lost device ---


@pytest.fixture
def on_losable_device(daemon, program, build_dir, tmp_path, slow_models, package, monkeypatch):
    """start(FLAGS...): a berthad on a device that is lost when a text holds "bad" (losable_device.cc)."""
    folder = tmp_path / "bin"
    folder.mkdir()
    binary = shutil.copy2(program("berthad"), folder / "berthad")
    shutil.copy2(build_dir / "tests" / "e2e" / "libbertha_torch_cuda.so", folder)
    tokenizer = Tokenizer.from_file(str(package / "tokenizer.json"))
    [lose, hang] = (tokenizer.encode(word, add_special_tokens=False).ids[0] for word in ("bad", "wait"))
    monkeypatch.setenv("BERTHA_TEST_LOSE_TOKEN", str(lose))
    monkeypatch.setenv("BERTHA_TEST_HANG_TOKEN", str(hang))
    return lambda *flags: daemon(
        "--device", "cuda", "--engine", "torchscript", *flags, models=slow_models, binary=binary, exit_code=3
    )


def test_a_lost_device_ends_the_process_with_a_code_of_its_own(on_losable_device):
    d = on_losable_device("--drain-lame-duck-ms", "60000")
    assert d.stub().Classify(texts_request(["hello"]), timeout=PATIENCE).results
    metrics = requests.get(f"http://{d.http_address}/metrics", timeout=PATIENCE).text
    assert 'bertha_gpu_memory_used_bytes{device="0"} 3145728\n' in metrics
    assert 'bertha_gpu_memory_total_bytes{device="0"} 8388608\n' in metrics
    alive = Watch(d, "liveness", d.probe_address)
    lost = failure(d.stub().Classify, texts_request(["bad"]), timeout=PATIENCE)
    told = time.monotonic()
    assert lost.code() is CODE.INTERNAL
    assert alive.wait(NOT_SERVING) - told < 1
    assert d.wait(5) == 3, d.log()
    assert d.log_lines("the CUDA device is lost to this process, which ends")


def test_so_does_one_after_which_nothing_returns(on_losable_device):
    d = on_losable_device("--batch-max-requests", "1", "--cpu-workers", "2", "--drain-timeout-ms", "60000")
    hangs = d.stub().Classify.future(texts_request(["wait"]), timeout=PATIENCE)
    time.sleep(0.3)
    assert failure(d.stub().Classify, texts_request(["bad"]), timeout=PATIENCE).code() is CODE.INTERNAL
    assert d.wait(5) == 3, d.log()
    assert hangs.exception(PATIENCE).code() is CODE.UNAVAILABLE


# --- the port for probes ---


def test_the_probe_port_answers_health_and_nothing_else(shared):
    for service in ("", "readiness", "liveness", "bertha.v1.Bertha"):
        assert check(shared, service, shared.probe_address) == SERVING
    unknown = failure(check, shared, "no-such-model", shared.probe_address)
    assert unknown.code() is CODE.NOT_FOUND and "liveness" in unknown.details()
    channel = shared.channel(shared.probe_address)
    for method in (
        "/bertha.v1.Bertha/ListModels",
        "/bertha.v1.ModelControl/List",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    ):
        assert failure(channel.unary_unary(method), b"", timeout=PATIENCE).code() is CODE.UNIMPLEMENTED
    too_long = health_pb2.HealthCheckRequest(service="x" * 5000)
    refused = failure(shared.health(shared.probe_address).Check, too_long, timeout=PATIENCE)
    assert refused.code() is CODE.RESOURCE_EXHAUSTED


def test_a_probe_port_in_use_is_one_line_and_exit_code_1(berthad, models_dir, shared):
    flags = ["--grpc-address", "127.0.0.1:0", "--probe-address", shared.probe_address]
    done = berthad("--models", models_dir, *flags)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and "--probe-address" in done.stderr


def test_the_probe_port_can_be_off(daemon):
    assert check(daemon("--probe-address", "")) == SERVING


# --- draining ---


class Caller:
    """Calls all the time until health has said NOT_SERVING for a while, as one behind a load balancer does."""

    def __init__(self, daemon, patience):
        self.codes, self.late = [], 0  # late: answered after health had changed
        self._watch, self._patience, self._stub = Watch(daemon), patience, daemon.stub()
        self._thread = threading.Thread(target=self._call, daemon=True)
        self._thread.start()

    def _call(self):
        while True:
            when, status = self._watch.seen[-1]
            if status == NOT_SERVING and time.monotonic() - when > self._patience:
                return
            try:
                self._stub.Classify(texts_request(["hello"]), timeout=PATIENCE)
                self.codes.append(CODE.OK)
                self.late += status == NOT_SERVING
            except grpc.RpcError as error:
                self.codes.append(error.code())

    def join(self):
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


def test_no_call_is_lost_if_callers_look_elsewhere_in_the_lame_duck_time(daemon):
    d = daemon("--drain-lame-duck-ms", "2500")
    callers = [Caller(d, patience=1) for _ in range(4)]
    alive, ready = (Watch(d, service, d.probe_address) for service in ("liveness", "readiness"))
    wait_until(lambda: all(len(c.codes) > 50 for c in callers), "the callers call")
    assert ready.statuses() == [SERVING]
    began = time.monotonic()
    d.signal()
    wait_until(lambda: ready.seen[-1][1] == NOT_SERVING, "the port for probes says so too", 2)
    for caller in callers:
        assert caller._watch.wait(NOT_SERVING) - began < 1
        caller.join()
        assert set(caller.codes) == {CODE.OK} and caller.late > 5
    assert check(d, "liveness", d.probe_address) == SERVING
    assert d.wait() == 0, d.log()
    assert time.monotonic() - began > 2.5
    assert alive.statuses() == [SERVING]


def test_sigint_has_no_lame_duck_time(daemon):
    d = daemon("--drain-lame-duck-ms", "60000")
    d.signal(signal.SIGINT)
    assert d.wait(20) == 0


def test_a_second_signal_ends_the_lame_duck_time(daemon):
    d = daemon("--drain-lame-duck-ms", "60000", exit_code=None)
    d.signal()
    wait_until(lambda: d.log_lines("calls are still answered for 60000 ms"), "the lame duck")
    assert d.stub().Classify(texts_request(["hello"]), timeout=PATIENCE).results
    d.signal()
    assert d.wait(5) == 128 + signal.SIGTERM


@pytest.mark.parametrize("port", ["address", "admin_address", "probe_address"])
def test_idle_connections_are_told_to_go_away(daemon, port):
    d = daemon()
    connection = h2.Connection(getattr(d, port), timeout=60)
    assert next(connection.frames())[0] == h2.SETTINGS
    d.signal()
    codes = {code for code, _ in connection.goodbyes()}  # until the connection is closed
    assert codes == {h2.NO_ERROR}
    assert d.wait() == 0, d.log()


def test_a_connection_that_does_not_answer_does_not_keep_the_process(daemon):
    d = daemon()
    host, port = d.address.rsplit(":", 1)
    with socket.create_connection((host, int(port))):
        d.signal()
        assert d.wait(20) == 0, d.log()
