"""Whose a file is: the Debian package or the wheel that brought it, with version and licence texts."""

from __future__ import annotations

import base64
import csv
import dataclasses
import email.message
import email.parser
import email.utils
import functools
import hashlib
import pathlib
import re
import urllib.parse

from .elf import run
from .errors import BundleError

DOC = pathlib.Path("/usr/share/doc")
# Names of Debian's copyright files (DEP-5) and of wheels, as SPDX has them. Any other name is not translated: the text
# itself then stands in the SBOM.
SPDX_NAMES = {
    "Apache-2.0": "Apache-2.0", "BSD-3-Clause": "BSD-3-Clause", "BSD-3-clause": "BSD-3-Clause", "Expat": "MIT",
    "MIT": "MIT", "PostgreSQL": "PostgreSQL", "Zlib": "Zlib", "zlib": "Zlib",
}


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where files come from. `licence` is an SPDX expression, or empty where only `texts` can say."""

    name: str
    version: str
    kind: str
    supplier: str
    licence: str
    texts: tuple[pathlib.Path, ...]
    url: str = ""
    source: str = ""  # how to get its source
    purl: str = ""


def sha256(path: pathlib.Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


# --- Debian ---


def only_licence(copyright_text: str) -> str:
    """The one licence of all files of a source package but Debian's own; empty if there are several, or none is named:
    which of them hold for a library, such a file does not say."""
    if not copyright_text.startswith("Format:"):
        return ""
    names = set()
    for stanza in re.split(r"\n[ \t]*\n", copyright_text):
        files = re.search(r"^Files: *(\S+)", stanza, re.M)
        licence = re.search(r"^License: *(.+)", stanza, re.M)
        if files and licence and not files[1].startswith("debian/"):
            names.add(SPDX_NAMES.get(licence[1].strip(), ""))
    return names.pop() if len(names) == 1 else ""


def debian_owners(paths: list[pathlib.Path]) -> dict[pathlib.Path, str]:
    """path -> installed Debian package. Packages name a file by its path before or after /usr became one folder."""
    spellings: dict[str, pathlib.Path] = {}
    for path in paths:
        for spelling in {path, path.resolve(), path.parent.resolve() / path.name}:
            spellings[str(spelling)] = path
            spellings[str(spelling).removeprefix("/usr")] = path
    owners = {}
    for line in run("dpkg-query", "-S", *sorted(spellings), check=False).splitlines():
        package, _, file = line.rpartition(": ")
        if file in spellings:
            owners[spellings[file]] = package.split(",")[0]
    return owners


def debian_origin(package: str) -> Origin:
    fields = ("Package", "Version", "Architecture", "source:Package", "source:Version", "Homepage")
    form = "\t".join(f"${{{field}}}" for field in fields)
    name, version, architecture, source, source_version, url = run("dpkg-query", "-W", "-f", form, package).split("\t")
    text = DOC / name / "copyright"
    if not text.exists():
        raise BundleError(f"the Debian package {name} has no {text}; was documentation left out when it was installed?")
    return Origin(
        name=name, version=version, kind="Debian package", supplier="Organization: Debian",
        licence=only_licence(text.read_text(errors="replace")), texts=(text,), url=url,
        source=f"Debian source package {source} {source_version}",
        purl=f"pkg:deb/debian/{name}@{urllib.parse.quote(version)}?arch={architecture}")


# --- wheels ---


def installed_wheels(file: pathlib.Path) -> list[pathlib.Path]:
    """The dist-info folders of the wheels that may have brought it: of its site-packages, or, in a CUDA toolkit made of
    NVIDIA's wheels, of the toolkit's dist-info folder."""
    for folder in file.parents:
        found = sorted(folder.glob("*.dist-info")) or sorted(folder.glob("dist-info/*.dist-info"))
        if found:
            return found
    return []


@functools.cache
def recorded(wheels: tuple[pathlib.Path, ...]) -> dict[tuple[str, str], pathlib.Path]:
    """(file name, its sum as RECORD has it) -> the dist-info folder that lists it."""
    found: dict[tuple[str, str], pathlib.Path] = {}
    for wheel in wheels:
        for path, digest, _ in record_of(wheel):
            found.setdefault((pathlib.PurePosixPath(path).name, digest), wheel)
    return found


def record_of(wheel: pathlib.Path) -> list[list[str]]:
    with (wheel / "RECORD").open(newline="") as record:
        return list(csv.reader(record))


def wheel_of(file: pathlib.Path) -> pathlib.Path | None:
    """The dist-info of the wheel that lists a file of this name with these bytes."""
    digest = "sha256=" + base64.urlsafe_b64encode(sha256(file)).decode().rstrip("=")
    return recorded(tuple(installed_wheels(file))).get((file.name, digest))


def licence_files(wheel: pathlib.Path) -> tuple[pathlib.Path, ...]:
    """Those that its metadata name; else those of its record that are called so."""
    named = [path for path in sorted((wheel / "licenses").rglob("*")) if path.is_file()]
    if not named:
        paths = [wheel.parent / row[0] for row in record_of(wheel)]
        named = [p for p in sorted(paths) if re.match(r"(licen[cs]e|notice|copying)", p.name, re.I) and p.is_file()]
    return tuple(named)


def supplier_of(metadata: email.message.Message) -> str:
    """As SPDX 2.3, 7.5 has it: a name, and in brackets the address."""
    name, address = email.utils.parseaddr(metadata["Author-email"] or "")
    name = metadata["Author"] or name or address
    if not name:
        return "NOASSERTION"
    return f"Organization: {name}" + (f" ({address})" if address not in ("", name) else "")


def wheel_origin(wheel: pathlib.Path) -> Origin:
    metadata: email.message.Message = email.parser.Parser().parsestr((wheel / "METADATA").read_text(errors="replace"))
    name, version = metadata["Name"], metadata["Version"]
    texts = licence_files(wheel)
    if not texts:
        raise BundleError(f"the wheel {name} {version} has no licence text in {wheel}")
    licence = SPDX_NAMES.get(metadata["License-Expression"] or metadata["License"] or "", "")
    return Origin(
        name=name, version=version, kind="Python wheel", licence=licence, texts=texts, url=metadata["Home-page"] or "",
        supplier=supplier_of(metadata), purl=f"pkg:pypi/{name.lower()}@{version}")


# --- any ---


def origins_of(files: list[pathlib.Path]) -> dict[pathlib.Path, Origin]:
    """Whose each file is. One that nobody owns, or that differs from what its wheel brought, has no licence that is
    known, and is refused."""
    owners = debian_owners(files)
    packages = {package: debian_origin(package) for package in set(owners.values())}
    wheels: dict[pathlib.Path, Origin] = {}
    found = {}
    for file in files:
        if file in owners:
            found[file] = packages[owners[file]]
            continue
        real = file.resolve()
        wheel = wheel_of(real)
        if wheel is None:
            raise BundleError(f"no Debian package and no wheel has {file} with these bytes: its licence is not known")
        if wheel not in wheels:
            wheels[wheel] = wheel_origin(wheel)
        found[file] = wheels[wheel]
    return found
