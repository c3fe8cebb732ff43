#!/usr/bin/env python3
"""The posts that the demo sentiment model never saw: `heldout()` for programs, JSON lines for shells.

python demo/heldout.py | head -3
{"text": "...", "label": "negative"}
"""

from __future__ import annotations

import json

import corpus


def heldout() -> list[tuple[str, str]]:
    """(text, label) of every held-out post, always the same and in the same order."""
    return [(post.text, corpus.LABELS[post.label]) for post in corpus.load()["test"]]


if __name__ == "__main__":
    for text, label in heldout():
        print(json.dumps({"text": text, "label": label}))
