"""The documents keep their word: links lead to files and headings that are there, options are the programs' own."""

from __future__ import annotations

import functools
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATTERNS = ("*.md", "docs/*.md", "*/*/README.md", "demo/models/*/*/*.md")
DOCUMENTS = sorted(path for pattern in PATTERNS for path in ROOT.glob(pattern))
BLOCK = re.compile(r"^```.*?^```", re.M | re.S)
LINK = re.compile(r"\]\(([^)\s:]+)\)")  # of another site: has a colon
CODE = re.compile(r"`([^`]+)`")
# A program of ours with its subcommands, and what follows up to the next command.
CALL = re.compile(r"(?<![\w.-])(berthad|bertha-export|bertha)((?: [a-z][a-z-]*)*)(?= |$)([^\n|&;#]*)")
EXPORT = ROOT / "models" / "export"
EXPORTER = [sys.executable, "-m", "bertha_export.cli"]  # in that folder
OPTION = re.compile(r"(?<=\s)--[a-z][a-z-]*")


def anchors(document: pathlib.Path) -> set[str]:
    """Of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)", BLOCK.sub("", document.read_text(encoding="utf-8")), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(document: pathlib.Path) -> Iterator[str]:
    for link in LINK.findall(BLOCK.sub("", document.read_text(encoding="utf-8"))):
        path, _, heading = link.partition("#")
        target = document.parent / path if path else document
        if not target.exists() or (heading and heading not in anchors(target)):
            yield link


def calls(document: pathlib.Path) -> Iterator[tuple[tuple[str, ...], str]]:
    """(("bertha", "load"), "--rate") for each option of a program of ours."""
    text = document.read_text(encoding="utf-8")
    for code in [*BLOCK.findall(text), *CODE.findall(BLOCK.sub("", text))]:
        for program, words, rest in CALL.findall(code):
            for option in OPTION.findall(rest):
                yield (program, *words.split()), option


@pytest.fixture(scope="module")
def help_of(program):
    """help_of(("bertha", "load")): what `bertha load --help` prints."""

    @functools.cache
    def run(words: tuple[str, ...]) -> str:
        command = EXPORTER if words[0] == "bertha-export" else [program(words[0])]
        done = subprocess.run([*command, *words[1:], "--help"], capture_output=True, text=True, cwd=EXPORT)
        assert done.returncode == 0, f"{' '.join(words)} --help: {done.stderr}"
        return done.stdout

    return run


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    assert list(dead_links(document)) == []


def test_options_are_the_programs_own(help_of):
    named = sorted({call for document in DOCUMENTS for call in calls(document)})
    assert len(named) > 20
    assert [call for call in named if not re.search(rf"{call[1]}\b(?!-)", help_of(call[0]))] == []
