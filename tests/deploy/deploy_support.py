"""What the tests of manifests share: rendered overlays, the settings that berthad makes of them, objects by kind."""

import functools
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
PATIENCE = 60  # seconds, for programs that take less than one
# What is rendered: an overlay, and the components that a user may add to it.
VARIANTS = {
    "cpu": ("cpu", ()),
    "gpu": ("gpu", ()),
    "dev": ("dev", ()),
    "cpu-tls-tokens": ("cpu", ("tls", "tokens")),
    "gpu-tls-tokens": ("gpu", ("tls", "tokens")),
    "dev-tls": ("dev", ("tls",)),
    "cpu-by-cpu": ("cpu", ("autoscale-by-cpu",)),
}
sys.path[:0] = [str(ROOT / "tests" / "e2e"), str(ROOT / "clients" / "python")]  # for e2e_support
Object = dict  # of Kubernetes, or a part of one
HARD_END_SECONDS = 3  # docs/health.md: how long after drain.timeout_ms the process may still be there


def version() -> str:
    """The project's."""
    found = re.search(r"project\(bertha VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text())
    assert found
    return found[1]


def kubectl() -> str:
    """The one that scripts/requirements/test.txt names, beside this Python; else the system's."""
    beside = pathlib.Path(sys.executable).parent / "kubectl"
    program = str(beside) if beside.exists() else shutil.which("kubectl")
    assert program, "no kubectl: scripts/test --setup-only installs it"
    return program


def kustomize(folder: pathlib.Path) -> str:
    done = subprocess.run([kubectl(), "kustomize", folder], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0 and not done.stderr, f"{folder}: {done.stderr}"
    return done.stdout


@functools.cache
def render_text(variant: str) -> str:
    overlay, components = VARIANTS[variant]
    if not components:
        return kustomize(KUBERNETES / "overlays" / overlay)
    with tempfile.TemporaryDirectory() as folder:
        where = os.path.relpath(KUBERNETES, os.path.realpath(folder))
        kustomization = {
            "resources": [f"{where}/overlays/{overlay}"],
            "components": [f"{where}/components/{name}" for name in components],
        }
        (pathlib.Path(folder) / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        return kustomize(pathlib.Path(folder))


def render(variant: str) -> list[Object]:
    """All objects; the caller's own."""
    return list(yaml.safe_load_all(render_text(variant)))


def all_of(objects: list[Object], kind: str) -> list[Object]:
    return [o for o in objects if o["kind"] == kind]


def one(objects: list[Object], kind: str, name: str | None = None) -> Object:
    found = [o for o in all_of(objects, kind) if name in (None, o["metadata"]["name"])]
    assert len(found) == 1, f"{len(found)} objects are a {kind} {name or ''}"
    return found[0]


def pod_of(objects: list[Object]) -> Object:
    """The pod's template, with metadata and spec."""
    return one(objects, "Deployment")["spec"]["template"]


def daemon_of(objects: list[Object]) -> Object:
    """The container that runs berthad."""
    (container,) = pod_of(objects)["spec"]["containers"]
    return container


def config_map_of(objects: list[Object]) -> Object:
    """The one that the pod mounts."""
    (name,) = [v["configMap"]["name"] for v in pod_of(objects)["spec"]["volumes"] if "configMap" in v]
    return one(objects, "ConfigMap", name)


def check_config(berthad: pathlib.Path, arguments: list[str], config: str | None = None) -> dict:
    """The settings that berthad makes of a file's content, which stands for what --config names, and flags."""
    with tempfile.TemporaryDirectory() as folder:
        words = list(arguments)
        if config is not None:
            file = pathlib.Path(folder) / "berthad.yaml"
            file.write_text(config)
            words[words.index("--config") + 1] = str(file)
        done = subprocess.run([berthad, *words, "--check-config"], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)


def settings_of(berthad: pathlib.Path, objects: list[Object]) -> dict:
    """Of the daemon in the rendered pod: its arguments, and the file that it finds in the ConfigMap."""
    container = daemon_of(objects)
    assert pathlib.Path(container["command"][0]).name == "berthad"
    file = pathlib.Path(container["args"][container["args"].index("--config") + 1])
    return check_config(berthad, container["args"], config_map_of(objects)["data"][file.name])


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def drain_seconds(settings: dict) -> float:
    """From SIGTERM until the process is gone, at most."""
    drain = settings["drain"]
    return (drain["lame_duck_ms"] + drain["timeout_ms"]) / 1000 + HARD_END_SECONDS
