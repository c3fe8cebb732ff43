"""deploy/Dockerfile, without a Docker engine: what it names exists, for each variant; it runs without privileges."""

from __future__ import annotations

import json
import pathlib
import re
import shlex
import subprocess

import pytest
from image_support import ROOT

DOCKERFILE = ROOT / "deploy" / "Dockerfile"
VARIANTS = [{}, {"VARIANT": "cuda"}, {"MODELS": "demo"}, {"VARIANT": "cuda", "MODELS": "demo"}]
BASE = re.compile(r"scratch|[\w.-]+:(?!latest\b)[\w.-]+|[\w.-]+(:[\w.-]+)?@sha256:[0-9a-f]{64}")


def instructions(text: str) -> list[tuple[str, str]]:
    """(instruction, arguments), comments left out and lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line.strip())]


class Stage:
    def __init__(self, base: str, name: str):
        self.base, self.name, self.steps = base, name, []


def stages(text: str, arguments: dict[str, str]) -> list[Stage]:
    """With the global arguments' values filled in."""
    values, found = {}, []
    for word, rest in instructions(text):
        if word == "ARG" and not found:
            name, _, default = rest.partition("=")
            values[name] = arguments.get(name, default)
        elif word == "FROM":
            base, _, name = re.sub(r"\$\{(\w+)\}", lambda m: values[m[1]], rest).partition(" AS ")
            found.append(Stage(base, name))
        else:
            found[-1].steps.append((word, rest))
    return found


def ignored(path: str) -> bool:
    """Whether .dockerignore leaves a path out of what is sent; for the forms that stand in it."""
    out = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        if not line or line.startswith("#"):
            continue
        parts = pathlib.PurePosixPath(path).parts
        if pattern == "*" or pattern.removeprefix("**/") in parts and pattern.startswith("**/") or (
                path == pattern or path.startswith(pattern + "/")):
            out = not line.startswith("!")
    return out


def copies(stage: Stage) -> list[tuple[str, list[str]]]:
    """(stage or "", sources) of each COPY."""
    found = []
    for word, rest in stage.steps:
        if word == "COPY":
            words = shlex.split(rest)
            options = dict(w[2:].split("=") for w in words if w.startswith("--"))
            found.append((options.get("from", ""), [w for w in words if not w.startswith("--")][:-1]))
    return found


def unknown(text: str, arguments: dict[str, str]) -> list[str]:
    """Everything that the Dockerfile names and that is not there."""
    wrong, known = [], set()
    for stage in stages(text, arguments):
        if stage.base not in known and not BASE.fullmatch(stage.base):
            wrong.append(f"FROM {stage.base}")
        for source, paths in copies(stage):
            if source and source not in known:
                wrong.append(f"COPY --from={source}")
            wrong += [path for path in paths if not source and path != "." and not (ROOT / path).exists()]
            wrong += [path for path in paths if not source and path != "." and ignored(path)]
        known.add(stage.name)
    return wrong


@pytest.mark.parametrize("arguments", VARIANTS, ids=str)
def test_stages_and_what_they_copy_exist(arguments):
    assert unknown(DOCKERFILE.read_text(), arguments) == []


@pytest.mark.parametrize("line, wrong", [
    ("FROM debian AS a", "FROM debian"), ("FROM debian:latest AS a", "FROM debian:latest"), ("FROM b AS a", "FROM b"),
    ("FROM scratch AS a\nCOPY no-such-file /", "no-such-file"), ("FROM scratch AS a\nCOPY README.md /", "README.md"),
    ("FROM scratch AS a\nCOPY --from=later /x /\nFROM scratch AS later", "COPY --from=later"),
])
def test_what_does_not_exist_is_found(line, wrong):
    assert wrong in unknown(line, {})


def last_stage() -> Stage:
    return stages(DOCKERFILE.read_text(), {})[-1]


def test_the_image_is_made_from_nothing_but_the_root_that_was_tested():
    assert last_stage().base == "scratch"
    assert copies(last_stage()) == [("root", ["/root-of-image/"])]
    assert not [rest for word, rest in last_stage().steps if word == "RUN"]


def test_the_user_is_a_number_that_is_not_root():
    users = [rest for word, rest in last_stage().steps if word == "USER"]
    assert users == ["65532:65532"]  # Kubernetes can tell by a number alone that it is not root


def test_what_it_starts_needs_no_shell_and_is_in_the_bundle():
    commands = [rest.partition(" CMD ")[2] or rest for word, rest in last_stage().steps
                if word in ("ENTRYPOINT", "CMD", "HEALTHCHECK")]
    assert len(commands) == 3
    health, entry, words = (json.loads(command.removeprefix("CMD ")) for command in commands)
    assert entry == ["/opt/bertha/bin/berthad"] and health[0] == "bertha" and words[0] == "--config"


def test_the_health_check_gives_up_by_itself_and_says_why():
    """Before the engine ends it, which says nothing."""
    (check,) = [rest for word, rest in last_stage().steps if word == "HEALTHCHECK"]
    options, _, command = check.partition(" CMD ")
    words = json.loads(command)
    assert "--timeout" in words
    assert int(words[words.index("--timeout") + 1]) < int(re.search(r"--timeout=(\d+)s", options)[1])


def test_stages_run_the_scripts_that_the_tests_run():
    for stage in stages(DOCKERFILE.read_text(), {}):
        for word, rest in stage.steps:
            if word == "RUN":
                assert json.loads(rest)[0] == "deploy/image/stage"


def test_labels_are_those_of_open_containers():
    labels = dict(re.findall(r"org\.opencontainers\.image\.(\w+)=\"([^\"]*)\"",
                             " ".join(rest for word, rest in last_stage().steps if word == "LABEL")))
    assert set(labels) == {"title", "description", "version", "revision", "created", "licenses"}
    version = re.search(r"^project\(bertha VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text(), re.M)
    assert ("ARG", f"VERSION={version[1]}") in last_stage().steps


def test_nothing_secret_or_heavy_is_sent_to_the_engine():
    known = subprocess.run(["git", "-C", ROOT, "ls-files"], capture_output=True, text=True, check=True).stdout
    sent = [path for path in known.splitlines() if not ignored(path)]
    assert "server/main.cc" in sent and "deploy/bundle" in sent and "demo/models/sentiment-bert/1/model.pt" in sent
    assert ignored(".git/config") and ignored(".venv/bin/python") and ignored("build/release/bin/berthad")
    assert ignored("tests/conftest.py") and ignored("scripts/lib/__pycache__/x.pyc")
    assert sum((ROOT / path).stat().st_size for path in sent) < 32 * 2**20


def test_everything_that_cmake_reads_is_sent():
    text = (ROOT / "CMakeLists.txt").read_text()
    folders = set(re.findall(r"add_subdirectory\((\w+)[ )]", text))
    folders |= set(re.search(r"foreach\(folder ([\w ]+)\)", text)[1].split())
    assert not [folder for folder in sorted(folders - {"tests"}) if ignored(f"{folder}/CMakeLists.txt")]
