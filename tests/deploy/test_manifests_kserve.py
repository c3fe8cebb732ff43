"""The ServingRuntime starts a daemon that serves where KServe sends, and the examples fit it."""

import pytest
import yaml

from deploy_support import DEPLOY, check_config, drain_seconds, port_of, version

RUNTIME = yaml.safe_load((DEPLOY / "kserve" / "serving-runtime.yaml").read_text())
EXAMPLES = [yaml.safe_load(file.read_text()) for file in sorted((DEPLOY / "kserve" / "examples").glob("*.yaml"))]
PORTS = {"v2": ("http", "http1"), "grpc-v2": ("grpc", "h2c")}  # protocol -> the daemon's port, and KServe's name of it
DEFAULT_GRACE = 30  # seconds; a runtime cannot set terminationGracePeriodSeconds


@pytest.fixture(scope="module")
def container():
    (found,) = RUNTIME["spec"]["containers"]
    return found


@pytest.fixture(scope="module")
def settings(program, container):
    return check_config(program("berthad"), container["args"])


def test_the_container_is_the_one_that_kserve_looks_for(container):
    assert container["name"] == "kserve-container"
    assert container["command"] == ["/opt/bertha/bin/berthad"]
    assert container["image"] == f"bertha:{version()}"


def test_kserve_sends_to_a_port_that_is_served(container, settings):
    (port,) = container["ports"]
    assert port["name"] == "http1" and port["containerPort"] == port_of(settings["http"]["address"])


def test_models_are_where_kserve_puts_them(container, settings):
    assert settings["models"]["directory"] == "/mnt/models"
    (mount,) = container["volumeMounts"]
    assert mount["mountPath"] == settings["costs"]["directory"]
    assert [v["name"] for v in RUNTIME["spec"]["volumes"]] == [mount["name"]]


def test_probes_ask_the_plaintext_port(container, settings):
    port = port_of(settings["probe"]["address"])
    for probe in ("startupProbe", "readinessProbe"):
        assert container[probe]["grpc"] == {"port": port, "service": "readiness"}
    assert container["livenessProbe"]["grpc"] == {"port": port, "service": "liveness"}


def test_the_drain_fits_the_grace_that_is_the_default(settings):
    assert drain_seconds(settings) + 5 <= DEFAULT_GRACE
    assert settings["drain"]["timeout_ms"] >= settings["queue"]["default_deadline_ms"]


def test_the_container_is_restricted(container):
    context = container["securityContext"]
    assert context["runAsNonRoot"] and context["readOnlyRootFilesystem"] and not context["allowPrivilegeEscalation"]
    assert context["capabilities"] == {"drop": ["ALL"]} and context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["resources"]["requests"] == container["resources"]["limits"]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["metadata"]["name"])
def test_the_example_fits_the_runtime(example, settings):
    model = example["spec"]["predictor"]["model"]
    assert model["runtime"] == RUNTIME["metadata"]["name"]
    assert model["protocolVersion"] in RUNTIME["spec"]["protocolVersions"]
    formats = [{key: f[key] for key in ("name", "version")} for f in RUNTIME["spec"]["supportedModelFormats"]]
    assert model["modelFormat"] in formats
    listener, name = PORTS[model["protocolVersion"]]
    for port in model.get("ports", RUNTIME["spec"]["containers"][0]["ports"]):
        assert port["containerPort"] == port_of(settings[listener]["address"]) and port["name"] == name


def test_there_is_an_example_of_each_protocol():
    protocols = [example["spec"]["predictor"]["model"]["protocolVersion"] for example in EXAMPLES]
    assert sorted(protocols) == sorted(RUNTIME["spec"]["protocolVersions"])
