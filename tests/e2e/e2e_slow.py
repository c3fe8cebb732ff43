"""A network made to measure: as slow as asked, with tokens that make it fail, pause and hang."""

import json
import shutil
import time

import torch

from e2e_support import seal

LABELS = ["even", "odd"]


class Slow(torch.nn.Module):
    """Logits from the sum of the ids, after `rounds` multiplications that only take time, and more for some tokens."""

    def __init__(self, rounds: int, poison: int, pause: int, stall: int):
        super().__init__()
        self.rounds = rounds
        self.poison = poison
        self.pause = pause
        self.stall = stall
        self.register_buffer("weight", torch.full((256, 256), 1 / 256))

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        work = self.weight + 0 * input_ids[0, 0]  # of the input, or it would be computed once, at load
        rounds = self.rounds
        if bool((input_ids == self.pause).any()):
            rounds = rounds * 30
        if bool((input_ids == self.stall).any()):
            rounds = rounds * 5000
        for _ in range(rounds):
            work = work @ self.weight
        total = ((input_ids * attention_mask).sum(1) % 16).to(torch.float32)
        poisoned = (input_ids == self.poison).any(1)
        total = torch.where(poisoned, torch.full_like(total, float("nan")), total)
        return torch.stack([total, 1 - total], 1) + 0 * work[0, 0]


def rounds_for(milliseconds):
    """How many rounds take so long on one core of this machine. It is the core's time that is measured: what else runs
    now, and may have ended when the network is used, must not make the network fast."""
    rounds, best = 20, float("inf")
    for _ in range(3):
        work = torch.full((256, 256), 1 / 256)
        begin = time.thread_time()
        for _ in range(rounds):
            work = work @ work
        best = min(best, (time.thread_time() - begin) / rounds)
    return max(1, int(milliseconds / 1000 / best))


def make_scripted_package(folder, package, make_module, cues, texts):
    """A package of the network make_module(ID OF EACH CUE...), with `package`'s tokenizer and its own answers to `texts`."""
    from tokenizers import Tokenizer

    folder.mkdir(parents=True)
    shutil.copy(package / "tokenizer.json", folder)
    tokenizer = Tokenizer.from_file(str(package / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    ids = [tokenizer.encode(cue, add_special_tokens=False).ids[0] for cue in cues]
    module = torch.jit.script(make_module(*ids).eval())
    torch.jit.save(module, str(folder / "model.pt"))
    manifest = {
        "schema_version": 1,
        "family": "torchscript",
        "task": "sequence-classification",
        "problem_type": "single_label_classification",
        "labels": LABELS,
        "max_length": 64,
        "inputs": ["input_ids", "attention_mask"],
        "padding": {"id": 0, "type_id": 0, "side": "right"},
    }
    (folder / "bertha.json").write_text(json.dumps(manifest))
    probes = []
    for text in texts:
        encoding = tokenizer.encode(text)
        logits = module(torch.tensor([encoding.ids]), torch.tensor([encoding.attention_mask]))[0].tolist()
        probes.append(
            {"text": text, "text_pair": None, "ids": encoding.ids, "type_ids": encoding.type_ids, "logits": logits}
        )
    (folder / "probes.json").write_text(json.dumps({"schema_version": 1, "probes": probes}))
    seal(folder)


def make_slow_package(folder, package, milliseconds):
    torch.set_num_threads(1)
    rounds = rounds_for(milliseconds)
    make_scripted_package(folder, package, lambda *cues: Slow(rounds, *cues), ("nan", "wait", "[MASK]"),
                          ("good", "not so good"))
