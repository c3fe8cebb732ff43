"""The student: a BERT small enough for git, with its own vocabulary and word vectors from the teacher."""

from __future__ import annotations

from collections.abc import Sequence

import corpus
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor
from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

VOCABULARY = 7000
MAX_LENGTH = 128
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORD_VECTOR_SCALE = 0.05  # standard deviation of the initial word vectors; positions and types start at 0.02


def train_tokenizer(texts: Sequence[str]) -> BertTokenizerFast:
    """An uncased WordPiece tokenizer of the commonest pieces of `texts`, random tails of links left out."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=VOCABULARY, special_tokens=SPECIAL, show_progress=False)
    tokenizer.train_from_iterator((corpus.shorten_links(text) for text in texts), trainer)
    special = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=special
    )
    return BertTokenizerFast(tokenizer_object=tokenizer, model_max_length=MAX_LENGTH, do_lower_case=True)


def encode(tokenizer: BertTokenizerFast, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of each text, truncated to MAX_LENGTH."""
    return tokenizer(list(texts), truncation=True, max_length=MAX_LENGTH)["input_ids"]


def untrained(tokenizer: BertTokenizerFast, seed: int) -> BertForSequenceClassification:
    """Two layers of 128, four heads; weights drawn with `seed`."""
    torch.manual_seed(seed)
    return BertForSequenceClassification(
        BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=512,
            max_position_embeddings=MAX_LENGTH,
            type_vocab_size=2,
            pad_token_id=tokenizer.pad_token_id,
            hidden_dropout_prob=0.1,
            attention_probs_dropout_prob=0.1,
            attn_implementation="eager",
            id2label=dict(enumerate(corpus.LABELS)),
            label2id={label: i for i, label in enumerate(corpus.LABELS)},
        )
    )


@torch.no_grad()
def adopt_word_vectors(
    model: BertForSequenceClassification,
    tokenizer: BertTokenizerFast,
    teacher_vectors: Tensor,
    teacher_tokenizer: Tokenizer,
) -> None:
    """Starts the student's word vectors from the teacher's ([vocabulary, wide] -> [pieces, 128] by PCA).

    A piece that the teacher lacks starts from the mean of the teacher's pieces of it.
    """
    vocabulary = tokenizer.get_vocab()
    pieces = sorted(vocabulary, key=vocabulary.__getitem__)
    wide = torch.stack([teacher_vectors[_teacher_ids(piece, teacher_tokenizer)].mean(0) for piece in pieces])
    wide = wide - wide.mean(0)
    _, _, directions = torch.linalg.svd(wide, full_matrices=False)
    narrow = wide @ directions[: model.config.hidden_size].T
    embeddings = model.bert.embeddings
    embeddings.word_embeddings.weight.copy_(narrow / narrow.std() * WORD_VECTOR_SCALE)
    embeddings.word_embeddings.weight[model.config.pad_token_id].zero_()
    embeddings.token_type_embeddings.weight.zero_()


def _teacher_ids(piece: str, teacher: Tokenizer) -> list[int]:
    whole = teacher.token_to_id(piece)
    if whole is not None:
        return [whole]
    return teacher.encode(piece.removeprefix("##"), add_special_tokens=False).ids or [
        teacher.token_to_id("[UNK]")
    ]
