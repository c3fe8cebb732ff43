"""Programs and shared libraries: what they link, as this machine's loader resolves it, and how they come to find it."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess

from .errors import BundleError

# glibc's stay with the system: its loader stands by absolute path in every program, works with the libraries of its own
# build only, and reads its system's name services and locales. A newer glibc runs what an older one linked.
GLIBC = frozenset({
    "ld-linux-x86-64.so.2", "libanl.so.1", "libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0", "libresolv.so.2",
    "librt.so.1", "libutil.so.1",
})
# The kernel driver's half in user space must be of the driver's version: the machine with the GPU has it.
DRIVER = frozenset({"libcuda.so.1", "libnvidia-ml.so.1"})
# What a library opens by name while it runs, which no dynamic section says.
# cuDNN is a front and its parts, some of which compile by NVRTC; LibTorch reaches NVRTC through a library of its own.
OPENED = {
    "libcudnn.so.9": ("libcudnn_*.so.9", "libnvrtc.so.13", "libnvrtc-builtins.so.13.*"),
    "libtorch_cuda.so": ("libcaffe2_nvrtc.so",),
}


def run(*command: str | pathlib.Path, check: bool = True, **options) -> str:
    """What it prints, in the C locale; without the caller's ideas of where libraries are."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LD_")} | {"LC_ALL": "C"}
    if shutil.which(str(command[0])) is None:
        raise BundleError(f"{command[0]} is not there; install scripts/requirements/debian-build.txt and -bundle.txt")
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, env=environment, **options)
    if check and done.returncode:
        raise BundleError(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def linked(file: pathlib.Path) -> dict[str, pathlib.Path]:
    """soname -> file of everything that `file` links, directly or not; without what only the driver has."""
    found: dict[str, pathlib.Path] = {}
    for line in run("ldd", file).splitlines():
        name, arrow, target = line.strip().partition(" => ")
        if target.startswith("not found"):
            if name not in DRIVER:
                raise BundleError(f"{file} needs {name}, which this machine's loader does not find")
        elif arrow:
            found[name] = pathlib.Path(target.rpartition(" (")[0])
        elif name.startswith("/"):  # the loader itself, by its path
            path = pathlib.Path(name.rpartition(" (")[0])
            found[path.name] = path
    return found


def opened(libraries: dict[str, pathlib.Path]) -> dict[str, pathlib.Path]:
    """soname -> file of what those open by name: from the folders that they lie in."""
    folders = sorted({path.resolve().parent for path in libraries.values()})
    found: dict[str, pathlib.Path] = {}
    for soname, patterns in OPENED.items():
        for pattern in patterns if soname in libraries else ():
            found_here = [match for folder in folders for match in folder.glob(pattern)]
            matches = {match.name: match for match in found_here if not match.is_symlink()}
            if not matches:
                raise BundleError(f"{soname} opens {pattern}, which is in none of {', '.join(map(str, folders))}")
            found |= matches
    return found


def closure(programs: list[pathlib.Path]) -> dict[str, pathlib.Path]:
    """soname -> file of all that the programs need, glibc's too. One soname must mean one library to all of them."""
    found: dict[str, pathlib.Path] = {}

    def add(libraries: dict[str, pathlib.Path]) -> None:
        for soname, path in libraries.items():
            known = found.setdefault(soname, path)
            if known.resolve() != path.resolve() and known.read_bytes() != path.read_bytes():
                raise BundleError(f"{soname} would be two different libraries: {known} and {path}")

    for program in programs:
        add(linked(program))
    for path in opened(found).values():
        add({path.name: path} | linked(path))
    return found


def needed(file: pathlib.Path) -> list[str]:
    """The sonames in its own dynamic section."""
    return re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-dW", file))


def glibc_of(file: pathlib.Path) -> tuple[int, int]:
    """The version of glibc from which on it starts."""
    versions = re.findall(r"\bGLIBC_(\d+)\.(\d+)", run("readelf", "-VW", file))
    return max(((int(major), int(minor)) for major, minor in versions), default=(2, 0))


def make_relocatable(program: pathlib.Path) -> None:
    """Strips it, and lets it look for libraries in ../lib, where it lies. By DT_RPATH: unlike DT_RUNPATH it also holds
    for what the libraries need, so that those stay as their makers shipped them."""
    run("strip", program)
    run("patchelf", "--force-rpath", "--set-rpath", "$ORIGIN/../lib", program)
