"""What scripts/serve starts berthad with: a copy of the script whose berthad only notes its arguments."""

import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# It ends where the script asks what the settings are, so that nothing is started.
BERTHAD = """#!/bin/sh
printf '%s\\n' "$@" > "$0.arguments"
exit 7
"""
NOTHING = "check_platform() { :; }\nensure_packages() { :; }\nensure_runtime() { :; }\nbuild() { :; }\n"


@pytest.fixture
def arguments(tmp_path: pathlib.Path):
    """arguments(WORDS...): those that berthad gets from `scripts/serve WORDS...`, and the copy's folder."""
    (tmp_path / "scripts" / "lib").mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "serve", tmp_path / "scripts")
    shutil.copy(ROOT / "scripts" / "lib" / "common.sh", tmp_path / "scripts" / "lib")
    for name in ("debian", "python", "build"):
        (tmp_path / "scripts" / "lib" / f"{name}.sh").write_text(NOTHING)
    berthad = tmp_path / "build" / "release" / "bin" / "berthad"
    berthad.parent.mkdir(parents=True)
    berthad.write_text(BERTHAD)
    berthad.chmod(0o755)

    def run(*words: str) -> list[str]:
        done = subprocess.run([tmp_path / "scripts" / "serve", *words], capture_output=True, text=True, timeout=60)
        assert done.returncode == 7, done.stderr
        return (berthad.parent / "berthad.arguments").read_text().splitlines()

    return run


def test_the_demo_models_and_a_database_for_votes_are_the_default(arguments, tmp_path):
    assert arguments() == ["--models", f"{tmp_path}/demo/models", "--models-default", "sentiment-bert",
                           "--feedback-database", f"{tmp_path}/build/feedback.db", "--check-config"]


@pytest.mark.parametrize("words", [["--feedback-database", ""], ["--feedback-database=/x"], ["--config", "c.yaml"],
                                   ["--config=c.yaml"]])
def test_who_says_where_votes_go_is_obeyed(arguments, tmp_path, words):
    got = arguments(*words)
    assert f"{tmp_path}/build/feedback.db" not in got
    assert got[-len(words) - 1 :] == [*words, "--check-config"]


def test_models_of_ones_own_still_get_a_database(arguments, tmp_path):
    got = arguments("--models", "/mine")
    assert f"{tmp_path}/demo/models" not in got
    assert got[:2] == ["--feedback-database", f"{tmp_path}/build/feedback.db"]
