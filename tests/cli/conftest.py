"""Where the built program and the stubs are, and a fake server for each test."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BERTHA_BUILD_DIR", "build/release"))
BERTHA = ROOT / BUILD / "bin" / "bertha"
sys.path.insert(0, str(ROOT / "clients" / "python"))
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def server():
    from fake_server import FakeServer

    fake = FakeServer()
    yield fake
    fake.stop()


@pytest.fixture
def cli(server):
    """Runs `bertha ARGUMENTS` against the fake server."""

    def run(*arguments, stdin=b"", env=None, binary=BERTHA):
        return subprocess.run(
            [str(binary), *arguments],
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            timeout=60,
            env={"PATH": os.environ["PATH"], "BERTHA_ADDRESS": server.address, **(env or {})},
        )

    run.binary = BERTHA
    return run
