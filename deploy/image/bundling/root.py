"""What an image needs around a bundle: glibc, users, directories that are written to. No shell, no package manager."""

from __future__ import annotations

import pathlib

from .elf import GLIBC
from .errors import BundleError
from .origins import Origin, origins_of
from .tree import Tree

PREFIX = "opt/bertha"
LOADER = "ld-linux-x86-64.so.2"
USER = 65532

FILES = {
    "etc/passwd": f"root:x:0:0:root:/:/nonexistent\nbertha:x:{USER}:{USER}:bertha:/nonexistent:/nonexistent\n",
    "etc/group": f"root:x:0:\nbertha:x:{USER}:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
# Says what this is: to scanners, and to NVIDIA's container runtime when it places the driver's libraries.
SYSTEM_FILES = {"usr/lib/os-release": "/usr/lib/os-release", "etc/debian_version": "/etc/debian_version"}
# Where containers mount something, and what anybody may write to, if it is mounted writable.
MOUNTS = ("dev", "models", "proc", "run", "sys")
WRITABLE = ("tmp", "var/cache/bertha")


def add_system(tree: Tree, libraries: dict[str, pathlib.Path], bertha: Origin, config: pathlib.Path) -> None:
    """`libraries`: soname -> file, of which glibc's are taken."""
    system = {soname: path for soname, path in libraries.items() if soname in GLIBC}
    if LOADER not in system:
        raise BundleError(f"the programs do not name {LOADER}: what do they start with?")
    sources = {"usr/lib64/" + LOADER if soname == LOADER else f"usr/lib/x86_64-linux-gnu/{soname}": path
               for soname, path in system.items()}
    sources |= {target: pathlib.Path(path) for target, path in SYSTEM_FILES.items()}
    origins = origins_of(sorted(sources.values()))
    for target, path in sorted(sources.items()):
        tree.copy(target, path, origins[path], executable=target.endswith(LOADER))
    for folder in ("lib", "lib64"):
        tree.link(folder, f"usr/{folder}")
    tree.link("etc/os-release", "../usr/lib/os-release")
    for target, text in FILES.items():
        tree.write(target, text, bertha)
    tree.copy("etc/bertha/berthad.yaml", config, bertha)
    for folder in MOUNTS:
        tree.directory(folder)
    for folder in WRITABLE:
        tree.directory(folder, 0o1777)
