"""NOTICE, for people: every package that is bundled, its files, its licence, and where the texts lie."""

from __future__ import annotations

import pathlib
import re
import textwrap

from .inside import Component
from .origins import Origin, origins_of
from .tree import Tree

COMMON = pathlib.Path("/usr/share/common-licenses")

HEADER = """\
bertha {version}
This folder holds bertha and the work of others that it runs on. Each part stands under its own licence, whose text lies
in {licences}/ under the part's name; the texts that Debian's files refer to as /usr/share/common-licenses/NAME
are in {licences}/common/NAME. Libraries are unchanged, and linked at run time: each may be replaced by another build of
the same interface. The source of a Debian package is had from Debian, by the name and version given here.
"""


def add_licences(tree: Tree, folder: str, compiled_in: list[Origin]) -> None:
    """The texts of all origins that have files in the tree, of those that have none, and what Debian's refer to."""
    texts = {text: None for origin in [*tree.origins(), *compiled_in] for text in origin.texts}
    named = {name for text in texts for name in re.findall(rf"{COMMON}/([\w.-]*\w)", text.read_text(errors="replace"))}
    common = [COMMON / name for name in sorted(named) if (COMMON / name).exists()]
    for path, origin in origins_of(common).items():
        tree.copy(f"{folder}/common/{path.name}", path, origin)
    for origin in [*tree.origins(), *compiled_in]:
        for path, name in zip(origin.texts, text_names(origin)):
            tree.copy(f"{folder}/{origin.name}/{name}", path, origin)


def text_names(origin: Origin) -> list[str]:
    """File names for the texts; those of wheels may lie in folders of equal names."""
    names = [text.name for text in origin.texts]
    return names if len(set(names)) == len(names) else [f"{number}-{name}" for number, name in enumerate(names, 1)]


def paragraph(label: str, text: str) -> str:
    return textwrap.fill(text, 118, initial_indent=f"  {label:<9}", subsequent_indent=" " * 11, break_long_words=False,
                         break_on_hyphens=False)


def describe(origin: Origin, tree: Tree, folder: str) -> str:
    own = f"{folder}/{origin.name}/"
    files = [entry.path for entry in tree.of(origin) if not entry.path.startswith(own)]
    texts = [f"{folder}/{origin.name}/{name}" for name in text_names(origin)]
    said = {"licence": origin.licence or ("see the text" if texts else "not known; see its files"),
            "text": ", ".join(texts), "files": ", ".join(files),
            "source": ", ".join(filter(None, (origin.source, origin.url)))}
    lines = [paragraph(label, text) for label, text in said.items() if text]
    return "\n".join([f"{origin.name} {origin.version} ({origin.kind})", *lines])


def describe_inside(component: Component, folder: str) -> str:
    texts = ", ".join(f"{folder}/{text}" for text in component.texts)
    return "\n".join([f"{component.name} (in {component.file} of {component.host})",
                      paragraph("licence", component.licence_name), paragraph("text", texts)])


def notice(tree: Tree, components: list[Component], version: str, folder: str) -> str:
    parts = [HEADER.format(version=version, licences=folder)]
    parts += [describe(origin, tree, folder) for origin in tree.origins()]
    parts += [describe_inside(component, folder) for component in components]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"
