"""`pip install ./clients/python` from sources alone, and the types."""

import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def sources(tmp_path):
    """What a fresh clone has: nothing generated."""
    ignored = shutil.ignore_patterns("v1", "build", "dist", "*.egg-info", "__pycache__", ".mypy_cache")
    shutil.copytree(ROOT / "clients" / "python", tmp_path / "clone" / "clients" / "python", ignore=ignored)
    shutil.copytree(ROOT / "proto", tmp_path / "clone" / "proto")
    return tmp_path / "clone" / "clients" / "python"


def run(*command, cwd):
    done = subprocess.run([str(c) for c in command], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pip_install(what, target, cwd):
    offline = ["--no-build-isolation", "--no-deps", "--no-index", "--disable-pip-version-check"]
    run(sys.executable, "-m", "pip", "install", *offline, "--target", target, what, cwd=cwd)


CHECK = """
import sys
sys.path.insert(0, sys.argv[1])
import bertha
from bertha.v1 import bertha_pb2, model_control_pb2
assert bertha.__file__.startswith(sys.argv[1]), bertha.__file__
assert bertha_pb2.__file__.startswith(sys.argv[1])
text = bertha_pb2.TextInput(text="a")
assert bertha_pb2.TextInput.FromString(text.SerializeToString()) == text
print(bertha.Client("localhost:1"), bertha_pb2.PRIORITY_BATCH, model_control_pb2.LoadRequest(model="m").model)
"""


@pytest.mark.slow
def test_it_installs_from_a_fresh_clone_and_from_a_source_distribution(sources, tmp_path):
    pip_install(sources, tmp_path / "clone-installed", cwd=tmp_path)
    build = "from setuptools import build_meta; print(build_meta.build_sdist(sys.argv[1]))"
    run(sys.executable, "-c", f"import sys; {build}", tmp_path / "dist", cwd=sources)
    (archive,) = (tmp_path / "dist").iterdir()
    pip_install(archive, tmp_path / "sdist-installed", cwd=tmp_path)
    for installed in ("clone-installed", "sdist-installed"):
        shown = run(sys.executable, "-c", CHECK, tmp_path / installed, cwd=tmp_path)
        assert shown == "Client('localhost:1') 3 m\n"
        assert (tmp_path / installed / "bertha" / "py.typed").is_file()
        assert (tmp_path / installed / "bertha" / "v1" / "bertha_pb2.pyi").is_file()


@pytest.mark.slow
def test_the_types_are_right(tmp_path):
    """The package itself, strictly; and what a caller sees."""
    use = tmp_path / "use.py"
    use.write_text(
        """
from bertha import AsyncClient, Client, Result

def blocking(c: Client) -> None:
    one: Result = c.classify("a", top_k=1)
    many: list[Result] = c.classify(["a"])
    frames: list[int] = [i for i, _ in c.classify_stream(["a"], ordered=False)]

async def awaiting(c: AsyncClient) -> None:
    one: Result = await c.classify("a")
    many: list[Result] = await c.classify(["a"], timeout=3)
    wrong: Result = await c.classify(["a"])
    c.classify("a", topk=3)
"""
    )
    mypy = [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", "--cache-dir", tmp_path / "cache"]
    folder = ROOT / "clients" / "python"
    run(*mypy, cwd=folder)
    done = subprocess.run([str(c) for c in [*mypy, use]], cwd=folder, capture_output=True, text=True)
    lines = {line.split(":")[1] for line in done.stdout.splitlines() if ": error:" in line}
    assert lines == {"12", "13"}, done.stdout
