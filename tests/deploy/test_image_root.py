"""The image's root file system, made by the scripts that deploy/Dockerfile runs, started as a container engine would:
another root, read-only, no privileges, no network. And the bundle alone on a Debian that has nothing else."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
from image_support import ROOT, files_of, make_bundle, sums_of

from bundling import elf

pytestmark = pytest.mark.slow
HERE = pathlib.Path(__file__).resolve().parent
MODEL = ROOT / "demo" / "models" / "sentiment-bert"
KEYRING = pathlib.Path("/usr/share/keyrings/debian-archive-keyring.gpg")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for chroot and mounts")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mounted")
    shutil.copytree(MODEL, folder / "sentiment-bert")
    folder.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """A folder for large things, gone in the end."""
    folder = tmp_path_factory.mktemp("roots")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def root(build_dir, scratch):
    """The image without models."""
    make_bundle(build_dir, scratch / "root", "--root")
    return scratch / "root"


@pytest.fixture(scope="module")
def debian(build_dir, scratch):
    """Debian's smallest system with the bundle unpacked in it, and the directories that an image has."""
    folder = scratch / "debian"
    sites = subprocess.run(["apt-get", "indextargets", "--format", "$(SITE)"], capture_output=True, text=True, check=True)
    mirror = next(site for site in sites.stdout.split() if "security" not in site)
    made = subprocess.run(["debootstrap", "--variant=minbase", f"--keyring={KEYRING}", "bookworm", folder, mirror],
                          capture_output=True, text=True)
    assert made.returncode == 0, made.stdout[-2000:] + made.stderr
    make_bundle(build_dir, folder / "opt" / "bertha")
    for name in ("models", "var/cache/bertha", "etc/bertha"):
        (folder / name).mkdir(parents=True)
    shutil.copy(ROOT / "deploy" / "image" / "berthad.yaml", folder / "etc" / "bertha")
    return folder


@pytest.fixture
def cache(tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir()
    os.chown(folder, 65532, 65532)
    return folder


def start(root: pathlib.Path, models: pathlib.Path | str, cache: pathlib.Path | str) -> dict:
    command = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", sys.executable, HERE / "image_in_root.py",
               root, models, cache]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check(said: dict) -> None:
    assert said["health"].startswith("SERVING"), said["log"]
    assert '"label":"positive"' in said["answer"], said["answer"] + said["log"]
    assert said["exit"] == 0, said["log"]
    assert set(said["uid"]) == {"65532"} and int(said["capabilities"], 16) == 0
    assert said["interfaces"] == ["lo"]


@needs_root
def test_the_image_serves_read_only_without_privileges_and_network(root, models, cache):
    before = sums_of(root)
    said = start(root, models, cache)
    check(said)
    assert sums_of(root) == before
    assert "Read-only file system" not in said["log"]
    assert files_of(cache), "what was learnt of the model's speed is kept where it may be"
    ours = re.compile(r"/(opt/bertha/lib|usr/lib64|usr/lib/x86_64-linux-gnu)/")
    foreign = [path for path in said["mapped"] if not ours.search(path)]
    assert not foreign


@needs_root
def test_the_image_serves_where_nothing_at_all_can_be_written(root, models):
    check(start(root, models, ""))


@needs_root
def test_models_that_are_baked_in_are_verified_and_served(build_dir, scratch, models):
    baked = scratch / "baked"
    make_bundle(build_dir, baked, "--root", "--models", models)
    check(start(baked, "", ""))
    sbom = json.loads((baked / "opt/bertha/sbom.spdx.json").read_text())
    assert "model-sentiment-bert-1" in {package["name"] for package in sbom["packages"]}
    shutil.rmtree(baked)


def test_the_image_has_no_shell_and_its_sbom_every_file_glibcs_too(root):
    assert {path.name for path in files_of(root) if os.access(path, os.X_OK)} == {
        "berthad", "bertha", "bertha-package", "ld-linux-x86-64.so.2"}
    sbom = json.loads((root / "opt/bertha/sbom.spdx.json").read_text())
    said = {file["fileName"] for file in sbom["files"]}
    assert said == {f"./{path.relative_to(root)}" for path in files_of(root)} - {"./opt/bertha/sbom.spdx.json"}
    assert "libc6" in {package["name"] for package in sbom["packages"]}


def test_the_image_has_of_glibc_what_the_programs_ask_for(root):
    bundled = [path for folder in ("bin", "lib") for path in (root / "opt/bertha" / folder).iterdir()]
    asked = {soname for path in bundled for soname in elf.needed(path)}
    there = {path.name for folder in ("usr/lib64", "usr/lib/x86_64-linux-gnu") for path in (root / folder).iterdir()}
    assert asked & elf.GLIBC <= there


def test_the_same_root_comes_out_twice(build_dir, root, scratch):
    make_bundle(build_dir, scratch / "again", "--root", umask=0o077)
    assert sums_of(scratch / "again") == sums_of(root)
    shutil.rmtree(scratch / "again")


@needs_root
def test_the_bundle_serves_on_a_debian_without_compiler_and_libraries(debian, models, cache):
    assert not list(debian.glob("usr/bin/*gcc*")) and not list(debian.glob("usr/lib/x86_64-linux-gnu/libgrpc*"))
    before = sums_of(debian)
    said = start(debian, models, cache)
    check(said)
    assert sums_of(debian) == before
    foreign = {pathlib.Path(path).name for path in said["mapped"] if "/opt/bertha/lib/" not in path}
    assert foreign <= elf.GLIBC


def test_the_cuda_bundle_lacks_only_the_driver(build_dir, scratch):
    if not (build_dir / "bin" / "libbertha_torch_cuda.so").exists():
        pytest.skip("the CUDA plug-ins are not built")
    report = make_bundle(build_dir, scratch / "cuda", "--cuda")
    bundle = scratch / "cuda"
    missing = set()
    for path in sorted((bundle / "bin").iterdir()):
        text = subprocess.run(["ldd", path], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"}, check=True).stdout
        missing |= set(re.findall(r"^\t(\S+) => not found", text, re.M))
        for soname, found in re.findall(r"^\t(\S+) => (/\S+)", text, re.M):
            assert soname in elf.GLIBC or pathlib.Path(found).resolve().parent == bundle / "lib", (path.name, soname, found)
    assert missing <= elf.DRIVER
    there = {path.name for path in (bundle / "lib").iterdir()}
    assert {"libcublasLt.so.13", "libcudnn_graph.so.9", "libnvrtc.so.13"} <= there
    assert report["bytes"] > 10**9
    shutil.rmtree(bundle)
