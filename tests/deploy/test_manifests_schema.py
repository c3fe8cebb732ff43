"""Every rendered object has fields of its kind and no others: a misspelled one would be ignored, or refused."""

import json

import jsonschema_rs
import kubernetes_validate
import pytest
import yaml

from deploy_support import DEPLOY, ROOT, VARIANTS, all_of, daemon_of, render

SCHEMAS = ROOT / "tests" / "deploy" / "schemas"
KSERVE = sorted((DEPLOY / "kserve").rglob("*.yaml"))
OLDEST = "1.31"  # of Kubernetes: matchLabelKeys, unhealthyPodEvictionPolicy and gRPC probes are on by default
# Groups whose objects are described in SCHEMAS instead.
CUSTOM = ("monitoring.coreos.com", "serving.kserve.io")


def pod(spec):
    """A pod of what a custom object takes over from pods."""
    taken = ("containers", "volumes", "nodeSelector", "tolerations")
    parts = {key: spec[key] for key in taken if key in spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "part"}, "spec": parts}


def parts_of(thing):
    """Objects of core kinds that stand for parts of a custom one."""
    if thing["kind"] == "ServingRuntime":
        return [pod(thing["spec"])]
    if thing["kind"] == "InferenceService":
        predictor = thing["spec"]["predictor"]
        of_container = ("args", "env", "image", "ports", "resources")
        known = {key: value for key, value in predictor["model"].items() if key in of_container}
        return [pod(predictor | {"containers": [{"name": "model", **known}]})]
    return []


def errors(thing):
    """What is wrong with an object, by its schema."""
    if thing["apiVersion"].split("/")[0] not in CUSTOM:
        try:
            kubernetes_validate.validate(thing, OLDEST, strict=True)
        except kubernetes_validate.ValidationError as error:
            return [error.message]
        return []
    schema = json.loads((SCHEMAS / f"{thing['kind'].lower()}.json").read_text())
    found = [str(error) for error in jsonschema_rs.validator_for(schema).iter_errors(thing)]
    return [*found, *(error for part in parts_of(thing) for error in errors(part))]


@pytest.mark.parametrize("variant", VARIANTS)
def test_overlays(variant):
    for thing in render(variant):
        assert not errors(thing), f"{thing['kind']} {thing['metadata']['name']}"


@pytest.mark.parametrize("file", KSERVE, ids=lambda file: file.name)
def test_kserve(file):
    for thing in yaml.safe_load_all(file.read_text()):
        assert not errors(thing), thing["kind"]


def test_newer_kubernetes_takes_them_too():
    newest = kubernetes_validate.latest_version()
    assert tuple(map(int, newest.split("."))) > tuple(map(int, OLDEST.split(".")))
    for thing in render("cpu"):
        if thing["apiVersion"].split("/")[0] not in CUSTOM:
            kubernetes_validate.validate(thing, newest, strict=True)


# Kind, and a change of it that the API would ignore or refuse.
SPOILED = [
    ("Deployment", lambda d: d["spec"].update(replica=3)),
    ("Deployment", lambda d: d["spec"]["template"]["spec"].update(terminationGracePeriodSeconds="75")),
    ("Deployment", lambda d: daemon_of([d])["readinessProbe"]["grpc"].update(services="readiness")),
    ("Deployment", lambda d: daemon_of([d])["securityContext"].update(readonlyRootFilesystem=True)),
    ("Deployment", lambda d: d["spec"].pop("selector")),
    ("HorizontalPodAutoscaler", lambda h: h["spec"]["metrics"][0].update(pod={})),
    ("PodDisruptionBudget", lambda b: b["spec"].update(maxUnavailible=1)),
    ("NetworkPolicy", lambda n: n["spec"].update(policyType=["Ingress"])),
    ("ServiceMonitor", lambda m: m["spec"]["endpoints"][0].update(intervall="15s")),
    ("ServiceMonitor", lambda m: m["spec"]["endpoints"][0].update(interval="15 s")),
    ("ServiceMonitor", lambda m: m["spec"]["endpoints"][0].update(scheme="grpc")),
    ("ServiceMonitor", lambda m: m["spec"].pop("selector")),
]
SPOILED_KSERVE = [
    ("serving-runtime.yaml", lambda spec: spec.update(protocolVersion=["v2"])),
    ("serving-runtime.yaml", lambda spec: spec.update(protocolVersions=["v3"])),
    ("serving-runtime.yaml", lambda spec: spec.update(containers=[])),
    ("serving-runtime.yaml", lambda spec: spec.update(terminationGracePeriodSeconds=60)),
    ("serving-runtime.yaml", lambda spec: spec["supportedModelFormats"][0].update(version=1)),
    ("serving-runtime.yaml", lambda spec: spec["containers"][0].update(arg=["--help"])),
    ("examples/grpc.yaml", lambda spec: spec["predictor"].update(minReplica=2)),
    ("examples/grpc.yaml", lambda spec: spec["predictor"]["model"].update(storageURI="pvc://x")),
    ("examples/grpc.yaml", lambda spec: spec["predictor"]["model"].update(protocolVersion="grpc")),
    ("examples/grpc.yaml", lambda spec: spec["predictor"]["model"]["ports"][0].update(port=8001)),
]


@pytest.mark.parametrize("kind, change", SPOILED)
def test_a_misspelled_field_is_found(kind, change):
    (thing, *_) = all_of(render("cpu"), kind)
    change(thing)
    assert errors(thing)


@pytest.mark.parametrize("name, change", SPOILED_KSERVE)
def test_a_misspelled_field_of_kserve_is_found(name, change):
    thing = yaml.safe_load((DEPLOY / "kserve" / name).read_text())
    change(thing["spec"])
    assert errors(thing)
