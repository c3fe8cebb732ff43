"""The compose file: what it mounts is there, what it starts takes the settings, what it asks is answered."""

import pathlib
import re
import shutil
import subprocess

import pytest
import yaml

from deploy_support import DEPLOY, PATIENCE, ROOT, check_config, drain_seconds, port_of, version
from e2e_support import Daemon, with_quick

FOLDER = DEPLOY / "compose"
OBSERVABILITY = "../observability"  # another part of deploy/
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
BERTHA = SERVICES["bertha"]


@pytest.fixture(scope="module")
def settings(program):
    return check_config(program("berthad"), BERTHA["command"], (FOLDER / "berthad.yaml").read_text())


def seconds(text):
    assert text.endswith("s")
    return int(text[:-1])


def mounts(service):
    """(source, target, mode) of each bind and volume, with the defaults of variables."""
    text = [re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", volume) for volume in SERVICES[service].get("volumes", [])]
    return [(volume.split(":") + ["rw"])[:3] for volume in text]


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_mounted_is_there_and_read_only(service):
    for source, _, mode in mounts(service):
        if not source.startswith("."):
            assert source in COMPOSE["volumes"]
            continue
        assert mode == "ro"
        assert (FOLDER / source).exists(), source


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_is_privileged_or_reachable_from_other_machines(service):
    s = SERVICES[service]
    assert s["cap_drop"] == ["ALL"] and s["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "devices"} & set(s)
    assert all(port.startswith("127.0.0.1:") for port in s["ports"])


@pytest.mark.parametrize("service", SERVICES)
def test_images_are_pinned(service):
    name, _, tag = SERVICES[service]["image"].rpartition(":")
    assert re.fullmatch(r"v?\d+\.\d+\.\d+", tag), tag
    assert name != "bertha" or tag == version()


def test_the_published_ports_are_served(settings):
    inside = {int(port.rpartition(":")[2]) for port in BERTHA["ports"]}
    assert inside == {port_of(settings[name]["address"]) for name in ("http", "grpc")}
    assert settings["http"]["address"].startswith("0.0.0.0:") and settings["grpc"]["address"].startswith("0.0.0.0:")


def test_the_daemon_is_given_time_to_drain(settings):
    assert drain_seconds(settings) + 5 <= seconds(BERTHA["stop_grace_period"])


def test_the_daemon_finds_its_files(settings):
    targets = {target: mode for _, target, mode in mounts("bertha")}
    assert set(targets) == {BERTHA["command"][1], settings["models"]["directory"]}
    (cache,) = BERTHA["tmpfs"]
    path, _, options = cache.partition(":")
    assert path == settings["costs"]["directory"]
    assert BERTHA["user"] == "65532:65532" and {"uid=65532", "gid=65532", "mode=0700"} <= set(options.split(","))
    assert BERTHA["read_only"]


def test_the_health_check_passes_while_the_daemon_serves_and_not_after(program, settings, tmp_path):
    test = BERTHA["healthcheck"]["test"]
    assert test[:2] == ["CMD", "/opt/bertha/bin/bertha"]
    address = test[test.index("--address") + 1]
    assert address == settings["probe"]["address"]
    daemon = Daemon(program("berthad"), ROOT / "demo" / "models", tmp_path / "log", *with_quick(()))
    try:
        daemon.wait_serving()
        command = [program("bertha"), *(daemon.probe_address if word == address else word for word in test[2:])]
        assert subprocess.run(command, capture_output=True).returncode == 0
        daemon.signal()
        daemon.wait()
        assert subprocess.run(command, capture_output=True).returncode != 0
    finally:
        daemon.close()


def test_prometheus_scrapes_the_daemon_and_reads_the_rules(settings, tmp_path):
    config = yaml.safe_load((FOLDER / "prometheus.yaml").read_text())
    (job,) = config["scrape_configs"]
    (targets,) = job["static_configs"]
    assert job["job_name"] == "bertha"
    assert targets["targets"] == [f"bertha:{port_of(settings['http']['address'])}"]
    assert set(targets["labels"]) == {"namespace", "pod"}
    mounted = {target: FOLDER / source for source, target, _ in mounts("prometheus")}
    (rules,) = config["rule_files"]
    here = mounted[str(pathlib.PurePosixPath(rules).parent)]
    (where,) = [target for target, source in mounted.items() if source.name == "prometheus.yaml"]
    assert f"--config.file={where}" in SERVICES["prometheus"]["command"]
    config["rule_files"] = [str(here / pathlib.PurePosixPath(rules).name)]
    file = tmp_path / "prometheus.yaml"
    file.write_text(yaml.safe_dump(config))
    done = subprocess.run(["promtool", "check", "config", file], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr


def test_grafana_finds_prometheus_and_the_dashboard():
    (source,) = yaml.safe_load((FOLDER / "grafana" / "datasources.yaml").read_text())["datasources"]
    host, _, port = source["url"].removeprefix("http://").partition(":")
    assert f"127.0.0.1:{port}:{port}" in SERVICES[host]["ports"] and source["isDefault"]
    (provider,) = yaml.safe_load((FOLDER / "grafana" / "dashboards.yaml").read_text())["providers"]
    folders = {target: source for source, target, _ in mounts("grafana")}
    path = provider["options"]["path"]
    assert folders[path] == f"{OBSERVABILITY}/dashboards"
    assert SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] == f"{path}/bertha.json"


def has_compose():
    docker = shutil.which("docker")
    return docker and subprocess.run([docker, "compose", "version"], capture_output=True).returncode == 0


@pytest.mark.skipif(not has_compose(), reason="no docker compose here")
def test_docker_compose_understands_the_file():
    command = ["docker", "compose", "-f", FOLDER / "compose.yaml", "config", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
