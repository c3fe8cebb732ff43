"""What every Python test may ask for: the programs that were built."""

import os
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def build_dir():
    """The CMake build folder under test; BERTHA_BUILD_DIR, or build/release."""
    folder = ROOT / os.environ.get("BERTHA_BUILD_DIR", "build/release")
    assert (folder / "bin").is_dir(), f"{folder} holds no programs: run scripts/serve --setup-only, or set BERTHA_BUILD_DIR"
    return folder


@pytest.fixture(scope="session")
def program(build_dir):
    """program("berthad") is the path of that binary."""

    def path(name):
        binary = build_dir / "bin" / name
        assert os.access(binary, os.X_OK), f"{binary} is not built"
        return binary

    return path
