"""Starting: configuration, the port, health, reflection."""

import os
import re
import threading
import time
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from e2e_support import (NOT_SERVING, PATIENCE, SERVING, copy_package, failure, flip_bit, free_port, texts_request,
                         wait_until)

CODE = grpc.StatusCode
Request = health_pb2.HealthCheckRequest


# --- configuration ---


def one_line(text):
    lines = text.splitlines()
    assert len(lines) == 1, text
    return lines[0]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--queue-max-requests", "many"], ["--queue-max-requests", "many"]),
        (["--queue-max-requests", "0"], ["--queue-max-requests", "0"]),
        (["--queue-max-requests", "99999999999999999999"], ["--queue-max-requests"]),
        (["--log-level", "loud"], ["--log-level", "loud", "debug"]),
        (["--frobnicate"], ["--frobnicate"]),
        (["--grpc-address", "localhost"], ["grpc.address", "localhost"]),
        (["--grpc-address", "localhost:99999"], ["grpc.address"]),
        (["--config", "/nonexistent/berthad.yaml"], ["/nonexistent/berthad.yaml"]),
        (["--config", "/"], ["/"]),
        (["--limits-max-inputs-per-call", "10", "--queue-max-requests", "9"], ["10", "9", "queue.max_requests"]),
        (["stray"], ["stray"]),
    ],
)
@pytest.mark.parametrize("check", [True, False])
def test_a_bad_flag_is_one_line_and_exit_code_2(berthad, models_dir, arguments, words, check):
    done = berthad(*arguments, "--models", models_dir, *(["--check-config"] if check else []))
    assert done.returncode == 2 and not done.stdout
    line = one_line(done.stderr)
    for word in words:
        assert word in line


@pytest.mark.parametrize(
    "text, words",
    [
        ("queue:\n  max_request: 5\n", ["line 2", "queue.max_request", "queue.max_requests"]),
        ("queues:\n  max_requests: 5\n", ["line 1", "queues"]),
        ("queue:\n  max_requests: lots\n", ["line 2", "queue.max_requests", "lots"]),
        ("queue:\n  max_requests: [1, 2]\n", ["line 2", "queue.max_requests"]),
        ("queue:\n  max_requests: 5\n  max_requests: 6\n", ["line 3", "queue.max_requests"]),
        ("queue: 7\n", ["line 1", "queue"]),
        ("a: [unclosed\n", ["YAML"]),
        ("- a list\n", ["line 1"]),
        ("log:\n  format: xml\n", ["line 2", "log.format", "xml"]),
    ],
)
def test_a_bad_file_is_one_line_that_names_file_line_and_key(berthad, models_dir, tmp_path, text, words):
    file = tmp_path / "berthad.yaml"
    file.write_text(text)
    done = berthad("--config", file, "--models", models_dir)
    assert done.returncode == 2 and not done.stdout
    line = one_line(done.stderr)
    for word in [str(file), *words]:
        assert word in line


def test_check_config_prints_settings_that_can_be_read_back(berthad, tmp_path):
    first = berthad("--check-config", "--queue-max-requests", "777", "--models", "/somewhere/else")
    assert first.returncode == 0 and not first.stderr
    assert "777" in first.stdout and "/somewhere/else" in first.stdout
    file = tmp_path / "berthad.yaml"
    file.write_text(first.stdout)
    second = berthad("--check-config", "--config", file)
    assert (second.returncode, second.stdout) == (0, first.stdout)


def test_pinned_workers_stay_on_a_core_each(daemon):
    cores = sorted(os.sched_getaffinity(0))
    d = daemon("--cpu-pin", "true", "--cpu-workers", str(len(cores)))
    allowed = [os.sched_getaffinity(int(task.name)) for task in Path(f"/proc/{d.process.pid}/task").iterdir()]
    assert sorted(core for mask in allowed if len(mask) == 1 for core in mask) == cores
    assert len(cores) == 1 or any(len(mask) == len(cores) for mask in allowed)  # gRPC's are free


def test_flags_win_over_the_file_and_both_reach_the_daemon(daemon, tmp_path):
    file = tmp_path / "berthad.yaml"
    file.write_text("limits:\n  max_inputs_per_call: 3\n  max_text_bytes: 100\n")
    stub = daemon("--config", file, "--limits-max-inputs-per-call", "5").stub()
    assert len(stub.Classify(texts_request(["x"] * 5)).results) == 5
    assert failure(stub.Classify, texts_request(["x"] * 6)).code() is CODE.INVALID_ARGUMENT
    assert failure(stub.Classify, texts_request(["x" * 101])).code() is CODE.INVALID_ARGUMENT


# --- the port ---


def test_a_port_in_use_is_one_line_and_exit_code_1(berthad, models_dir, shared):
    done = berthad("--models", models_dir, "--grpc-address", shared.address)
    assert done.returncode == 1
    line = one_line(done.stderr)
    assert shared.address in line and "in use" in line and "--grpc-address" in line
    assert shared.stub().Classify(texts_request(["still there"])).results


def test_a_foreign_address_is_one_line_and_exit_code_1(berthad, models_dir):
    done = berthad("--models", models_dir, "--grpc-address", f"192.0.2.1:{free_port()}")
    assert done.returncode == 1 and "192.0.2.1" in one_line(done.stderr)


# --- health ---


@pytest.mark.parametrize("service", ["", "bertha.v1.Bertha", "the model"])
def test_check_and_watch_say_serving(shared, package, service):
    name = package.parent.name if service == "the model" else service
    health = shared.health()
    assert health.Check(Request(service=name)).status == SERVING
    watch = health.Watch(Request(service=name))
    assert next(watch).status == SERVING
    watch.cancel()


def test_an_unknown_service_is_not_found(shared):
    health = shared.health()
    assert failure(health.Check, Request(service="nobody")).code() is CODE.NOT_FOUND
    watch = health.Watch(Request(service="nobody"))
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    watch.cancel()


@pytest.fixture(scope="module")
def very_slow_models(tmp_path_factory, package):
    """A model that takes seconds to load: each forward pass takes 0.4 s, and it is proven with several."""
    from e2e_slow import make_slow_package

    folder = tmp_path_factory.mktemp("very_slow_models")
    make_slow_package(folder / "sleepy" / "1", package, milliseconds=400)
    return folder


def test_it_is_not_serving_until_a_forward_pass_has_succeeded(daemon, very_slow_models):
    d = daemon(models=very_slow_models, wait=False)
    health, stub, seen = d.health(), d.stub(), []
    watched = []

    def watch():
        for status in d.health().Watch(Request(), timeout=PATIENCE):
            watched.append(status.status)
            if status.status == SERVING:
                return

    watcher = threading.Thread(target=watch, daemon=True)
    wait_until(lambda: d.log_lines("listening on"), "it listens")
    watcher.start()
    wait_until(lambda: watched, "the watcher is told")  # before it competes with the questions below
    while True:
        models = health.Check(Request(service="sleepy"), timeout=PATIENCE).status
        error = None
        try:
            stub.Classify(texts_request(["hello"]), timeout=PATIENCE)
        except grpc.RpcError as e:
            error = e
        seen.append((models, health.Check(Request()).status, error.code() if error else CODE.OK))
        if error is None:
            break
        assert error.code() is CODE.UNAVAILABLE and "loaded" in error.details()
        assert int(dict(error.trailing_metadata())["grpc-retry-pushback-ms"]) > 0
        assert len(seen) < 1000
        time.sleep(0.05)
    # The model may begin to serve between the questions of a round, hence not the last one.
    assert len(seen) > 2 and set(seen[:-2]) == {(NOT_SERVING, NOT_SERVING, CODE.UNAVAILABLE)}, seen
    watcher.join(PATIENCE)
    assert watched == [NOT_SERVING, SERVING]


def test_sigterm_while_loading_ends_cleanly(daemon, very_slow_models):
    d = daemon(models=very_slow_models, wait=False)
    wait_until(lambda: d.log_lines("listening on"), "it listens")
    d.signal()
    assert d.wait() == 0
    assert not d.log_lines("ready:")


def test_each_model_has_its_own_health(daemon, package, tmp_path):
    copy_package(package, tmp_path / "m" / "good" / "1")
    flip_bit(copy_package(package, tmp_path / "m" / "bad" / "1") / "model.pt")
    health = daemon(models=tmp_path / "m").health()
    assert health.Check(Request(service="good")).status == SERVING
    assert health.Check(Request(service="bad")).status == NOT_SERVING
    assert health.Check(Request()).status == SERVING


def test_reflection_lists_the_services_and_describes_them(shared):
    stub = reflection_pb2_grpc.ServerReflectionStub(shared.channel())
    questions = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="bertha.v1.Bertha"),
    ]
    listed, described = stub.ServerReflectionInfo(iter(questions))
    names = {s.name for s in listed.list_services_response.service}
    assert {"bertha.v1.Bertha", "grpc.health.v1.Health"} <= names
    assert b"StreamClassify" in described.file_descriptor_response.file_descriptor_proto[0]


# --- the defaults of a request that names no model ---


def test_two_models_need_a_name_or_a_default(daemon, package, tmp_path):
    for name in ("one", "two"):
        copy_package(package, tmp_path / "m" / name / "1")
    stub = daemon(models=tmp_path / "m").stub()
    error = failure(stub.Classify, texts_request(["hello"]))
    assert error.code() is CODE.NOT_FOUND and re.search("one:1.*two:1", error.details())
    assert stub.Classify(texts_request(["hello"], model="one")).model.name == "one"
    with_default = daemon("--models-default", "two", models=tmp_path / "m").stub()
    assert with_default.Classify(texts_request(["hello"])).model.name == "two"
