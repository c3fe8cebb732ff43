"""A student: a model of any of the five families, small enough for git, that starts from the teacher's word vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from families import Family, Size
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerFast
from vocabularies import as_wordpiece

WORD_VECTOR_SCALE = 0.05  # standard deviation of the initial word vectors; positions and types start at 0.02


def untrained(
    family: Family, size: Size, task: str, labels: Sequence[str], tokenizer: PreTrainedTokenizerFast, seed: int
) -> PreTrainedModel:
    """A model for `task` ("SequenceClassification", "TokenClassification"), its weights drawn with `seed`."""
    torch.manual_seed(seed)
    config = family.config(size, tokenizer)
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: index for index, label in enumerate(labels)}
    config._attn_implementation = "eager"
    return family.model_class(task)(config)


@torch.no_grad()
def adopt_word_vectors(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    mark: str,
    teacher_vectors: Tensor,
    teacher_tokenizer: PreTrainedTokenizerFast,
) -> None:
    """Starts the student's word vectors from the teacher's ([vocabulary, wide] -> [pieces, narrow] by PCA).

    A piece that the teacher lacks starts from the mean of the teacher's pieces of it. `mark` is the family's.
    """
    vocabulary = tokenizer.get_vocab()
    pieces = [as_wordpiece(piece, mark) for piece in sorted(vocabulary, key=vocabulary.__getitem__)]
    known = teacher_tokenizer.get_vocab()
    wide = torch.stack([teacher_vectors[_teacher_ids(piece, known, teacher_tokenizer)].mean(0) for piece in pieces])
    wide = wide - wide.mean(0)
    _, _, directions = torch.linalg.svd(wide, full_matrices=False)
    vectors = model.get_input_embeddings().weight
    narrow = wide @ directions[: vectors.shape[1]].T
    vectors.copy_(narrow / narrow.std() * WORD_VECTOR_SCALE)
    vectors[tokenizer.pad_token_id].zero_()
    for name, weight in model.named_parameters():
        if name.endswith("token_type_embeddings.weight"):
            weight.zero_()


def _teacher_ids(piece: str, known: Mapping[str, int], teacher: PreTrainedTokenizerFast) -> list[int]:
    if piece in known:
        return [known[piece]]
    return teacher.encode(piece.removeprefix("##"), add_special_tokens=False) or [teacher.unk_token_id]
