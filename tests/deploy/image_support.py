"""What the tests of the image share: bundles, made as a user makes them."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "image"), str(ROOT / "tests" / "e2e"), str(ROOT / "clients" / "python")]

PLAIN = {"PATH": "/usr/bin:/bin"}  # the environment of a machine that knows nothing of this tree


def make_bundle(build: pathlib.Path, out: pathlib.Path, *options: str | pathlib.Path, **more) -> dict:
    """Its report. `more` goes to subprocess.run()."""
    command = [ROOT / "deploy" / "bundle", "--build", build, "--out", out, "--json", *options]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def files_of(tree: pathlib.Path) -> list[pathlib.Path]:
    return sorted(path for path in tree.rglob("*") if path.is_file() and not path.is_symlink())


def sums_of(tree: pathlib.Path) -> dict[str, str]:
    """path -> sum, mode and time of everything in the tree."""
    found = {}
    for path in sorted(tree.rglob("*")):
        status = path.lstat()
        content = ""
        if path.is_symlink():
            content = os.readlink(path)
        elif path.is_file():
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        found[str(path.relative_to(tree))] = f"{content} {status.st_mode:o} {status.st_mtime_ns}"
    return found


def resolved(file: pathlib.Path) -> dict[str, str]:
    """soname -> where the loader finds it, in the plain environment; "" for what it does not find."""
    text = subprocess.run(["ldd", file], capture_output=True, text=True, check=True, env=PLAIN).stdout
    found = re.findall(r"^\t(\S+) => (not found|\S+)", text, re.M)
    return {name: "" if path == "not found" else path for name, path in found}
