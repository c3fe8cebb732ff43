"""A network that works until it is told not to: a word makes it answer wrongly, fail, or be right again from then on."""

import torch

from e2e_slow import make_scripted_package

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
    make_scripted_package(folder, package, Cued, CUES, ("one two", "three four five", "six"))
