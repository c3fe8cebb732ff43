"""PyTorch module -> TorchScript module that takes any batch size and length, and the proof that it does."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from bertha_export.errors import ExportError, first_line

TOLERANCE = 1e-5  # largest |difference| of an output between the traced and the original module
PADDING_TOLERANCE = 1e-4  # of a text alone and in a padded batch: what a package is held to when it is loaded
EXAMPLE_SHAPE = (2, 7)
LONGEST_BATCHED = 1024  # tokens; longer inputs are checked one at a time
RECORDS_OF_THE_WRITER = {
    "version",
    "byteorder",
    ".data/serialization_id",
    ".format_version",
    ".storage_alignment",
}


@dataclass(frozen=True)
class Inputs:
    """What `forward` takes: `names` in order, ids below `vocabulary`, types below `types`, and how rows are padded."""

    names: tuple[str, ...]
    vocabulary: int
    types: int
    pad_id: int
    pad_type_id: int
    padding_side: str

    def example(self, batch: int, length: int) -> dict[str, Tensor]:
        """Seeded random inputs, int64 [batch, length], by name; rows after the first are padded."""
        generator = torch.Generator().manual_seed(1000 * length + batch)
        lengths = torch.randint(1, length + 1, (batch, 1), generator=generator)
        lengths[0] = length
        places = torch.arange(length)[None, :]
        mask = places < lengths if self.padding_side == "right" else places >= length - lengths
        ids = torch.randint(0, self.vocabulary, (batch, length), generator=generator)
        types = torch.randint(0, self.types, (batch, length), generator=generator)
        return {
            "input_ids": ids.where(mask, self.pad_id),
            "attention_mask": mask.long(),
            "token_type_ids": types.where(mask, self.pad_type_id),
        }

    def ordered(self, values: dict[str, Tensor]) -> tuple[Tensor, ...]:
        """The values that `forward` takes."""
        return tuple(values[name] for name in self.names)


class FirstOutput(nn.Module):
    """`forward(*inputs)` gives the first output of the Hugging Face module, the inputs in the order of `names`.

    The module is the attribute `model`, so weights keep their names behind that prefix.
    """

    def __init__(self, model: nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.model = model
        self._names = names

    def forward(self, *inputs: Tensor) -> Tensor:
        return self._outputs(inputs)[0]

    def _outputs(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return self.model(**dict(zip(self._names, inputs, strict=True)), return_dict=False)


class StartAndEnd(FirstOutput):
    """The start and end logits of a question answerer as one tensor [batch, length, 2]."""

    def forward(self, *inputs: Tensor) -> Tensor:
        start, end = self._outputs(inputs)[:2]
        return torch.stack((start, end), dim=-1)


def trace(module: nn.Module, inputs: Inputs, max_length: int) -> torch.jit.ScriptModule:
    """The module as TorchScript, checked at many shapes. Raises ExportError if it differs from `module`."""
    module.eval()
    with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            example = inputs.ordered(inputs.example(EXAMPLE_SHAPE[0], min(EXAMPLE_SHAPE[1], max_length)))
            traced = torch.jit.trace(module, example, check_trace=False)
            for batch, length in checked_shapes(max_length):
                _check_shape(module, traced, inputs, batch, length)
            _check_padding(traced, inputs, min(33, max_length))
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise ExportError(f"the model cannot be traced: {first_line(error)}") from error
    return traced


def checked_shapes(max_length: int) -> Iterator[tuple[int, int]]:
    """(batch, length) pairs that the trace must get right: lengths 1 to `max_length`, batches 1 to 5."""
    lengths = sorted({1, 2, 3, 8, 17, 33, max_length // 2, max_length - 1, max_length})
    for index, length in enumerate(length for length in lengths if 1 <= length <= max_length):
        yield 1, length
        if length <= LONGEST_BATCHED:
            yield 2 + index % 4, length


def _check_shape(module: nn.Module, traced: nn.Module, inputs: Inputs, batch: int, length: int) -> None:
    values = inputs.ordered(inputs.example(batch, length))
    expected = module(*values)
    if not expected.isfinite().all():
        raise ExportError("the model's outputs are not finite: its weights are damaged")
    difference = (traced(*values) - expected).abs().max().item()
    if not difference <= TOLERANCE:
        raise ExportError(
            f"the traced module differs from the original by {difference:.2g} "
            f"at batch {batch}, length {length}: the model's code depends on its input's shape"
        )


def _check_padding(traced: nn.Module, inputs: Inputs, length: int) -> None:
    """A row must come out of a padded batch as it does alone."""
    values = inputs.example(4, length)
    together = traced(*inputs.ordered(values))
    for row, mask in enumerate(values["attention_mask"].bool()):
        alone = traced(*inputs.ordered({name: value[row][mask][None] for name, value in values.items()}))[0]
        found = together[row] if together.dim() == 2 else together[row][mask]
        difference = (found - alone).abs().max().item()
        if not difference <= PADDING_TOLERANCE:
            raise ExportError(
                f"an input padded on the {inputs.padding_side} in a batch differs by {difference:.2g} from the same "
                "alone: the model's head reads the padding (XLNet's summary_type?), and cannot be served in batches"
            )


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
