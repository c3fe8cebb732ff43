"""The files of a bundle, each with its origin and its sums. All times are the epoch; modes ignore the umask."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pathlib
import shutil
from collections.abc import Callable

from .origins import Origin


@dataclasses.dataclass(frozen=True)
class Entry:
    path: str  # relative to the tree's top, with slashes
    origin: Origin
    size: int
    sha1: str
    sha256: str
    binary: bool  # a program or a library


class Tree:
    """Collects files below `top`. No path is added twice."""

    def __init__(self, top: pathlib.Path, epoch: int):
        self.top, self.epoch = top, epoch
        self.entries: dict[str, Entry] = {}

    def copy(self, path: str, source: pathlib.Path, origin: Origin, executable: bool = False,
             change: Callable[[pathlib.Path], None] | None = None) -> None:
        """`change` edits the copy before it is summed."""
        target = self._place(path)
        shutil.copyfile(source, target)
        if change:
            change(target)
        self._note(path, origin, 0o755 if executable else 0o644)

    def write(self, path: str, text: str, origin: Origin) -> None:
        self._place(path).write_text(text, encoding="utf-8")
        self._note(path, origin, 0o644)

    def directory(self, path: str, mode: int = 0o755) -> None:
        folder = self.top / path
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(mode)

    def link(self, path: str, target: str) -> None:
        self._place(path).symlink_to(target)

    def finish(self) -> None:
        """Modes of the folders in between, and all times."""
        for folder, folders, files in os.walk(self.top, topdown=False):
            for name in files + folders:
                os.utime(os.path.join(folder, name), (self.epoch, self.epoch), follow_symlinks=False)
            if not os.stat(folder).st_mode & 0o1000:
                os.chmod(folder, 0o755)
        os.utime(self.top, (self.epoch, self.epoch))

    def _place(self, path: str) -> pathlib.Path:
        target = self.top / path
        assert not os.path.lexists(target), f"{path} is there twice"
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def _note(self, path: str, origin: Origin, mode: int) -> None:
        target = self.top / path
        target.chmod(mode)
        sha1, sha256 = hashlib.sha1(), hashlib.sha256()
        with target.open("rb") as file:
            binary = file.read(4) == b"\x7fELF"
            file.seek(0)
            while block := file.read(1 << 20):
                sha1.update(block)
                sha256.update(block)
        size = target.stat().st_size
        self.entries[path] = Entry(path, origin, size, sha1.hexdigest(), sha256.hexdigest(), binary)

    def origins(self) -> list[Origin]:
        """Each once, by name."""
        return sorted({entry.origin for entry in self.entries.values()}, key=lambda o: (o.name.lower(), o.version))

    def of(self, origin: Origin) -> list[Entry]:
        return [self.entries[path] for path in sorted(self.entries) if self.entries[path].origin == origin]
