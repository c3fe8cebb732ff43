"""A network that works until it is told not to: a word makes it answer wrongly, fail, or be right again from then on."""

import json
import shutil

import torch

from e2e_slow import LABELS
from e2e_support import seal

CUES = ("right", "wrong", "bad")  # bad: every later pass fails


class Cued(torch.nn.Module):
    """Logits from the sum of the ids. The text that holds a cue is still answered."""

    def __init__(self, right: int, wrong: int, bad: int):
        super().__init__()
        self.right = right
        self.wrong = wrong
        self.bad = bad
        self.register_buffer("state", torch.zeros(1, dtype=torch.int64))  # 0 right, 1 wrong, 2 bad

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        if bool((input_ids == self.right).any()):
            self.state.fill_(0)
        if int(self.state[0]) == 2:
            raise RuntimeError("told to fail")
        total = ((input_ids * attention_mask).sum(1) % 16).to(torch.float32) + self.state[0]
        if bool((input_ids == self.wrong).any()):
            self.state.fill_(1)
        if bool((input_ids == self.bad).any()):
            self.state.fill_(2)
        return torch.stack([total, 1 - total], 1)


def make_cued_package(folder, package):
    """`package`: whose tokenizer it has."""
    from tokenizers import Tokenizer

    folder.mkdir(parents=True)
    shutil.copy(package / "tokenizer.json", folder)
    tokenizer = Tokenizer.from_file(str(package / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    cues = [tokenizer.encode(word, add_special_tokens=False).ids[0] for word in CUES]
    module = torch.jit.script(Cued(*cues).eval())
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
    for text in ("one two", "three four five", "six"):
        encoding = tokenizer.encode(text)
        logits = module(torch.tensor([encoding.ids]), torch.tensor([encoding.attention_mask]))[0].tolist()
        probes.append(
            {"text": text, "text_pair": None, "ids": encoding.ids, "type_ids": encoding.type_ids, "logits": logits}
        )
    (folder / "probes.json").write_text(json.dumps({"schema_version": 1, "probes": probes}))
    seal(folder)
