"""Training in steps, each of which leaves its result in a work folder and is not done twice."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path


def step(result: Path, make: Callable[[Path], None]) -> Path:
    """Runs `make` on a temporary path that becomes `result`, unless that exists. Returns `result`."""
    name = "/".join(result.parts[-2:])
    if result.exists():
        print(f"{name}: done before", file=sys.stderr)
        return result
    result.parent.mkdir(parents=True, exist_ok=True)
    unfinished = result.with_name(f"unfinished-{result.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    begin = time.monotonic()
    make(unfinished)
    unfinished.rename(result)
    print(f"{name}: {time.monotonic() - begin:.0f} s", file=sys.stderr)
    return result


def size_of(package: Path) -> int:
    """Bytes of a package's files."""
    return sum(file.stat().st_size for file in package.iterdir())
