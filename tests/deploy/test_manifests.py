"""Every overlay, with and without components, is what a cluster needs; and every check sees what it is there to see."""

import copy
import re
import shutil
import subprocess

import pytest
import yaml

import manifest_checks
from deploy_support import (
    DEPLOY,
    ROOT,
    VARIANTS,
    all_of,
    config_map_of,
    daemon_of,
    kustomize,
    one,
    pod_of,
    render,
    render_text,
    settings_of,
)
from e2e_support import Daemon, with_quick

KINDS = {
    "ConfigMap": 1,
    "Deployment": 1,
    "Namespace": 1,
    "NetworkPolicy": 1,
    "Service": 2,
    "ServiceAccount": 1,
}
PRODUCTION_KINDS = KINDS | {
    "ConfigMap": 2,  # the settings and the dashboard
    "HorizontalPodAutoscaler": 1,
    "PersistentVolumeClaim": 1,
    "PodDisruptionBudget": 1,
    "PriorityClass": 1,
    "PrometheusRule": 1,
    "ServiceMonitor": 1,
}


@pytest.fixture(scope="session")
def settings(program):
    """settings(VARIANT) is what berthad makes of the rendered arguments and ConfigMap; it accepts them."""
    known = {}

    def get(variant):
        if variant not in known:
            known[variant] = settings_of(program("berthad"), render(variant))
        return copy.deepcopy(known[variant])

    return get


@pytest.mark.parametrize("variant", VARIANTS)
def test_all_objects_are_there(variant):
    objects = render(variant)
    wanted = KINDS if variant.startswith("dev") else PRODUCTION_KINDS
    assert {kind: len(all_of(objects, kind)) for kind in {o["kind"] for o in objects}} == wanted


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("check", manifest_checks.CHECKS, ids=lambda check: check.__name__)
def test_overlay(check, variant, settings):
    check(render(variant), settings(variant))


def test_the_overlays_can_be_applied_over_one_another():
    """What the API does not let change is the same in all."""
    assert len({str(one(render(v), "Deployment")["spec"]["selector"]) for v in VARIANTS}) == 1
    assert len({one(render(v), "Service", "bertha")["spec"]["clusterIP"] for v in VARIANTS}) == 1


def test_another_configuration_is_a_rollout(tmp_path):
    """The ConfigMap's name is in the pod's template, and changes with the content."""
    folder = shutil.copytree(DEPLOY, tmp_path / "deploy") / "kubernetes"
    before = kustomize(folder / "overlays" / "cpu")
    file = folder / "base" / "berthad.yaml"
    file.write_text(file.read_text().replace("30000", "29000"))
    assert before == render_text("cpu")
    assert config_name(kustomize(folder / "overlays" / "cpu")) != config_name(before)


def config_name(text):
    return config_map_of(list(yaml.safe_load_all(text)))["metadata"]["name"]


def test_the_overlay_of_the_readme_works(program, tmp_path):
    """Kept beside a checkout called bertha, as it says."""
    shutil.copytree(DEPLOY, tmp_path / "bertha" / "deploy")
    (text,) = re.findall(r"```yaml\n(.*?)```", (DEPLOY / "kubernetes" / "README.md").read_text(), flags=re.DOTALL)
    (tmp_path / "kustomization.yaml").write_text(text.replace("REGISTRY", "registry.invalid"))
    objects = list(yaml.safe_load_all(kustomize(tmp_path)))
    assert daemon_of(objects)["image"] == "registry.invalid/bertha:0.1.0"
    assert one(objects, "PersistentVolumeClaim")["spec"]["storageClassName"] == "shared-files"
    assert any(argument.startswith("--tls-key=") for argument in daemon_of(objects)["args"])
    for kind in ("ServiceMonitor", "PrometheusRule"):
        assert one(objects, kind)["metadata"]["labels"]["release"] == "prometheus"
    manifest_checks.selectors_match_the_pods_and_never_change(objects, {})
    assert "release" not in pod_of(objects)["metadata"]["labels"], "another Prometheus would be a rollout"
    assert settings_of(program("berthad"), objects)["limits"]["requests_per_second"] == 100


def test_the_daemon_knows_the_services_that_the_probes_ask_for(program, tmp_path):
    """And no others: the word "readiness" is not simply a name like any other."""
    daemon = Daemon(program("berthad"), ROOT / "demo" / "models", tmp_path / "log", *with_quick(()))
    try:
        daemon.wait_serving()
        probes = ("startupProbe", "readinessProbe", "livenessProbe")
        names = {daemon_of(render("cpu"))[probe]["grpc"]["service"] for probe in probes}
        for name, status in [*((n, 0) for n in sorted(names)), ("readyness", 1)]:
            command = [program("bertha"), "health", "--address", daemon.probe_address, "--model", name]
            assert subprocess.run(command, capture_output=True).returncode == status, name
    finally:
        daemon.close()


def test_the_init_container_refuses_a_damaged_package(program, tmp_path):
    (container,) = pod_of(render("cpu"))["spec"]["initContainers"]
    models = shutil.copytree(ROOT / "demo" / "models", tmp_path / "models")
    command = [program("bertha"), *container["command"][1:-1], models]
    assert subprocess.run(command, capture_output=True).returncode == 0
    file = models / "sentiment-bert" / "1" / "model.pt"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{models}/sentiment-bert/1: model.pt: ") and done.stderr.count("\n") == 1


def test_the_metrics_that_scale_are_served():
    """The gauge is one of the daemon's, the other one the adapter's."""
    metrics = one(render("cpu"), "HorizontalPodAutoscaler")["spec"]["metrics"]
    assert f"| `{metrics[1]['pods']['metric']['name']}` |" in (ROOT / "docs" / "metrics.md").read_text()
    adapter = yaml.safe_load((DEPLOY / "observability" / "prometheus-adapter.yaml").read_text())
    assert {m["pods"]["metric"]["name"] for m in metrics} == {rule["name"]["as"] for rule in adapter["rules"]}


# --- what each check must see ---


def first(objects, kind, name=None):
    return [o for o in all_of(objects, kind) if name in (None, o["metadata"]["name"])][0]


def deployment(change):
    return lambda objects, settings: change(first(objects, "Deployment")["spec"])


def pod(change):
    return lambda objects, settings: change(pod_of(objects)["spec"])


def container(change):
    return lambda objects, settings: change(daemon_of(objects))


def spec(kind, change, name=None):
    return lambda objects, settings: change(first(objects, kind, name)["spec"])


def setting(*path, to):
    def change(objects, settings):
        at = settings
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = to

    return change


def put(*path, to):
    """A change that sets what lies at a path of keys and indices."""

    def change(at):
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = to

    return change


def drop(*path):
    def change(at):
        for key in path[:-1]:
            at = at[key]
        del at[path[-1]]

    return change


def metadata(kind, change, name=None):
    return lambda objects, settings: change(first(objects, kind, name)["metadata"])


def remove(kind):
    return lambda objects, settings: objects.remove(first(objects, kind))


def by_cpu(percent):
    return {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": percent}}}


HPA, PDB = "HorizontalPodAutoscaler", "PodDisruptionBudget"
BREAKS = {
    "names_and_labels": [
        metadata("Service", put("namespace", to="default")),
        metadata("Service", drop("labels", "app.kubernetes.io/part-of")),
        metadata("Service", put("name", to="bertha-http")),
    ],
    "selectors_match_the_pods_and_never_change": [
        deployment(put("selector", "matchLabels", "version", to="1")),
        deployment(drop("template", "metadata", "labels", "app.kubernetes.io/component")),
        spec("Service", put("selector", "app.kubernetes.io/component", to="sever")),
        spec(PDB, put("selector", "matchLabels", to={})),
        spec("NetworkPolicy", put("podSelector", "matchLabels", "app.kubernetes.io/name", to="berta")),
        pod(put("topologySpreadConstraints", 0, "labelSelector", "matchLabels", to={"app": "bertha"})),
    ],
    "ports_agree_everywhere": [
        setting("grpc", "address", to="0.0.0.0:8002"),
        container(put("ports", 2, "containerPort", to=8005)),
        spec("Service", put("ports", 0, "port", to=80), "bertha-http"),
        spec("Service", put("ports", 0, "targetPort", to="htttp"), "bertha-http"),
        spec("NetworkPolicy", put("ingress", 0, "ports", 0, "port", to=8003)),
    ],
    "only_public_ports_are_reachable": [
        setting("grpc", "address", to="127.0.0.1:8001"),
        setting("probe", "address", to="127.0.0.1:8004"),
        setting("admin", "address", to="0.0.0.0:8003"),
    ],
    "the_network_is_closed_but_for_callers": [
        spec("NetworkPolicy", put("ingress", 0, to={"ports": [{"port": 8001}]})),
        spec("NetworkPolicy", put("ingress", 0, "from", 1, "namespaceSelector", to={})),
        spec("NetworkPolicy", put("egress", to=[{}])),
        spec("NetworkPolicy", put("policyTypes", to=["Ingress"])),
    ],
    "clients_balance_among_all_pods": [
        spec("Service", drop("clusterIP"), "bertha"),
        setting("limits", "max_connection_age_ms", to=0),
        setting("limits", "connection_age_grace_ms", to=1000),
    ],
    "probes_ask_the_plaintext_port": [
        container(put("livenessProbe", "grpc", "service", to="readiness")),
        container(put("readinessProbe", "grpc", "port", to=8001)),
        container(put("startupProbe", to={"httpGet": {"port": 8000, "path": "/readyz"}})),
        setting("probe", "address", to="0.0.0.0:8006"),
    ],
    "a_large_model_has_time_to_start": [
        container(put("startupProbe", "failureThreshold", to=10)),
        deployment(put("progressDeadlineSeconds", to=600)),
    ],
    "liveness_is_patient_and_readiness_quick": [
        container(put("livenessProbe", "failureThreshold", to=1)),
        container(put("readinessProbe", "periodSeconds", to=30)),
    ],
    "the_grace_period_fits_the_drain": [
        pod(put("terminationGracePeriodSeconds", to=70)),
        pod(put("terminationGracePeriodSeconds", to=600)),
        setting("drain", "lame_duck_ms", to=60_000),
        setting("drain", "timeout_ms", to=60_000),
        container(put("lifecycle", to={"preStop": {"sleep": {"seconds": 10}}})),
        container(put("lifecycle", to={"preStop": {"exec": {"command": ["sleep", "1"]}}})),
    ],
    "what_was_accepted_can_end_while_draining": [
        setting("drain", "timeout_ms", to=10_000),
        setting("queue", "default_deadline_ms", to=40_000),
    ],
    "every_connection_ends_in_the_lame_duck_time": [
        setting("drain", "lame_duck_ms", to=33_000),
        setting("limits", "max_connection_age_ms", to=60_000),
    ],
    "new_pods_are_found_before_old_ones_go": [deployment(put("minReadySeconds", to=10))],
    "a_rollout_takes_no_pod_before_its_successor": [
        deployment(put("strategy", "rollingUpdate", "maxUnavailable", to=1)),
        deployment(put("strategy", "rollingUpdate", "maxSurge", to=0)),
        deployment(put("strategy", to={"type": "Recreate"})),
    ],
    "drains_of_nodes_proceed_one_pod_at_a_time": [
        spec(PDB, put("maxUnavailable", to=0)),
        spec(PDB, put("maxUnavailable", to=3)),
        spec(HPA, put("minReplicas", to=1)),
        remove(PDB),
    ],
    "the_autoscaler_owns_the_replicas": [
        spec(HPA, put("scaleTargetRef", "name", to="berthad")),
        deployment(put("replicas", to=3)),
        spec(HPA, put("maxReplicas", to=3)),
    ],
    "the_autoscaler_reads_metrics_that_exist": [
        spec(HPA, put("metrics", 1, "pods", "metric", "name", to="bertha_in_flight")),
        spec(HPA, put("metrics", 1, "pods", "target", "averageValue", to="200")),
        spec(HPA, put("metrics", to=[])),
        spec(HPA, put("metrics", to=[by_cpu(70)])),
        spec(HPA, put("metrics", to=[by_cpu(95)])),
    ],
    "pods_are_restricted": [
        metadata("Namespace", put("labels", "pod-security.kubernetes.io/enforce", to="baseline")),
        pod(put("hostNetwork", to=True)),
        pod(put("securityContext", "runAsNonRoot", to=False)),
        pod(drop("securityContext", "seccompProfile")),
        pod(put("volumes", 0, to={"name": "config", "hostPath": {"path": "/etc"}})),
        container(put("securityContext", "readOnlyRootFilesystem", to=False)),
        container(put("securityContext", "allowPrivilegeEscalation", to=True)),
        container(put("securityContext", "capabilities", "add", to=["NET_BIND_SERVICE"])),
        container(put("securityContext", "privileged", to=True)),
        pod(put("initContainers", 0, "securityContext", "capabilities", to={})),
    ],
    "pods_have_no_token": [
        pod(drop("automountServiceAccountToken")),
        pod(put("serviceAccountName", to="default")),
        lambda objects, settings: first(objects, "ServiceAccount").pop("automountServiceAccountToken"),
    ],
    "limits_equal_requests_in_whole_cores": [
        container(drop("resources", "limits", "cpu")),
        container(put("resources", "requests", "memory", to="1Gi")),
        container(put("resources", to={k: {"cpu": "1500m", "memory": "1Gi"} for k in ("requests", "limits")})),
    ],
    "a_gpu_is_asked_for_where_it_is_used": [
        setting("device", to="cuda"),
        container(put("resources", "limits", "nvidia.com/gpu", to="1")),
        container(put("image", to="bertha:0.1.0-cuda")),
    ],
    "images_are_pinned_to_this_release": [
        container(put("image", to="bertha:latest")),
        container(put("image", to="bertha")),
        lambda objects, settings: [c.update(image="bertha:9.9.9") for c in manifest_checks.all_containers(objects)],
    ],
    "volumes_and_mounts_fit": [
        pod(put("volumes", 0, "name", to="cfg")),
        lambda objects, settings: config_map_of(objects)["metadata"].update(name="bertha"),
        metadata("PersistentVolumeClaim", put("name", to="models")),
        container(drop("volumeMounts", 2)),
    ],
    "files_of_the_settings_are_mounted": [
        setting("models", "directory", to="/srv/models"),
        setting("costs", "directory", to="/var/cache"),
        setting("tls", "certificate", to="/run/secrets/bertha-tls/tls.crt"),
        setting("auth", "tokens_file", to="/etc/bertha/tokens"),
        setting("feedback", "database", to="/var/lib/votes.db"),
        container(put("volumeMounts", 1, "readOnly", to=False)),
    ],
    "models_are_verified_before_the_daemon_starts": [
        pod(put("initContainers", to=[])),
        pod(put("initContainers", 0, "command", to=["/bin/true"])),
        pod(put("initContainers", 0, "volumeMounts", to=[])),
    ],
    "the_priority_exists_and_evicts_no_system_pod": [
        remove("PriorityClass"),
        lambda objects, settings: first(objects, "PriorityClass").update(value=2_000_000_000),
        lambda objects, settings: first(objects, "PriorityClass").update(globalDefault=True),
    ],
    "pods_spread_over_zones_and_nodes": [
        pod(drop("topologySpreadConstraints", 0)),
        pod(put("topologySpreadConstraints", 0, "maxSkew", to=5)),
    ],
    "prometheus_is_let_in": [
        spec("NetworkPolicy", drop("ingress", 1)),
        spec("NetworkPolicy", put("ingress", 1, "ports", 0, "port", to=8001)),
        spec("NetworkPolicy", put("ingress", 1, "from", to=[{"podSelector": {}}])),
        setting("http", "address", to="0.0.0.0:8080"),
    ],
    "prometheus_scrapes_each_pod_once": [
        spec("ServiceMonitor", drop("selector", "matchLabels", "app.kubernetes.io/component")),
        spec("ServiceMonitor", put("endpoints", 0, "port", to="metrics")),
        spec("ServiceMonitor", put("endpoints", 0, "scheme", to="https")),
        spec("ServiceMonitor", put("selector", "matchLabels", "app.kubernetes.io/name", to="berta")),
    ],
}


def test_every_check_has_something_that_it_must_see():
    assert list(BREAKS) == [check.__name__ for check in manifest_checks.CHECKS]


@pytest.mark.parametrize(
    "check, number", [(check, n) for check, breaks in BREAKS.items() for n in range(len(breaks))]
)
def test_the_check_sees(check, number, settings):
    objects, values = render("cpu"), settings("cpu")
    BREAKS[check][number](objects, values)
    with pytest.raises((AssertionError, KeyError)):
        getattr(manifest_checks, check)(objects, values)
