"""What must hold of every rendered overlay; each check gets the objects and the settings that berthad makes of them."""

import pathlib
import re

from deploy_support import Object, all_of, daemon_of, drain_seconds, one, pod_of, port_of, version

CLUSTER_WIDE = {"Namespace", "PriorityClass"}
SELECTOR = {"app.kubernetes.io/name": "bertha", "app.kubernetes.io/component": "server"}
PUBLIC = ("grpc", "http")
PSS = "pod-security.kubernetes.io/"


def all_containers(objects: list[Object]) -> list[Object]:
    spec = pod_of(objects)["spec"]
    return [*spec.get("initContainers", []), *spec["containers"]]


def selects(selector: dict, labels: dict) -> bool:
    return bool(selector) and selector.items() <= labels.items()


def names_and_labels(objects: list[Object], settings: dict) -> None:
    seen = set()
    for o in objects:
        meta = o["metadata"]
        assert (o["kind"], meta["name"]) not in seen, f"twice: {o['kind']} {meta['name']}"
        seen.add((o["kind"], meta["name"]))
        assert meta.get("namespace") == (None if o["kind"] in CLUSTER_WIDE else "bertha"), meta
        for label in ("name", "part-of"):
            assert meta["labels"][f"app.kubernetes.io/{label}"] == "bertha", meta


def selectors_match_the_pods_and_never_change(objects: list[Object], settings: dict) -> None:
    """A Deployment's selector is immutable: a release, or another overlay, could not be applied over the old one."""
    deployment, pods = one(objects, "Deployment"), pod_of(objects)["metadata"]["labels"]
    assert deployment["spec"]["selector"] == {"matchLabels": SELECTOR}
    selectors = [deployment["spec"]["selector"]["matchLabels"]]
    selectors += [s["spec"]["selector"] for s in all_of(objects, "Service")]
    selectors += [b["spec"]["selector"]["matchLabels"] for b in all_of(objects, "PodDisruptionBudget")]
    selectors += [p["spec"]["podSelector"]["matchLabels"] for p in all_of(objects, "NetworkPolicy")]
    selectors += [
        c["labelSelector"]["matchLabels"] for c in pod_of(objects)["spec"]["topologySpreadConstraints"]
    ]
    for selector in selectors:
        assert selector == SELECTOR and selects(selector, pods), selector


def ports_agree_everywhere(objects: list[Object], settings: dict) -> None:
    listens = {name: port_of(settings[name]["address"]) for name in (*PUBLIC, "probe")}
    assert {p["name"]: p["containerPort"] for p in daemon_of(objects)["ports"]} == listens
    served = {}
    for service in all_of(objects, "Service"):
        for port in service["spec"]["ports"]:
            assert port["targetPort"] == port["name"] and port["port"] == listens[port["name"]], service
            served[port["name"]] = port["port"]
    public = {name: listens[name] for name in PUBLIC}
    assert served == public
    let_in = {p["port"] for rule in one(objects, "NetworkPolicy")["spec"]["ingress"] for p in rule["ports"]}
    assert let_in == set(public.values())


def only_public_ports_are_reachable(objects: list[Object], settings: dict) -> None:
    for name in (*PUBLIC, "probe"):
        assert settings[name]["address"].startswith("0.0.0.0:"), f"{name} would not be reached from outside the pod"
    for key in ("address", "http_address"):
        assert settings["admin"][key].startswith("127.0.0.1:"), f"admin.{key} can be reached from outside the pod"


def the_network_is_closed_but_for_callers(objects: list[Object], settings: dict) -> None:
    spec = one(objects, "NetworkPolicy")["spec"]
    assert set(spec["policyTypes"]) == {"Ingress", "Egress"} and spec["egress"] == []
    for rule in spec["ingress"]:
        assert rule.get("from") and rule.get("ports"), "an empty list would let everybody in"
        for source in rule["from"]:
            assert source and (source.get("namespaceSelector") != {}), "an empty selector takes every namespace"


def prometheus_is_let_in(objects: list[Object], settings: dict) -> None:
    """By the label that Kubernetes itself gives to every namespace."""
    prometheus = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    rules = [rule for rule in one(objects, "NetworkPolicy")["spec"]["ingress"] if prometheus in rule["from"]]
    assert port_of(settings["http"]["address"]) in {p["port"] for rule in rules for p in rule["ports"]}


def clients_balance_among_all_pods(objects: list[Object], settings: dict) -> None:
    assert one(objects, "Service", "bertha")["spec"]["clusterIP"] == "None"
    limits = settings["limits"]
    assert 10_000 <= limits["max_connection_age_ms"] <= 300_000, "new pods would get no load, or connections never rest"
    assert limits["connection_age_grace_ms"] >= settings["queue"]["default_deadline_ms"]


def probes_ask_the_plaintext_port(objects: list[Object], settings: dict) -> None:
    container, port = daemon_of(objects), port_of(settings["probe"]["address"])
    services = {"startupProbe": "readiness", "readinessProbe": "readiness", "livenessProbe": "liveness"}
    for probe, service in services.items():
        assert container[probe]["grpc"] == {"port": port, "service": service}, probe


def a_large_model_has_time_to_start(objects: list[Object], settings: dict) -> None:
    spec, startup = one(objects, "Deployment")["spec"], daemon_of(objects)["startupProbe"]
    seconds = startup["periodSeconds"] * startup["failureThreshold"]
    assert seconds >= 300
    assert spec["progressDeadlineSeconds"] >= seconds + spec["minReadySeconds"] + 60, "given up before it may serve"


def liveness_is_patient_and_readiness_quick(objects: list[Object], settings: dict) -> None:
    live, ready = daemon_of(objects)["livenessProbe"], daemon_of(objects)["readinessProbe"]
    assert live["periodSeconds"] * live["failureThreshold"] >= 30, "a busy minute would restart the pod"
    assert ready["periodSeconds"] * ready["failureThreshold"] <= 5, "a pod that cannot serve would get calls"


def pre_stop_seconds(container: Object) -> float:
    hook = container.get("lifecycle", {}).get("preStop")
    if hook is None:
        return 0
    assert set(hook) == {"sleep"}, "only a sleep's length is known"
    return hook["sleep"]["seconds"]


def the_grace_period_fits_the_drain(objects: list[Object], settings: dict) -> None:
    needed = pre_stop_seconds(daemon_of(objects)) + drain_seconds(settings)
    grace = pod_of(objects)["spec"]["terminationGracePeriodSeconds"]
    assert needed + 5 <= grace <= needed + 30, f"the drain takes up to {needed} s, the grace is {grace} s"


def what_was_accepted_can_end_while_draining(objects: list[Object], settings: dict) -> None:
    assert settings["drain"]["timeout_ms"] >= settings["queue"]["default_deadline_ms"]


def every_connection_ends_in_the_lame_duck_time(objects: list[Object], settings: dict) -> None:
    """So that no client calls a pod that is gone from DNS, whether it watches health or not (docs/health.md)."""
    assert settings["drain"]["lame_duck_ms"] > 1.1 * settings["limits"]["max_connection_age_ms"] + 200


def new_pods_are_found_before_old_ones_go(objects: list[Object], settings: dict) -> None:
    assert one(objects, "Deployment")["spec"]["minReadySeconds"] >= 30, "gRPC looks a name up at most every 30 s"


def a_rollout_takes_no_pod_before_its_successor(objects: list[Object], settings: dict) -> None:
    strategy = one(objects, "Deployment")["spec"]["strategy"]
    assert strategy["type"] == "RollingUpdate"
    assert strategy["rollingUpdate"]["maxUnavailable"] == 0
    assert strategy["rollingUpdate"]["maxSurge"] not in (0, "0%")


def fewest_replicas(objects: list[Object]) -> int:
    autoscalers = all_of(objects, "HorizontalPodAutoscaler")
    return autoscalers[0]["spec"]["minReplicas"] if autoscalers else one(objects, "Deployment")["spec"]["replicas"]


def drains_of_nodes_proceed_one_pod_at_a_time(objects: list[Object], settings: dict) -> None:
    budgets, fewest = all_of(objects, "PodDisruptionBudget"), fewest_replicas(objects)
    if fewest == 1:
        assert not budgets, "a budget for one pod stops every node drain"
        return
    spec = one(objects, "PodDisruptionBudget")["spec"]
    assert spec["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    away = spec["maxUnavailable"] if "maxUnavailable" in spec else fewest - spec["minAvailable"]
    assert 1 <= away < fewest, f"{away} of {fewest} pods may go"


def the_autoscaler_owns_the_replicas(objects: list[Object], settings: dict) -> None:
    deployment = one(objects, "Deployment")
    for autoscaler in all_of(objects, "HorizontalPodAutoscaler"):
        spec = autoscaler["spec"]
        target = {"apiVersion": deployment["apiVersion"], "kind": "Deployment", "name": deployment["metadata"]["name"]}
        assert spec["scaleTargetRef"] == target
        assert "replicas" not in deployment["spec"], "each apply would undo the autoscaler's work"
        assert 2 <= spec["minReplicas"] < spec["maxReplicas"]
        assert spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"] >= 300


def the_autoscaler_reads_metrics_that_exist(objects: list[Object], settings: dict) -> None:
    for autoscaler in all_of(objects, "HorizontalPodAutoscaler"):
        metrics = autoscaler["spec"]["metrics"]
        names = [m[m["type"].lower()].get("metric", m[m["type"].lower()])["name"] for m in metrics]
        assert names in (["bertha_queue_delay_seconds", "bertha_in_flight_calls"], ["cpu"])
        if names == ["cpu"]:
            assert daemon_of(objects)["resources"]["requests"]["cpu"], "utilization is a part of the request"
            target = metrics[0]["resource"]["target"]["averageUtilization"]
            assert 80 <= target < 90, "busy is not full; and 10% above the target there must be room below 100%"
            assert not settings["device"].startswith("cuda"), "processor time says nothing of a GPU"
        else:
            in_flight = float(metrics[1]["pods"]["target"]["averageValue"])
            assert in_flight <= settings["batch"]["max_requests"], "more would wait for a second batch"


def pods_are_restricted(objects: list[Object], settings: dict) -> None:
    """The Pod Security Standard's level "restricted", and a read-only root."""
    labels = one(objects, "Namespace")["metadata"]["labels"]
    assert {labels[PSS + mode] for mode in ("enforce", "audit", "warn")} == {"restricted"}
    spec = pod_of(objects)["spec"]
    for forbidden in ("hostNetwork", "hostPID", "hostIPC", "hostUsers"):
        assert forbidden not in spec
    context = spec["securityContext"]
    assert context["runAsNonRoot"] is True and context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert context["runAsUser"] == context["runAsGroup"] == context["fsGroup"] == 65532
    allowed = {"configMap", "emptyDir", "persistentVolumeClaim", "secret"}
    assert all(set(v) <= {"name", *allowed} for v in spec["volumes"]), "restricted allows no other kinds of volumes"
    for container in all_containers(objects):
        own = container["securityContext"]
        assert own["allowPrivilegeEscalation"] is False and own["readOnlyRootFilesystem"] is True
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert set(own) == {"allowPrivilegeEscalation", "readOnlyRootFilesystem", "capabilities"}
        assert not any("hostPort" in port for port in container.get("ports", []))


def pods_have_no_token(objects: list[Object], settings: dict) -> None:
    spec, account = pod_of(objects)["spec"], one(objects, "ServiceAccount")
    assert spec["serviceAccountName"] == account["metadata"]["name"] != "default"
    assert spec["automountServiceAccountToken"] is False and account["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False


def limits_equal_requests_in_whole_cores(objects: list[Object], settings: dict) -> None:
    for container in all_containers(objects):
        resources = container["resources"]
        assert resources["requests"] == resources["limits"], "the pod would not be of the class Guaranteed"
        assert resources["requests"]["cpu"].isdigit() and resources["requests"]["memory"]


def a_gpu_is_asked_for_where_it_is_used(objects: list[Object], settings: dict) -> None:
    spec, limits = pod_of(objects)["spec"], daemon_of(objects)["resources"]["limits"]
    uses = settings["device"].startswith("cuda")
    assert uses == ("nvidia.com/gpu" in limits) == ("nvidia.com/gpu.present" in spec["nodeSelector"])
    assert uses == any(t["key"] == "nvidia.com/gpu" for t in spec.get("tolerations", []))
    assert uses == daemon_of(objects)["image"].endswith("-cuda")


def images_are_pinned_to_this_release(objects: list[Object], settings: dict) -> None:
    images = {container["image"] for container in all_containers(objects)}
    assert len(images) == 1, "the init container must read packages as the daemon does"
    tag = images.pop().rpartition(":")[2]
    assert re.fullmatch(re.escape(version()) + "(-cuda|-demo)?", tag), f"{tag} is no tag of release {version()}"


def volumes_and_mounts_fit(objects: list[Object], settings: dict) -> None:
    volumes = {v["name"]: v for v in pod_of(objects)["spec"]["volumes"]}
    assert len(volumes) == len(pod_of(objects)["spec"]["volumes"])
    used = {m["name"] for c in all_containers(objects) for m in c.get("volumeMounts", [])}
    assert used == set(volumes), "a volume is mounted nowhere, or a mount has none"
    for volume in volumes.values():
        if "configMap" in volume:
            one(objects, "ConfigMap", volume["configMap"]["name"])
        if "persistentVolumeClaim" in volume:
            one(objects, "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])
        if "emptyDir" in volume:
            assert volume["emptyDir"]["sizeLimit"], "could fill the node's disk"
        if "secret" in volume:
            assert volume["secret"]["defaultMode"] & 0o007 == 0, "others could read the secret"


def mount_of(objects: list[Object], path: str) -> Object | None:
    """The mount that holds `path`."""
    for mount in daemon_of(objects)["volumeMounts"]:
        if pathlib.PurePosixPath(path).is_relative_to(mount["mountPath"]):
            return mount
    return None


def files_of_the_settings_are_mounted(objects: list[Object], settings: dict) -> None:
    volumes = {v["name"]: v for v in pod_of(objects)["spec"]["volumes"]}
    config = daemon_of(objects)["args"][daemon_of(objects)["args"].index("--config") + 1]
    secrets = [settings["tls"]["certificate"], settings["tls"]["key"], settings["auth"]["tokens_file"]]
    for path, kind in [(config, "configMap"), *((s, "secret") for s in secrets if s)]:
        mount = mount_of(objects, path)
        assert mount and kind in volumes[mount["name"]] and mount["readOnly"], f"{path} is in no {kind}"
    cache = mount_of(objects, settings["costs"]["directory"])
    assert cache and not cache.get("readOnly") and "emptyDir" in volumes[cache["name"]]
    models = mount_of(objects, settings["models"]["directory"])
    if all_of(objects, "PersistentVolumeClaim"):
        assert models and models["readOnly"]
    else:
        assert daemon_of(objects)["image"].endswith("-demo"), "neither a volume nor the image holds models"
    assert settings["feedback"]["database"] == "", "votes would be written to a read-only root"


def models_are_verified_before_the_daemon_starts(objects: list[Object], settings: dict) -> None:
    containers = pod_of(objects)["spec"]["initContainers"]
    assert len(containers) == 1
    container, directory = containers[0], settings["models"]["directory"]
    assert container["command"] == ["/opt/bertha/bin/bertha", "package", "sums", directory]
    mounts = {m["mountPath"] for m in container.get("volumeMounts", [])}
    assert mounts == {m["mountPath"] for m in daemon_of(objects)["volumeMounts"]} & {directory}


def the_priority_exists_and_evicts_no_system_pod(objects: list[Object], settings: dict) -> None:
    name = pod_of(objects)["spec"].get("priorityClassName")
    classes = all_of(objects, "PriorityClass")
    assert [c["metadata"]["name"] for c in classes] == ([name] if name else [])
    for c in classes:
        assert 0 < c["value"] < 1_000_000_000 and c["globalDefault"] is False


def pods_spread_over_zones_and_nodes(objects: list[Object], settings: dict) -> None:
    constraints = pod_of(objects)["spec"]["topologySpreadConstraints"]
    assert {c["topologyKey"] for c in constraints} == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
    for c in constraints:
        assert c["maxSkew"] == 1 and c["matchLabelKeys"] == ["pod-template-hash"]


def prometheus_scrapes_each_pod_once(objects: list[Object], settings: dict) -> None:
    for monitor in all_of(objects, "ServiceMonitor"):
        spec = monitor["spec"]
        services = [
            s for s in all_of(objects, "Service") if selects(spec["selector"]["matchLabels"], s["metadata"]["labels"])
        ]
        assert [s["metadata"]["name"] for s in services] == ["bertha-http"], "none, or pods would be scraped twice"
        assert services[0]["metadata"]["labels"][spec["jobLabel"]] == "bertha"
        (endpoint,) = spec["endpoints"]
        assert endpoint["path"] == "/metrics"
        assert endpoint["port"] in {p["name"] for p in services[0]["spec"]["ports"]}
        assert endpoint.get("scheme", "http") == ("https" if settings["tls"]["certificate"] else "http")


CHECKS = [
    names_and_labels,
    selectors_match_the_pods_and_never_change,
    ports_agree_everywhere,
    only_public_ports_are_reachable,
    the_network_is_closed_but_for_callers,
    clients_balance_among_all_pods,
    probes_ask_the_plaintext_port,
    a_large_model_has_time_to_start,
    liveness_is_patient_and_readiness_quick,
    the_grace_period_fits_the_drain,
    what_was_accepted_can_end_while_draining,
    every_connection_ends_in_the_lame_duck_time,
    new_pods_are_found_before_old_ones_go,
    a_rollout_takes_no_pod_before_its_successor,
    drains_of_nodes_proceed_one_pod_at_a_time,
    the_autoscaler_owns_the_replicas,
    the_autoscaler_reads_metrics_that_exist,
    pods_are_restricted,
    pods_have_no_token,
    limits_equal_requests_in_whole_cores,
    a_gpu_is_asked_for_where_it_is_used,
    images_are_pinned_to_this_release,
    volumes_and_mounts_fit,
    files_of_the_settings_are_mounted,
    models_are_verified_before_the_daemon_starts,
    the_priority_exists_and_evicts_no_system_pod,
    pods_spread_over_zones_and_nodes,
    prometheus_is_let_in,
    prometheus_scrapes_each_pod_once,
]
