"""From a build folder to a bundle."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shutil
import subprocess
import tempfile

from . import elf
from .errors import BundleError
from .inside import Component, compiled_in, components_in
from .notice import add_licences, notice
from .origins import Origin, origins_of
from .root import PREFIX, add_system
from .sbom import sbom
from .tree import Tree

PROGRAMS = ("berthad", "bertha", "bertha-package")
PLUG_INS = ("libbertha_cuda.so", "libbertha_torch_cuda.so")
SBOM = "sbom.spdx.json"


@dataclasses.dataclass(frozen=True)
class Request:
    source: pathlib.Path
    build: pathlib.Path
    out: pathlib.Path
    cuda: bool
    root: bool
    models: pathlib.Path | None
    revision: str
    epoch: int


def git(root: pathlib.Path, *words: str) -> str:
    """What git says of this tree; empty where there is no git, or no repository."""
    if not (root / ".git").exists() or shutil.which("git") is None:
        return ""
    return subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True).stdout.strip()


def revision_of(root: pathlib.Path) -> str:
    return git(root, "describe", "--always", "--dirty") or "unknown"


def time_of(root: pathlib.Path) -> int:
    told = os.environ.get("SOURCE_DATE_EPOCH") or git(root, "log", "-1", "--format=%ct")
    if not told.isdigit():
        raise BundleError("set SOURCE_DATE_EPOCH (seconds since 1970): there is no commit to take the time from")
    return int(told)


def programs_of(request: Request) -> list[pathlib.Path]:
    names = PROGRAMS + (PLUG_INS if request.cuda else ())
    found = [request.build / "bin" / name for name in names]
    missing = [path for path in found if not path.is_file()]
    if missing:
        targets = "berthad bertha bertha-package" + (" bertha_cuda bertha_torch_cuda" if request.cuda else "")
        raise BundleError(f"{missing[0]} is not built: cmake --build {request.build} --target {targets}")
    return found


def bertha_origin(request: Request) -> Origin:
    version = elf.run(request.build / "bin" / "berthad", "--version").split()[-1]
    return Origin(name="bertha", version=version, kind="this project", supplier="NOASSERTION", licence="Apache-2.0",
                  texts=(request.source / "LICENSE",), source=f"revision {request.revision}")


def model_origin(package: pathlib.Path) -> Origin:
    return Origin(name=f"model-{package.parent.name}-{package.name}", version=package.name, kind="model package",
                  supplier="NOASSERTION", licence="", texts=())


def add_programs(tree: Tree, prefix: str, programs: list[pathlib.Path], bertha: Origin) -> None:
    for program in programs:
        tree.copy(f"{prefix}bin/{program.name}", program, bertha, executable=True, change=elf.make_relocatable)


def add_libraries(tree: Tree, prefix: str, libraries: dict[str, pathlib.Path]) -> None:
    taken = {soname: path for soname, path in libraries.items() if soname not in elf.GLIBC}
    origins = origins_of(sorted(taken.values()))
    for soname in sorted(taken):
        tree.copy(f"{prefix}lib/{soname}", taken[soname], origins[taken[soname]])


def add_models(tree: Tree, folder: str, models: pathlib.Path, verifier: pathlib.Path) -> None:
    """`verifier`: the bundle's own bertha-package, which so shows that it runs."""
    packages = sorted(path.parent for path in models.glob("*/*/SHA256SUMS"))
    if not packages:
        raise BundleError(f"{models} has no packages (NAME/VERSION/SHA256SUMS)")
    for package in packages:
        elf.run(verifier, "verify", package)
        for file in sorted(package.iterdir()):
            tree.copy(f"{folder}/{package.parent.name}/{package.name}/{file.name}", file, model_origin(package))
    for labels in sorted(models.glob("*/labels.json")):
        newest = max((p for p in packages if p.parent == labels.parent), key=lambda p: int(p.name))
        tree.copy(f"{folder}/{labels.parent.name}/labels.json", labels, model_origin(newest))


def glibc_needed(tree: Tree) -> tuple[int, int]:
    """By all that are bundled but glibc itself, which names its own versions."""
    return max(elf.glibc_of(tree.top / path) for path, entry in tree.entries.items()
               if entry.binary and pathlib.PurePosixPath(path).name not in elf.GLIBC)


def component_texts(source: pathlib.Path, components: list[Component]) -> dict[str, pathlib.Path]:
    """Of licences that no package here has a text of: LicenseRef -> file."""
    folder = source / "deploy" / "image" / "licences"
    return {c.licence: folder / f"{c.licence.removeprefix('LicenseRef-')}.txt"
            for c in components if c.licence.startswith("LicenseRef-")}


def fill(tree: Tree, request: Request) -> dict:
    prefix = f"{PREFIX}/" if request.root else ""
    programs = programs_of(request)
    bertha = bertha_origin(request)
    libraries = elf.closure(programs)
    add_programs(tree, prefix, programs, bertha)
    add_libraries(tree, prefix, libraries)
    if request.root:
        add_system(tree, libraries, bertha, request.source / "deploy" / "image" / "berthad.yaml")
    if request.models:
        folder = "models" if request.root else f"{prefix}models"
        add_models(tree, folder, request.models, tree.top / prefix / "bin" / "bertha-package")
    glibc = glibc_needed(tree)
    bundled = {soname: tree.top / prefix / "lib" / soname for soname in libraries if soname not in elf.GLIBC}
    components = components_in(bundled)
    own_texts = component_texts(request.source, components)
    for text in sorted(set(own_texts.values())):
        tree.copy(f"{prefix}licenses/common/{text.name}", text, bertha)
    headers = compiled_in(programs)
    add_licences(tree, f"{prefix}licenses", headers)
    tree.write(f"{prefix}NOTICE", notice(tree, components, bertha.version, f"{prefix}licenses"), bertha)
    document = sbom(tree, components, version=bertha.version, revision=request.revision, glibc=glibc,
                    with_glibc=request.root, compiled_in=headers,
                    texts={ref: path.read_text() for ref, path in own_texts.items()})
    tree.write(f"{prefix}{SBOM}", document, bertha)
    tree.finish()
    return report(tree, request, bertha, glibc)


def report(tree: Tree, request: Request, bertha: Origin, glibc: tuple[int, int]) -> dict:
    largest = sorted(tree.entries.values(), key=lambda entry: -entry.size)[:5]
    return {
        "path": str(request.out), "version": bertha.version, "revision": request.revision, "root": request.root,
        "glibc": f"{glibc[0]}.{glibc[1]}", "bytes": sum(entry.size for entry in tree.entries.values()),
        "files": len(tree.entries), "packages": len(tree.origins()),
        "largest": [{"path": entry.path, "bytes": entry.size} for entry in largest],
    }


def is_bundle(folder: pathlib.Path) -> bool:
    return (folder / SBOM).exists() or (folder / PREFIX / SBOM).exists()


def collect(request: Request) -> dict:
    """Makes the bundle beside `out` and puts it there when it is whole. Returns what there is to say about it."""
    out = request.out
    if out.exists() and not is_bundle(out) and (not out.is_dir() or any(out.iterdir())):
        raise BundleError(f"{out} is there and is no bundle; name another folder with --out")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as work:
        top = pathlib.Path(work) / "bundle"
        top.mkdir()
        said = fill(Tree(top, request.epoch), request)
        if out.exists():
            shutil.rmtree(out)
        top.rename(out)
    return said
