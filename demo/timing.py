"""How long one text takes in each of several TorchScript modules, measured side by side."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

WARM_UP = 20  # texts; TorchScript optimises a module during its first calls


@dataclass(frozen=True)
class Package:
    """What Python needs of an exported package to run it, one text at a time."""

    directory: Path
    manifest: dict[str, object]
    tokenizer: Tokenizer
    module: torch.jit.ScriptModule

    def inputs(self, text: str) -> tuple[Tensor, ...]:
        """int64 [1, length] each, in the order of the manifest."""
        encoding = self.tokenizer.encode(text)
        values = {
            "input_ids": encoding.ids,
            "attention_mask": encoding.attention_mask,
            "token_type_ids": encoding.type_ids,
        }
        return tuple(torch.tensor([values[name]]) for name in self.manifest["inputs"])

    @torch.inference_mode()
    def logits(self, text: str) -> Tensor:
        """[labels], or [length, labels] for token classification."""
        return self.module(*self.inputs(text))[0]

    def parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.module.parameters())


def load(directory: Path) -> Package:
    """The package in `directory`."""
    manifest = json.loads((directory / "bertha.json").read_text(encoding="utf-8"))
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    tokenizer.enable_truncation(manifest["max_length"])
    return Package(directory, manifest, tokenizer, torch.jit.load(directory / "model.pt").eval())


@torch.inference_mode()
def milliseconds(packages: Mapping[str, Package], texts: Sequence[str], rounds: int) -> dict[str, float]:
    """The median time of `forward` for one text on one thread, tokenizing not counted.

    The packages take turns at every text, so that what else the machine does falls on all of them alike.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    inputs = {name: [package.inputs(text) for text in texts] for name, package in packages.items()}
    found: dict[str, list[float]] = {name: [] for name in packages}
    for name, package in packages.items():
        for values in inputs[name][:WARM_UP]:
            package.module(*values)
    for _ in range(rounds):
        for index in range(len(texts)):
            for name, package in packages.items():
                begin = time.perf_counter()
                package.module(*inputs[name][index])
                found[name].append(1000 * (time.perf_counter() - begin))
    torch.set_num_threads(threads)
    return {name: statistics.median(values) for name, values in found.items()}
