"""The pages of deploy/: links lead somewhere, settings are berthad's, the example is what the command prints."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "deploy").rglob("*.md"))
FILE_ENDINGS = ("yaml", "yml", "json", "md", "toml", "conf", "service", "py", "cc", "h", "proto", "costs", "pem", "so")
NUMBER = re.compile(r"\d+(?:\.\d+)?")


def names(pages: list[pathlib.Path]) -> list[str]:
    return [str(page.relative_to(ROOT)) for page in pages]


def links(text: str) -> list[str]:
    """Of Markdown, without those in code, to other servers or within the page."""
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)", prose)
    return [target.split("#")[0] for target in targets if not re.match(r"[a-z]+:|#", target)]


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_links_lead_somewhere(page):
    broken = [target for target in links(page.read_text()) if not (page.parent / target).exists()]
    assert not broken


def test_links_are_found():
    assert links("[a](x.md#y) `[b](no)` [c](https://z) [d](#here) ![e](../f.png)") == ["x.md", "../f.png"]


@pytest.fixture(scope="session")
def flags(program) -> set[str]:
    told = subprocess.check_output([str(program("berthad")), "--help"], text=True, timeout=60)
    return set(re.findall(r"--[a-z][a-z0-9-]+", told))


def settings(text: str, flags: set[str]) -> set[str]:
    """`group.name` in code whose group is one of berthad's, and what may follow it: a colon and a value."""
    groups = {flag[2:].split("-")[0] for flag in flags}
    named = re.findall(r"`([a-z]+)\.([a-z0-9_]+)(?::[^`\n]*)?`", text)
    return {f"{group}.{name}" for group, name in named if group in groups and name not in FILE_ENDINGS}


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_settings_are_berthads(page, flags):
    unknown = {s for s in settings(page.read_text(), flags) if "--" + re.sub(r"[._]", "-", s) not in flags}
    assert not unknown


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_flags_in_commands_are_berthads(page, flags):
    commands = re.findall(r"^(?:\$ )?(?:\S*/)?berthad((?: .*\\\n)* .*)$", page.read_text(), flags=re.MULTILINE)
    given = {flag for command in commands for flag in re.findall(r"(?<!\S)--[a-z][a-z0-9-]+", command)}
    assert given <= flags


def test_settings_are_found(flags):
    text = "`drain.timeout_ms: 30000`, `drain.sometime_ms`, `models.yaml`, `metadata.name`, drain.outside_of_code"
    assert settings(text, flags) == {"drain.timeout_ms", "drain.sometime_ms"}


def number_after(name: str, file: str) -> float:
    text = (ROOT / "deploy" / "kubernetes" / "base" / file).read_text()
    found = re.findall(rf"^ *{name}: (\d+)$", text, flags=re.MULTILINE)
    assert len(found) == 1, f"{file} has {name} {len(found)} times"
    return float(found[0])


def test_the_readme_reckons_with_the_times_of_the_manifests():
    text = (ROOT / "deploy" / "README.md").read_text()
    steps = [float(n) for n in re.findall(r"^\| [^|]+ \| (?:at most )?(\d+) \|", text, flags=re.MULTILINE)]
    ((needed, grace),) = re.findall(r"\*\*(\d+) of (\d+)\*\*", text)
    lame_duck, timeout = (number_after(name, "berthad.yaml") / 1000 for name in ("lame_duck_ms", "timeout_ms"))
    assert steps == [0, lame_duck, timeout, 3]
    assert float(needed) == sum(steps) < float(grace)
    assert float(grace) == number_after("terminationGracePeriodSeconds", "deployment.yaml")
    age = number_after("max_connection_age_ms", "berthad.yaml") / 1000
    assert f"unless set; {age:g} s in the manifests" in text
    assert f"and {number_after('minReadySeconds', 'deployment.yaml'):g} s more" in text


def examples() -> list[tuple[str, str]]:
    """Commands of the README's capacity section and what they printed."""
    text = (ROOT / "deploy" / "README.md").read_text()
    block = r"```\n\$ (deploy/capacity (?:[^\n]*\\\n)*[^\n]*)\n(.*?)```"
    return [(command.replace("\\\n", " "), printed) for command, printed in re.findall(block, text, re.DOTALL)]


@pytest.mark.slow
def test_the_example_is_what_the_command_prints(build_dir):
    """Word for word; the numbers nearly, since another compiler may draw or round otherwise."""
    assert examples()
    for command, printed in examples():
        done = subprocess.run([sys.executable, *command.split()], capture_output=True, text=True, timeout=120, cwd=ROOT,
                              env={**os.environ, "BERTHA_BUILD_DIR": str(build_dir)})
        assert done.returncode == 0, done.stderr
        assert NUMBER.sub("#", done.stdout).split() == NUMBER.sub("#", printed).split()
        numbers, expected = ([float(n) for n in NUMBER.findall(text)] for text in (done.stdout, printed))
        assert numbers == pytest.approx(expected, rel=0.05, abs=0.02)
