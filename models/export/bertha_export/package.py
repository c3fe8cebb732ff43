"""Puts files into a package directory so that nobody ever sees half a package."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bertha_export.errors import ExportError

SUMS = "SHA256SUMS"


@contextmanager
def new_package(target: Path, force: bool) -> Iterator[Path]:
    """Yields an empty directory; if the block ends well it is sealed and becomes `target`, else it vanishes.

    `force` replaces a `target` that exists; without it that is an ExportError, raised before the block runs.
    """
    if target.exists() and not force:
        raise ExportError(f"{target} exists already: choose another --version, or replace it with --force")
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        scratch.chmod(0o755)
        yield scratch
        seal(scratch)
        _move_into_place(scratch, target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _move_into_place(scratch: Path, target: Path) -> None:
    if target.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
        target.rename(old / target.name)
        scratch.rename(target)
        shutil.rmtree(old)
    else:
        scratch.rename(target)


def write_json(path: Path, value: object, indent: int | None = 2) -> None:
    """UTF-8, one trailing newline, keys in the order given."""
    path.write_text(json.dumps(value, ensure_ascii=False, indent=indent) + "\n", encoding="utf-8")


def write_probes(path: Path, probes: dict[str, object]) -> None:
    """probes.json with one probe a line, so that a difference between two packages can be read."""
    lines = ",\n  ".join(json.dumps(probe, ensure_ascii=True) for probe in probes["probes"])
    path.write_text(
        f'{{"schema_version": {probes["schema_version"]}, "probes": [\n  {lines}\n]}}\n', encoding="utf-8"
    )


def seal(directory: Path) -> None:
    """Writes SHA256SUMS over every other file of `directory`, under a temporary name first."""
    lines = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n"
        for file in sorted(directory.iterdir())
        if file.name != SUMS
    ]
    unfinished = directory / f".{SUMS}.tmp"
    unfinished.write_text("".join(lines), encoding="utf-8")
    os.replace(unfinished, directory / SUMS)
