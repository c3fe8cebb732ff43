"""The systemd unit: systemd accepts it, its sandbox is closed, and it agrees with the daemon's settings."""

import pathlib
import re
import subprocess

import pytest

from deploy_support import DEPLOY, PATIENCE, check_config, drain_seconds

UNIT = DEPLOY / "systemd" / "bertha.service"
WORST_EXPOSURE = 1.5  # of 10; systemd calls what is below 2 OK-ish to SAFE


def values(key):
    """Of a key in the unit, in order."""
    return re.findall(rf"^{key}=(.*)$", UNIT.read_text(), flags=re.MULTILINE)


def value(key):
    (found,) = values(key)
    return found


@pytest.fixture(scope="module")
def settings(program):
    program_path, *arguments = value("ExecStart").split()
    assert program_path == "/opt/bertha/bin/berthad"
    return check_config(program("berthad"), arguments, (DEPLOY / "systemd" / "berthad.yaml").read_text())


def analyze(*arguments):
    return subprocess.run(["systemd-analyze", *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE)


def placed(folder, program, change=lambda text: text):
    """The unit with the built daemon in its place: systemd looks whether the program is there."""
    unit = folder / "bertha.service"
    unit.write_text(change(UNIT.read_text().replace("/opt/bertha/bin/berthad", str(program("berthad")))))
    return unit


def test_systemd_accepts_the_unit(program, tmp_path):
    done = analyze("verify", "--man=no", placed(tmp_path, program))
    assert done.returncode == 0 and not done.stderr, done.stderr


def test_systemd_accepts_the_drop_in_for_gpus(program, tmp_path):
    placed(tmp_path, program)
    drop_in = tmp_path / "bertha.service.d"
    drop_in.mkdir()
    (drop_in / "gpu.conf").write_text((DEPLOY / "systemd" / "gpu.conf").read_text())
    done = analyze("verify", "--man=no", tmp_path / "bertha.service")
    assert done.returncode == 0 and not done.stderr, done.stderr


def test_a_misspelled_key_is_found(program, tmp_path):
    unit = placed(tmp_path, program, lambda text: text.replace("ProtectHome=", "ProtectHomes="))
    assert "ProtectHomes" in analyze("verify", "--man=no", unit).stderr


def exposure(unit):
    done = analyze("security", "--offline=true", "--no-pager", unit)
    return float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)[1])


def test_the_sandbox_is_closed(program, tmp_path):
    assert exposure(placed(tmp_path, program)) <= WORST_EXPOSURE


def test_an_open_sandbox_is_found(program, tmp_path):
    unit = placed(tmp_path, program, lambda text: text.replace("DynamicUser=yes\nUser=bertha\n", ""))
    assert exposure(unit) > WORST_EXPOSURE


def test_the_daemon_is_given_time_to_drain(settings):
    assert drain_seconds(settings) + 5 <= int(value("TimeoutStopSec")) <= drain_seconds(settings) + 30


def test_the_daemon_can_write_where_it_wants_to(settings):
    assert settings["costs"]["directory"] == "/var/cache/" + value("CacheDirectory")
    assert settings["feedback"]["database"] == "" and settings["log"]["format"] == "json"


def test_a_mistake_in_the_configuration_is_not_tried_again(program, tmp_path):
    bad = tmp_path / "berthad.yaml"
    bad.write_text("drain: {timeout: 1}\n")
    done = subprocess.run([program("berthad"), "--config", bad], capture_output=True, timeout=PATIENCE)
    assert str(done.returncode) == value("RestartPreventExitStatus")


def test_connections_have_descriptors(settings):
    wanted = settings["limits"]["max_connections"] + settings["http"]["max_connections"]
    assert int(value("LimitNOFILE")) >= 2 * wanted


def test_the_unit_waits_for_no_notification(program):
    """berthad sends none: Type=notify would time out."""
    assert value("Type") == "exec"
    assert b"NOTIFY_SOCKET" not in pathlib.Path(program("berthad")).read_bytes()
