"""Packages come, change and go while the daemon serves; ModelControl tells what became of them."""

import contextlib
import os
import pathlib
import shutil
import threading
import time

import grpc
import pytest
from grpc_health.v1 import health_pb2

from bertha.v1 import bertha_pb2 as pb
from bertha.v1 import model_control_pb2 as control_pb
from e2e_support import (
    NOT_SERVING,
    PATIENCE,
    SERVING,
    copy_package,
    dead_address,
    edit_json,
    failure,
    flip_bit,
    free_port,
    seal,
    texts_request,
    wait_until,
)
from test_e2e_packages import DAMAGES

CODE = grpc.StatusCode
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
POLL = ("--models-poll-ms", "50")
NEVER = ("--models-poll-ms", "0")


def relabel(folder, label):
    """The same network whose first label has another name: what it answers shows which package does."""
    edit_json(folder / "bertha.json", lambda m: m["labels"].__setitem__(0, label))
    seal(folder)
    return folder


def put(package, folder, label):
    """A complete package, moved into its place in one step; what was there before goes."""
    new = relabel(copy_package(package, folder.parent.parent.parent / f"new-{label}"), label)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.exists():
        old = folder.parent.parent.parent / f"old-{label}"
        os.rename(folder, old)
        os.rename(new, folder)
        shutil.rmtree(old)
    else:
        os.rename(new, folder)
    return folder


def put_labels(folder, text):
    (folder / "labels.json.new").write_text(text)
    os.replace(folder / "labels.json.new", folder / "labels.json")


def first_label(stub, **request):
    """Of the package that answers."""
    scores = stub.Classify(texts_request(["hello"], **request), timeout=PATIENCE).results[0].scores
    return next(s.label for s in scores if s.index == 0)


def answers(stub, label, **request):
    with contextlib.suppress(grpc.RpcError):
        return first_label(stub, **request) == label
    return False


def is_gone(stub, **request):
    try:
        stub.Classify(texts_request(["hello"], **request))
    except grpc.RpcError as error:
        return error.code() is CODE.NOT_FOUND
    return False


def status_of(d, model, version=1):
    listed = d.stub().ListModels(pb.ListModelsRequest()).models
    return next((m for m in listed if (m.model.name, m.model.version) == (model, version)), None)


@pytest.fixture
def models(tmp_path, package):
    put(package, tmp_path / "models" / "a" / "1", "one")
    return tmp_path / "models"


def test_a_new_version_answers_by_itself_and_the_old_one_when_asked(daemon, models, package):
    d = daemon(*POLL, models=models)
    stub = d.stub()
    assert first_label(stub) == "one"
    put(package, models / "a" / "2", "two")
    wait_until(lambda: answers(stub, "two"), "the new version answers")
    assert first_label(stub, version=1) == "one"


def test_a_new_model_comes_and_goes_and_its_health_with_it(daemon, models, package):
    d = daemon(*POLL, models=models)
    stub, watched = d.stub(), []
    watch = d.health().Watch(health_pb2.HealthCheckRequest(service="b"), timeout=PATIENCE)

    def read():
        with contextlib.suppress(grpc.RpcError):  # it ends when it is cancelled
            for status in watch:
                watched.append(status.status)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    wait_until(lambda: watched == [SERVICE_UNKNOWN], "nobody knows it")
    put(package, models / "b" / "1", "other")
    wait_until(lambda: answers(stub, "other", model="b"), "the new model answers")
    assert first_label(stub) == "one", "who names no model is served as before"
    wait_until(lambda: d.log_lines("models.default"), "it is said that this will not last")
    wait_until(lambda: watched[-1] == SERVING, "it is healthy")
    shutil.rmtree(models / "b")
    wait_until(lambda: is_gone(stub, model="b"), "it is gone")
    wait_until(lambda: watched[-1] == SERVICE_UNKNOWN, "nobody knows it any more")
    assert set(watched) <= {SERVICE_UNKNOWN, NOT_SERVING, SERVING}
    assert status_of(d, "b") is None
    assert first_label(stub) == "one"
    watch.cancel()
    reader.join(PATIENCE)
    assert not reader.is_alive() and watch.code() is CODE.CANCELLED


def test_a_removed_version_gives_way_to_the_one_before(daemon, models, package):
    put(package, models / "a" / "2", "two")
    d = daemon(*POLL, models=models)
    stub = d.stub()
    assert first_label(stub) == "two"
    shutil.rmtree(models / "a" / "2")
    wait_until(lambda: answers(stub, "one"), "the older version answers")
    assert is_gone(stub, version=2)
    assert d.log_lines("a:2: removed")


def test_a_half_copied_package_is_waited_for_and_said_so_once(daemon, models, package):
    d = daemon(*POLL, models=models)
    stub = d.stub()
    whole, folder = relabel(copy_package(package, models.parent / "whole"), "two"), models / "a" / "2"
    folder.mkdir()
    for file in whole.iterdir():
        if file.name != "SHA256SUMS":
            shutil.copy(file, folder)
    wait_until(lambda: d.log_lines("a/2: passed over.*SHA256SUMS"), "it is said that it waits")
    began = time.monotonic()
    while time.monotonic() < began + 0.5:  # ten looks at it
        assert first_label(stub) == "one"
    assert len(d.log_lines("passed over")) == 1
    package_status = d.control().Status(control_pb.PackageStatusRequest(model="a", version=2)).packages[0]
    assert package_status.incomplete and not package_status.status.state
    shutil.copy(whole / "SHA256SUMS", folder / "SHA256SUMS.part")
    os.rename(folder / "SHA256SUMS.part", folder / "SHA256SUMS")
    wait_until(lambda: answers(stub, "two"), "the complete package answers")
    assert not d.log_lines(" error ")


def test_a_broken_update_keeps_the_old_one_and_shows_why(daemon, models, package, bertha):
    d = daemon(*POLL, models=models)
    stub = d.stub()
    broken = relabel(copy_package(package, models.parent / "broken"), "broken")
    flip_bit(broken / "model.pt")
    os.rename(models / "a" / "1", models.parent / "old")
    os.rename(broken, models / "a" / "1")
    status = wait_until(lambda: (s := status_of(d, "a")) and s.refused_update and s, "the update is refused")
    assert status.state == pb.ModelStatus.STATE_SERVING and "model.pt" in status.refused_update
    assert first_label(stub) == "one"
    lines = d.log_lines(r"a:1: .*refused")
    assert len(lines) == 1 and status.refused_update in lines[0] and "serves on" in lines[0]
    put(package, models / "a" / "1", "repaired")
    wait_until(lambda: answers(stub, "repaired"), "the repaired package answers")
    assert not status_of(d, "a").refused_update
    assert len(d.log_lines(r"a:1: .*refused")) == 1, "it was tried once"


def test_labels_move_with_their_file(daemon, models, package):
    put(package, models / "a" / "2", "two")
    put_labels(models / "a", '{"stable": 1, "canary": 2}')
    d = daemon(*POLL, models=models)
    stub = d.stub()
    assert first_label(stub, version_label="stable") == "one"
    assert first_label(stub, version_label="canary") == "two"
    assert list(status_of(d, "a", 2).version_labels) == ["canary"]
    error = failure(stub.Classify, texts_request(["x"], version_label="stable", version=1))
    assert error.code() is CODE.INVALID_ARGUMENT and "version_label" in error.details()
    error = failure(stub.Classify, texts_request(["x"], version_label="beta"))
    assert error.code() is CODE.NOT_FOUND and "canary = 2, stable = 1" in error.details()
    put_labels(models / "a", '{"stable": 2, "lost": 7}')
    wait_until(lambda: answers(stub, "two", version_label="stable"), "the label has moved")
    error = failure(stub.Classify, texts_request(["x"], version_label="lost"))
    assert error.code() is CODE.NOT_FOUND and "points to version 7" in error.details()
    put_labels(models / "a", '{"stable": ')
    wait_until(lambda: d.log_lines("labels.json"), "the broken file is mentioned")
    time.sleep(0.3)
    assert first_label(stub, version_label="stable") == "two"
    assert len(d.log_lines("labels.json")) == 1 and len(d.log_lines('"lost" points to version 7')) == 1
    assert any("labels.json" in p for p in d.control().List(control_pb.ListPackagesRequest()).problems)


def test_a_vanished_directory_changes_nothing(daemon, models, package):
    d = daemon(*POLL, models=models)
    stub = d.stub()
    os.rename(models, models.parent / "elsewhere")
    wait_until(lambda: d.log_lines("serves on"), "it is said that the directory is gone")
    models.mkdir()
    wait_until(lambda: d.log_lines("is empty"), "it is said that the directory is empty")
    time.sleep(0.3)
    assert first_label(stub) == "one"
    models.rmdir()
    os.rename(models.parent / "elsewhere", models)
    put(package, models / "a" / "2", "two")
    wait_until(lambda: answers(stub, "two"), "it is watched again")
    assert not d.log_lines("removed")


def test_a_load_beyond_the_memory_limit_is_refused_with_the_numbers(daemon, models, package):
    megabytes = sum(f.stat().st_size for f in (models / "a" / "1").iterdir()) / 1e6
    d = daemon(*POLL, "--models-max-memory-mb", str(int(1.5 * megabytes)), models=models)
    stub = d.stub()
    put(package, models / "a" / "2", "two")
    reason = wait_until(lambda: (s := status_of(d, "a", 2)) and s.reason, "the second version is refused")
    assert "models.max_memory_mb" in reason and f"{int(1.5 * megabytes)}.0 MB" in reason
    assert first_label(stub) == "one"
    shutil.rmtree(models / "a" / "1")
    wait_until(lambda: answers(stub, "two"), "there is room for it")


def test_it_waits_for_the_first_package_if_it_may_start_empty(daemon, tmp_path, package):
    (tmp_path / "models").mkdir()
    d = daemon(*POLL, "--models-allow-empty", "true", models=tmp_path / "models", wait=False)
    wait_until(lambda: d.log_lines("ready: 0 of 0"), "it is ready")
    assert d.health().Check(health_pb2.HealthCheckRequest()).status == NOT_SERVING
    assert failure(d.stub().Classify, texts_request(["x"])).code() is CODE.NOT_FOUND
    put(package, tmp_path / "models" / "a" / "1", "one")
    d.wait_serving()
    assert first_label(d.stub()) == "one"


# --- ModelControl ---


def test_load_answers_when_the_package_serves(daemon, models, package):
    d = daemon(*NEVER, models=models)
    stub, control = d.stub(), d.control()
    put(package, models / "a" / "2", "two")
    put(package, models / "b" / "1", "other")
    time.sleep(0.2)
    assert first_label(stub, model="a") == "one", "nobody looks at the directory"
    loaded = control.Load(control_pb.LoadRequest(model="a", version=2), timeout=PATIENCE)
    assert first_label(stub, model="a") == "two"
    assert [(p.status.model.version, p.status.state) for p in loaded.packages] == [(2, pb.ModelStatus.STATE_SERVING)]
    loaded = control.Load(control_pb.LoadRequest(), timeout=PATIENCE)
    assert [p.status.model.name for p in loaded.packages] == ["a", "a", "b"]
    listed = control.List(control_pb.ListPackagesRequest())
    assert list(listed.packages) == list(loaded.packages)
    assert listed.loaded_bytes == sum(p.status.weight_bytes for p in listed.packages) > 0
    error = failure(control.Load, control_pb.LoadRequest(model="c"))
    assert error.code() is CODE.NOT_FOUND and '"c"' in error.details()
    flip_bit(put(package, models / "b" / "2", "broken") / "model.pt")
    error = failure(control.Load, control_pb.LoadRequest(model="b", version=2))
    assert error.code() is CODE.FAILED_PRECONDITION and "model.pt" in error.details()


def test_unload_stops_a_version_until_it_is_loaded_again(daemon, models, package):
    put(package, models / "a" / "2", "two")
    d = daemon(*POLL, models=models)
    stub, control = d.stub(), d.control()
    unloaded = control.Unload(control_pb.UnloadRequest(model="a", version=2), timeout=PATIENCE).packages
    assert [p.unloaded for p in unloaded] == [True]
    assert first_label(stub) == "one"
    error = failure(stub.Classify, texts_request(["x"], version=2))
    assert error.code() is CODE.NOT_FOUND and "unloaded" in error.details()
    time.sleep(0.3)
    assert first_label(stub) == "one", "watching alone does not bring it back"
    control.Load(control_pb.LoadRequest(model="a", version=2), timeout=PATIENCE)
    assert first_label(stub) == "two"
    control.Unload(control_pb.UnloadRequest(model="a"), timeout=PATIENCE)
    assert d.health().Check(health_pb2.HealthCheckRequest()).status == NOT_SERVING
    assert d.health().Check(health_pb2.HealthCheckRequest(service="a")).status == NOT_SERVING
    for call, request in [
        (control.Unload, control_pb.UnloadRequest(model="x")),
        (control.Status, control_pb.PackageStatusRequest(model="x")),
    ]:
        assert failure(call, request).code() is CODE.NOT_FOUND
    assert failure(control.Unload, control_pb.UnloadRequest()).code() is CODE.INVALID_ARGUMENT
    put(package, models / "a" / "1", "changed")
    wait_until(lambda: answers(stub, "changed"), "a changed package is loaded")


def test_a_taken_admin_port_is_one_line_that_names_the_setting(berthad, models_dir):
    with dead_address() as taken:
        done = berthad("--models", models_dir, "--grpc-address", f"127.0.0.1:{free_port()}", "--admin-address", taken)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and taken in lines[0] and "--admin-address" in lines[0]


# --- swaps under load ---


def rss(d):
    """Bytes of memory, without what is shared with files."""
    fields = dict(l.split(":", 1) for l in pathlib.Path(f"/proc/{d.process.pid}/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0]) * 1024


class Load:
    """Callers that never pause; each call's outcome is kept."""

    def __init__(self, d, callers=4):
        self.codes, self.labels, self._stop = [], set(), False
        stubs = [d.stub() for _ in range(callers)]
        self._threads = [threading.Thread(target=self._call, args=(s,), daemon=True) for s in stubs]
        for thread in self._threads:
            thread.start()

    def _call(self, stub):
        while not self._stop:
            try:
                self.labels.add(first_label(stub, model="a"))
                self.codes.append(CODE.OK)
            except grpc.RpcError as error:
                self.codes.append((error.code(), error.details()))

    def end(self):
        self._stop = True
        for thread in self._threads:
            thread.join()
        return [c for c in self.codes if c is not CODE.OK]


@pytest.mark.parametrize("swaps", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_no_call_fails_while_the_package_is_swapped_and_memory_stays_bounded(daemon, models, package, swaps):
    d = daemon(*POLL, models=models)
    stub, load, after = d.stub(), Load(d), {}
    for swap in range(1, swaps + 1):
        before = len(load.codes)
        put(package, models / "a" / "1", f"swap{swap}")
        wait_until(lambda: answers(stub, f"swap{swap}", model="a"), f"swap {swap} answers")
        wait_until(lambda: len(d.log_lines("are freed")) == swap, "the old one is freed")
        wait_until(lambda: len(load.codes) > before, "calls are answered meanwhile")
        after[swap] = rss(d)
    errors = load.end()
    print(f"{swaps} swaps, {len(load.codes)} calls, {len(errors)} errors, RSS {after[10] / 1e6:.1f} MB after 10, "
          f"{after[swaps] / 1e6:.1f} MB after {swaps}")
    assert not errors, errors[:3]
    assert len(load.labels) > swaps / 2, "the callers saw too few of the packages"
    assert after[swaps] <= 1.3 * after[10]


def test_no_call_fails_while_versions_come_and_go(daemon, models, package):
    d = daemon(*POLL, models=models)
    stub, load = d.stub(), Load(d)
    for version in range(2, 6):
        put(package, models / "a" / str(version), f"version{version}")
        wait_until(lambda: answers(stub, f"version{version}", model="a"), f"version {version} answers")
        if version % 2:
            shutil.rmtree(models / "a" / str(version - 1))
            wait_until(lambda: is_gone(stub, model="a", version=version - 1), f"version {version - 1} is gone")
            shutil.rmtree(models / "a" / str(version))
            wait_until(lambda: answers(stub, "one", model="a"), "the first one answers again")
    errors = load.end()
    assert not errors, errors[:3]
    assert load.labels == {"one", *(f"version{version}" for version in range(2, 6))}


def test_damaged_packages_that_arrive_while_calls_run_harm_none_of_them(daemon, models, package):
    """As a second version, as a model of their own, and in the place of the package that serves."""
    d = daemon(*POLL, models=models)
    stub, load = d.stub(), Load(d)
    places = (("a", 2), ("bad", 1), ("a", 1))
    for turn, (name, (damage, sealed, words)) in enumerate(DAMAGES.items()):
        model, version = places[turn % len(places)]
        bad, folder = copy_package(package, models.parent / "bad"), models / model / str(version)
        edit_json(bad / "bertha.json", lambda m: m.setdefault("provenance", {}).update(turn=turn))  # none is as another
        seal(bad)
        damage(bad)
        if sealed:
            seal(bad)
        folder.parent.mkdir(exist_ok=True)
        if folder.exists():
            os.rename(folder, models.parent / f"old{turn}")
        refusals = len(d.log_lines(rf"{model}:{version}: .*refused"))
        os.rename(bad, folder)
        wait_until(lambda: len(d.log_lines(rf"{model}:{version}: .*refused")) > refusals, f"{name} is refused")

        def told():
            request = control_pb.PackageStatusRequest(model=model, version=version)
            both = [status_of(d, model, version), d.control().Status(request).packages[0].status]
            return all(s and all(word in (s.reason or s.refused_update) for word in words) for s in both)

        wait_until(told, f"{words} are in the reason of {name}")
        assert first_label(stub, model="a") == "one"
        if (moved := models.parent / "moved.pt").exists():
            moved.unlink()
    errors = load.end()
    assert not errors, errors[:3]
    assert load.labels == {"one"}
    listed = d.control().List(control_pb.ListPackagesRequest())
    assert listed.refused_total >= len(d.log_lines("refused")) > 0 and listed.loaded_total >= 1


def test_one_thread_of_low_priority_loads(daemon, models):
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    if usual >= 10:
        pytest.skip("everything here runs at low priority")
    process = daemon(*POLL, models=models).process.pid
    stats = [(task / "stat").read_text() for task in pathlib.Path(f"/proc/{process}/task").iterdir()]
    nice = [int(stat.rpartition(")")[2].split()[16]) for stat in stats]  # proc(5)
    assert nice.count(10) == 1 and nice.count(usual) == len(nice) - 1
