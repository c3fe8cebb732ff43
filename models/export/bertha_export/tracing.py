"""PyTorch module -> TorchScript module that takes any batch size and length, and the proof that it does."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from bertha_export.errors import ExportError

TOLERANCE = 1e-5  # largest |difference| of a logit between the traced and the original module
EXAMPLE_SHAPE = (2, 7)
RECORDS_OF_THE_WRITER = {
    "version",
    "byteorder",
    ".data/serialization_id",
    ".format_version",
    ".storage_alignment",
}


class LogitsOnly(nn.Module):
    """`forward(*inputs) -> logits [batch, labels]`, the inputs int64 [batch, length] in the order of `names`.

    The Hugging Face module is its attribute `model`, so weights keep their names behind that prefix.
    """

    def __init__(self, model: nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        self.model = model
        self._names = tuple(names)

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.model(**dict(zip(self._names, inputs, strict=True)), return_dict=False)[0]


def trace(model: nn.Module, names: Sequence[str], vocabulary: int, max_length: int) -> torch.jit.ScriptModule:
    """The model as TorchScript, checked at many shapes. Raises ExportError if it differs from `model`."""
    module = LogitsOnly(model, names).eval()
    example = example_inputs(names, min(EXAMPLE_SHAPE[1], max_length), EXAMPLE_SHAPE[0], vocabulary)
    with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(module, example, check_trace=False)
        for batch, length in checked_shapes(max_length):
            inputs = example_inputs(names, length, batch, vocabulary)
            difference = (traced(*inputs) - module(*inputs)).abs().max().item()
            if not difference <= TOLERANCE:
                raise ExportError(
                    f"the traced module differs from the original by {difference:.2g} "
                    f"at batch {batch}, length {length}: the model's code depends on its input's shape"
                )
    return traced


def checked_shapes(max_length: int) -> Iterator[tuple[int, int]]:
    """(batch, length) pairs that the trace must get right: lengths 1 to `max_length`, batches 1 to 5."""
    lengths = sorted({1, 2, 3, 8, 17, 33, max_length // 2, max_length - 1, max_length})
    for index, length in enumerate(length for length in lengths if 1 <= length <= max_length):
        yield 1, length
        yield 2 + index % 4, length


def example_inputs(names: Sequence[str], length: int, batch: int, vocabulary: int) -> tuple[Tensor, ...]:
    """Seeded random inputs, int64 [batch, length]; rows after the first are padded on the right."""
    generator = torch.Generator().manual_seed(1000 * length + batch)
    ids = torch.randint(0, vocabulary, (batch, length), generator=generator)
    lengths = torch.randint(1, length + 1, (batch,), generator=generator)
    lengths[0] = length
    mask = (torch.arange(length)[None, :] < lengths[:, None]).long()
    types = (torch.arange(length)[None, :] * 2 >= lengths[:, None]).long() * mask
    values = {"input_ids": ids * mask, "attention_mask": mask, "token_type_ids": types}
    return tuple(values[name] for name in names)


def save(traced: torch.jit.ScriptModule, path: Path) -> None:
    """Writes `path` without the debug records, which hold paths of the machine that exported."""
    buffer = io.BytesIO()
    torch.jit.save(traced, buffer)
    buffer.seek(0)
    reader = torch._C.PyTorchFileReader(buffer)
    writer = torch._C.PyTorchFileWriter(str(path))
    for name in reader.get_all_records():
        if name in RECORDS_OF_THE_WRITER or name.endswith(".debug_pkl"):
            continue
        data = reader.get_record(name)
        writer.write_record(name, data, len(data))
    writer.write_end_of_file()
