"""The command line against a fake server of its own for each test."""

import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "clients" / "python"), str(HERE)]


@pytest.fixture
def server():
    from fake_server import FakeServer

    fake = FakeServer()
    yield fake
    fake.stop()


@pytest.fixture
def cli(server, program):
    """cli(ARGUMENTS...) runs `bertha ARGUMENTS` against the fake server; cli.binary is the program."""

    def run(*arguments, stdin=b"", binary=program("bertha")):
        return subprocess.run(
            [str(binary), *arguments],
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            timeout=300,
            env={"PATH": os.environ["PATH"], "BERTHA_ADDRESS": server.address},
        )

    run.binary = program("bertha")
    return run
