"""One training loop and one inference loop for every model of the demo, on the CPU.

Batches hold texts of similar length, so that little padding is computed; autocast runs the matrix products in
bfloat16. Everything random comes from the generator that the caller passes in.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import quiet_threads  # noqa: F401  (before torch)
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

WINDOW_BATCHES = 40  # sort by length within this many batches: little padding, and still a random order
MAX_GRADIENT_NORM = 1.0
LENGTH_STEP = 8

Encoded = dict[str, list[list[int]]]  # for each input of a model, such as `input_ids`, a list for each text
LossFunction = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Recipe:
    """How to train: `epochs` passes over the data; `warmup` is the fraction of steps that ramp up."""

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 0.01
    warmup: float = 0.06
    max_steps: int | None = None


def length_sorted_batches(lengths: Sequence[int], batch_size: int, rng: random.Random) -> list[list[int]]:
    """Every index once, in batches of similar length, the batches in random order."""
    order = list(range(len(lengths)))
    rng.shuffle(order)
    window = batch_size * WINDOW_BATCHES
    batches = []
    for start in range(0, len(order), window):
        chunk = sorted(order[start : start + window], key=lambda index: lengths[index])
        batches += [chunk[at : at + batch_size] for at in range(0, len(chunk), batch_size)]
    rng.shuffle(batches)
    return batches


def encode(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> Encoded:
    """The model's inputs for each text, truncated to the tokenizer's limit and not padded."""
    return dict(tokenizer(list(texts), truncation=True, return_attention_mask=False))


def padded(tokenizer: PreTrainedTokenizerFast, encoded: Encoded, rows: Sequence[int]) -> dict[str, Tensor]:
    """The inputs of these `rows` as int64 [batch, length], with their `attention_mask`, padded as the family does.

    The length is the longest one, rounded up to LENGTH_STEP: bfloat16 kernels are slow at odd lengths.
    """
    tokenizer.deprecation_warnings["Asking-to-pad-a-fast-tokenizer"] = True  # it is not: the texts are encoded once
    batch = {name: [values[row] for row in rows] for name, values in encoded.items()}
    return dict(tokenizer.pad(batch, pad_to_multiple_of=LENGTH_STEP, return_tensors="pt"))


class Progress:
    """A line on standard error that says how far a loop is and when it will end."""

    def __init__(self, name: str, total: int) -> None:
        self._name, self._total = name, total
        self._begin = self._last = time.monotonic()

    def show(self, done: int, note: str = "") -> None:
        now = time.monotonic()
        if now - self._last < 5 and done < self._total:
            return
        self._last = now
        left = (now - self._begin) / done * (self._total - done)
        print(f"{self._name}: {done}/{self._total}  {note}  {left:.0f} s left", file=sys.stderr, flush=True)


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Weight decay on matrices only: biases and LayerNorm weights stay free."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [parameter for parameter in trained if parameter.ndim > 1], "weight_decay": weight_decay},
        {"params": [parameter for parameter in trained if parameter.ndim <= 1], "weight_decay": 0.0},
    ]


def train(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerFast,
    encoded: Encoded,
    targets: Tensor,
    loss: LossFunction,
    recipe: Recipe,
    seed: int,
    name: str,
    after_epoch: Callable[[int], None] = lambda epoch: None,
) -> None:
    """Trains `model` in place with AdamW and a linear schedule.

    `targets[i]` goes with text i; `loss` gets the batch's logits in fp32, padding included, and its targets.
    """
    rng = random.Random(seed)
    torch.manual_seed(seed)
    lengths = [len(sequence) for sequence in encoded["input_ids"]]
    steps = recipe.epochs * -(-len(lengths) // recipe.batch_size)
    steps = min(steps, recipe.max_steps or steps)
    optimizer = torch.optim.AdamW(
        parameter_groups(model, recipe.weight_decay), lr=recipe.learning_rate, fused=True
    )
    ramp = max(1, round(steps * recipe.warmup))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / ramp, max(0.0, (steps - step) / max(1, steps - ramp)))
    )
    progress, step, mean = Progress(name, steps), 0, 0.0
    for epoch in range(recipe.epochs):
        model.train()
        for batch in length_sorted_batches(lengths, recipe.batch_size, rng):
            if step == steps:
                return
            inputs = padded(tokenizer, encoded, batch)
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(**inputs).logits
            value = loss(logits.float(), targets[batch])
            value.backward()
            nn.utils.clip_grad_norm_(model.parameters(), MAX_GRADIENT_NORM)
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            step += 1
            mean += (value.item() - mean) / min(step, 100)
            progress.show(step, f"loss {mean:.4f}")
        after_epoch(epoch)


@torch.inference_mode()
def logits_of(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerFast,
    encoded: Encoded,
    batch_size: int = 64,
    fast: bool = False,
    name: str = "",
) -> list[NDArray[np.float32]]:
    """The logits of each text, in order: [labels], or [padded length, labels]. `fast` computes in bfloat16."""
    model.eval()
    lengths = [len(sequence) for sequence in encoded["input_ids"]]
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    found: dict[int, NDArray[np.float32]] = {}
    progress = Progress(name, len(order)) if name else None
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        with torch.autocast("cpu", torch.bfloat16, enabled=fast):
            logits = model(**padded(tokenizer, encoded, batch)).logits.float().numpy()
        found.update(zip(batch, logits, strict=True))
        if progress:
            progress.show(start + len(batch))
    return [found[index] for index in range(len(order))]
