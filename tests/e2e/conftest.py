"""Daemons, packages and the command line for the end-to-end tests."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "clients" / "python"), str(ROOT / "models" / "export")]


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory):
    """One of the demo models, alone; BERTHA_TEST_MODELS names another model directory."""
    if named := os.environ.get("BERTHA_TEST_MODELS"):
        return pathlib.Path(named).resolve()
    folder = tmp_path_factory.mktemp("models")
    shutil.copytree(ROOT / "demo" / "models" / "sentiment-bert", folder / "sentiment-bert")
    return folder


@pytest.fixture(scope="session")
def package(models_dir):
    """The demo model's newest package."""
    packages = sorted(models_dir.glob("*/*/SHA256SUMS"), key=lambda p: (p.parts[-3], int(p.parts[-2])))
    assert packages, f"{models_dir} holds no packages"
    return packages[-1].parent


@pytest.fixture(scope="session")
def probes(package):
    return json.loads((package / "probes.json").read_text())["probes"]


@pytest.fixture(scope="session")
def reference(package):
    from e2e_support import Reference

    return Reference(package)


@pytest.fixture(scope="session")
def shared(program, models_dir, tmp_path_factory):
    """One daemon for all tests that only ask; it must survive them all and drain in the end."""
    from e2e_support import serving, with_quick

    with serving(program("berthad"), models_dir, tmp_path_factory.mktemp("shared") / "log", *with_quick(())) as d:
        yield d


@pytest.fixture
def daemon(program, models_dir, tmp_path):
    """daemon(FLAGS...) starts a berthad and waits until it serves. It must drain and exit with `exit_code` in the end;
    None: whatever the test did to it is the test's to check. `binary`: another one than the build's."""
    from e2e_support import Daemon, with_quick

    started = []

    def start(*flags, models=models_dir, wait=True, exit_code=0, binary=None):
        d = Daemon(binary or program("berthad"), models, tmp_path / f"log{len(started)}", *with_quick(flags))
        started.append((d, exit_code))
        return d.wait_serving() if wait else d

    yield start
    try:
        for d, exit_code in started:
            if exit_code is None:
                continue
            if d.process.poll() is None:
                d.signal()
            assert d.wait() == exit_code, d.log()
    finally:
        for d, _ in started:
            d.close()


@pytest.fixture
def berthad(program):
    """berthad(ARGUMENTS...) runs the daemon to its end, for those that end by themselves; without the other listeners,
    whose usual ports may be taken here."""
    from e2e_support import PATIENCE

    def run(*arguments):
        others = [f for f in ("--http-address", "--admin-address", "--admin-http-address", "--probe-address") if f not in arguments]
        without = [word for flag in others for word in (flag, "")]
        command = [str(program("berthad")), *without, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)

    return run


@pytest.fixture(scope="session")
def bertha(program):
    """bertha(ARGUMENTS..., address=...) runs the command line client."""
    from e2e_support import PATIENCE

    def run(*arguments, address="127.0.0.1:1", stdin=b""):
        env = {"PATH": os.environ["PATH"], "BERTHA_ADDRESS": address}
        command = [str(program("bertha")), *map(str, arguments)]
        return subprocess.run(command, input=stdin, capture_output=True, timeout=PATIENCE, env=env)

    return run


@pytest.fixture(scope="session")
def slow_models(tmp_path_factory, package):
    """A directory with the demo tokenizer's model "slow": 40 ms of one core for each forward pass, whatever the batch;
    1.2 s if "wait" is in it, minutes if "[MASK]" is. A text with "nan" gets NaN."""
    from e2e_slow import make_slow_package

    folder = tmp_path_factory.mktemp("slow_models")
    make_slow_package(folder / "slow" / "1", package, milliseconds=40)
    return folder


@pytest.fixture
def probe(program):
    """probe(OPTION=VALUE...) starts a server of the HTTP transport alone; it must end well."""
    from http_core_support import Probe

    started = []

    def start(preexec=None, **options):
        started.append(Probe(program("http_probe_server"), options, preexec))
        return started[-1]

    yield start
    for server in started:
        assert server.close() == 0, server.log


@pytest.fixture(scope="module")
def common(program):
    """One such server, as it is by default, for all tests of a file that only ask."""
    from http_core_support import Probe

    server = Probe(program("http_probe_server"), {})
    yield server
    assert server.close() == 0, server.log
