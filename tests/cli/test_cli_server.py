"""`bertha models`, `bertha health`, `bertha package`, and help."""
import shutil
import subprocess

import pytest
from grpc_health.v1 import health_pb2

from bertha.v1 import bertha_pb2
from cli_tools import json_lines

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def test_models_as_table_and_as_json(cli, server):
    server.bertha.models = [
        bertha_pb2.ModelStatus(
            model={"name": "mood", "version": 2, "engine": "torchscript", "device": "cpu", "dtype": "fp32"},
            state=bertha_pb2.ModelStatus.STATE_SERVING,
            family="bert",
            task="sequence-classification",
            labels=["neg", "pos"],
            max_length=128,
            probe_count=8,
            is_default=True,
            version_labels=["stable"],
            refused_update="manifest: no such task",
        ),
        bertha_pb2.ModelStatus(
            model={"name": "torn", "version": 1},
            state=bertha_pb2.ModelStatus.STATE_FAILED,
            reason="model.pt: checksum differs",
        ),
    ]
    table = cli("models")
    assert table.returncode == 0
    assert "mood*" in table.stdout.decode() and "refused: model.pt: checksum differs" in table.stdout.decode()
    assert "2 stable" in table.stdout.decode()
    assert "update refused, this one serves on: manifest: no such task" in table.stdout.decode()
    good, bad = json_lines(cli("models", "--json"))
    assert (good["model"], good["version"], good["state"], good["labels"]) == ("mood", 2, "SERVING", ["neg", "pos"])
    assert (good["version_labels"], good["refused_update"]) == (["stable"], "manifest: no such task")
    assert (bad["state"], bad["reason"]) == ("FAILED", "model.pt: checksum differs")


def test_health_is_0_only_when_serving(cli, server):
    server.health.set("", SERVING)
    server.health.set("mood", NOT_SERVING)
    assert (cli("health").returncode, cli("health").stdout) == (0, b"SERVING\n")
    sick = cli("health", "--model-name", "mood", "--json")
    assert sick.returncode == 1
    assert json_lines(sick) == [{"address": server.address, "model": "mood", "status": "NOT_SERVING"}]
    unknown = cli("health", "--model-name", "nope")
    assert unknown.returncode == 1
    assert b"the server knows no model 'nope'" in unknown.stderr


def test_health_wait_returns_when_the_server_begins_to_serve(cli, server):
    server.health.set("", NOT_SERVING)
    child = subprocess.Popen(
        [cli.binary, "health", "--wait", "30"], stdout=subprocess.PIPE, env={"BERTHA_ADDRESS": server.address}
    )
    assert server.health.watched.wait(timeout=60)
    server.health.set("", SERVING)
    out, _ = child.communicate(timeout=60)
    assert (child.returncode, out) == (0, b"SERVING\n")


def test_health_wait_gives_up(cli, server):
    server.health.set("", NOT_SERVING)
    done = cli("health", "--wait", "2")  # time to be told on a busy machine too
    assert (done.returncode, done.stdout) == (1, b"NOT_SERVING\n")


def test_package_hands_all_arguments_to_the_program_beside_it(cli, tmp_path):
    binary = shutil.copy2(cli.binary, tmp_path / "bertha")
    missing = cli("package", "verify", "DIR", binary=binary)
    assert missing.returncode == 2
    assert f"bertha: cannot start {tmp_path}/bertha-package: No such file" in missing.stderr.decode()
    helper = tmp_path / "bertha-package"
    helper.write_text('#!/bin/sh\necho "got: $*"\nexit 5\n')
    helper.chmod(0o755)
    done = cli("package", "verify", "--help", "DIR", binary=binary)
    assert (done.returncode, done.stdout) == (5, b"got: verify --help DIR\n")


@pytest.mark.parametrize("command", ["", "classify", "tag", "answer", "embed", "models", "health"])
def test_help_has_examples_and_exit_codes(cli, command):
    done = cli(*command.split(), "--help")
    assert done.returncode == 0 and done.stderr == b""
    text = done.stdout.decode()
    assert "Examples:" in text and f"  bertha {command}" in text
    for code in ("0  all inputs answered", "1  some inputs failed", "2  wrong usage", "3  cannot reach the server"):
        assert code in text


def test_version(cli):
    assert cli("--version").stdout.decode().startswith("bertha 0.")
