"""The five model families of the demo, small: how each is configured and which vocabulary it reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import transformers as hf
import vocabularies
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

DROPOUT = 0.1


@dataclass(frozen=True)
class Size:
    """`layers` of `hidden` numbers with `heads` heads over a vocabulary of `pieces`; the feed-forward part is four
    times as wide. `embedding` is the width of ALBERT's word vectors.
    """

    layers: int
    hidden: int
    heads: int
    pieces: int
    max_length: int
    embedding: int = 128


@dataclass(frozen=True)
class Family:
    """`config(size, tokenizer)` makes the configuration; `mark` begins the pieces that begin a word, except that
    `##` begins the others.
    """

    title: str
    prefix: str
    vocabulary: Callable[[Sequence[str], int, int], PreTrainedTokenizerFast]
    mark: str
    config: Callable[[Size, PreTrainedTokenizerFast], PretrainedConfig]

    def model_class(self, task: str) -> type[PreTrainedModel]:
        """`task` is what the class's name says after `For`."""
        return getattr(hf, f"{self.prefix}For{task}")


def _bert_like(size: Size, tokenizer: PreTrainedTokenizerFast) -> dict[str, object]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": size.hidden,
        "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads,
        "intermediate_size": 4 * size.hidden,
        "max_position_embeddings": size.max_length,
        "type_vocab_size": 2,
        "pad_token_id": tokenizer.pad_token_id,
        "hidden_dropout_prob": DROPOUT,
        "attention_probs_dropout_prob": DROPOUT,
    }


def _bert(size: Size, tokenizer: PreTrainedTokenizerFast) -> PretrainedConfig:
    return hf.BertConfig(**_bert_like(size, tokenizer))


def _roberta(size: Size, tokenizer: PreTrainedTokenizerFast) -> PretrainedConfig:
    """Its positions count from the fill's id + 1."""
    settings = _bert_like(size, tokenizer) | {
        "max_position_embeddings": size.max_length + tokenizer.pad_token_id + 1,
        "type_vocab_size": 1,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    return hf.RobertaConfig(**settings)


def _distilbert(size: Size, tokenizer: PreTrainedTokenizerFast) -> PretrainedConfig:
    return hf.DistilBertConfig(
        vocab_size=len(tokenizer),
        dim=size.hidden,
        n_layers=size.layers,
        n_heads=size.heads,
        hidden_dim=4 * size.hidden,
        max_position_embeddings=size.max_length,
        pad_token_id=tokenizer.pad_token_id,
        dropout=DROPOUT,
        attention_dropout=DROPOUT,
        seq_classif_dropout=DROPOUT,
    )


def _xlnet(size: Size, tokenizer: PreTrainedTokenizerFast) -> PretrainedConfig:
    return hf.XLNetConfig(
        vocab_size=len(tokenizer),
        d_model=size.hidden,
        n_layer=size.layers,
        n_head=size.heads,
        d_inner=4 * size.hidden,
        dropout=DROPOUT,
        summary_last_dropout=DROPOUT,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )


def _albert(size: Size, tokenizer: PreTrainedTokenizerFast) -> PretrainedConfig:
    """`layers` is how often its one layer is repeated."""
    return hf.AlbertConfig(
        **_bert_like(size, tokenizer),
        embedding_size=size.embedding,
        classifier_dropout_prob=DROPOUT,
        bos_token_id=tokenizer.cls_token_id,
        eos_token_id=tokenizer.sep_token_id,
    )


FAMILIES = {
    "bert": Family("BERT", "Bert", vocabularies.bert, "##", _bert),
    "roberta": Family("RoBERTa", "Roberta", vocabularies.roberta, "Ġ", _roberta),
    "distilbert": Family("DistilBERT", "DistilBert", vocabularies.distilbert, "##", _distilbert),
    "xlnet": Family("XLNet", "XLNet", vocabularies.xlnet, "▁", _xlnet),
    "albert": Family("ALBERT", "Albert", vocabularies.albert, "▁", _albert),
}
