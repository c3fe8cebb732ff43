"""checkov's policies for Kubernetes: all pass but those that are listed here, each for its reason."""

import hashlib
import json
import shutil
import subprocess
import venv

import pytest

from deploy_support import ROOT, VARIANTS, render_text

LIST = ROOT / "scripts" / "requirements" / "checkov.txt"
FOLDER = ROOT / "build" / "checkov"  # an environment of its own: a hundred packages that nothing else needs
# Policies that fail in every overlay, and why that is right.
SKIPPED = {
    # imagePullPolicy is Always. The tag is a release, which does not change, and a node that has it can start pods
    # while the registry is down.
    "CKV_K8S_15",
    # The image is named by its digest, which whoever builds and pushes it knows, and sets with kustomize's `images`.
    "CKV_K8S_43",
}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def checkov():
    """The program, installed when it is not there or the list has changed."""
    stamp, key = FOLDER / "installed", hashlib.sha256(LIST.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != key:
        shutil.rmtree(FOLDER, ignore_errors=True)
        venv.create(FOLDER, with_pip=True)
        pip = [FOLDER / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-deps", "--no-input"]
        subprocess.run([*pip, "--disable-pip-version-check", "--only-binary", ":all:", "-r", LIST], check=True)
        stamp.write_text(key)
    return [FOLDER / "bin" / "python", "-m", "checkov.main"]


def failures(checkov, file):
    """{policy: resources} of what fails."""
    command = [*checkov, "--framework", "kubernetes", "--skip-download", "--output", "json", "--file", file]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode in (0, 1), done.stderr
    report = json.loads(done.stdout)
    assert report["summary"]["passed"] > 0 and report["summary"]["parsing_errors"] == 0
    failed = {}
    for check in report["results"]["failed_checks"]:
        failed.setdefault(check["check_id"], []).append(f"{check['resource']}: {check['check_name']}")
    return failed


@pytest.mark.parametrize("variant", VARIANTS)
def test_overlays(checkov, variant, tmp_path):
    file = tmp_path / "rendered.yaml"
    file.write_text(render_text(variant))
    failed = failures(checkov, file)
    assert set(failed) == SKIPPED, failed


def test_a_weakened_pod_is_found(checkov, tmp_path):
    file = tmp_path / "rendered.yaml"
    file.write_text(render_text("cpu").replace("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"))
    assert set(failures(checkov, file)) == {*SKIPPED, "CKV_K8S_22"}
