"""The four kinds of vocabulary, trained on the demo's own texts, each with its family's published settings.

What a family's vocabulary has in common with the published one: special tokens and their ids, normalizer,
pre-tokenizer, post-processor. The pieces are those of the texts. SentencePiece's table of characters is left out
of XLNet's and ALBERT's normalizer: after NFKD it only clears away control characters.
"""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AlbertTokenizerFast,
    BertTokenizerFast,
    DistilBertTokenizerFast,
    PreTrainedTokenizerFast,
    RobertaTokenizerFast,
    XLNetTokenizerFast,
)

BERT_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ROBERTA_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", AddedToken("<mask>", lstrip=True, normalized=False)]
XLNET_SPECIAL = ["<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>"]
ALBERT_SPECIAL = ["<pad>", "<unk>", "[CLS]", "[SEP]", AddedToken("[MASK]", lstrip=True, normalized=False)]
BERT_TEMPLATE = ("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1")
XLNET_TEMPLATE = ("$A <sep> <cls>:2", "$A <sep> $B:1 <sep>:1 <cls>:2")


def _template(tokenizer: Tokenizer, single: str, pair: str, special: Sequence[str]) -> processors.PostProcessor:
    tokens = [(token, tokenizer.token_to_id(token)) for token in special]
    return processors.TemplateProcessing(single=single, pair=pair, special_tokens=tokens)


def _wordpiece(texts: Sequence[str], size: int) -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=size, special_tokens=BERT_SPECIAL, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = _template(tokenizer, *BERT_TEMPLATE, ("[CLS]", "[SEP]"))
    return tokenizer


def bert(texts: Sequence[str], size: int, max_length: int) -> PreTrainedTokenizerFast:
    """Uncased WordPiece."""
    return BertTokenizerFast(
        tokenizer_object=_wordpiece(texts, size), model_max_length=max_length, do_lower_case=True
    )


def distilbert(texts: Sequence[str], size: int, max_length: int) -> PreTrainedTokenizerFast:
    """The same as BERT's; its model takes no token types."""
    return DistilBertTokenizerFast(
        tokenizer_object=_wordpiece(texts, size), model_max_length=max_length, do_lower_case=True
    )


def roberta(texts: Sequence[str], size: int, max_length: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE, cased."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=ROBERTA_SPECIAL,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(sep=("</s>", 2), cls=("<s>", 0), add_prefix_space=False)
    return RobertaTokenizerFast(tokenizer_object=tokenizer, model_max_length=max_length)


def _unigram(
    texts: Sequence[str], size: int, special: Sequence[str | AddedToken], more: Sequence[normalizers.Normalizer]
) -> Tokenizer:
    tokenizer = _spaced(Tokenizer(models.Unigram()), more)
    trainer = trainers.UnigramTrainer(
        vocab_size=size, special_tokens=list(special), unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _spaced(tokenizer: Tokenizer, more: Sequence[normalizers.Normalizer]) -> Tokenizer:
    """With XLNet's and ALBERT's normalizer, to which `more` is added, and a mark for the spaces."""
    quotes = [normalizers.Replace(quote, '"') for quote in ("``", "''")]
    tokenizer.normalizer = normalizers.Sequence([*quotes, normalizers.NFKD(), normalizers.StripAccents(), *more])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")]
    )
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


def xlnet(texts: Sequence[str], size: int, max_length: int) -> PreTrainedTokenizerFast:
    """Cased Unigram; `<sep> <cls>` ends a text, the fill goes before it."""
    tokenizer = _unigram(texts, size, XLNET_SPECIAL, [])
    tokenizer.post_processor = _template(tokenizer, *XLNET_TEMPLATE, ("<cls>", "<sep>"))
    return XLNetTokenizerFast(tokenizer_object=tokenizer, model_max_length=max_length)


def albert(texts: Sequence[str], size: int, max_length: int) -> PreTrainedTokenizerFast:
    """Uncased Unigram between BERT's special tokens."""
    return _albert(_unigram(texts, size, ALBERT_SPECIAL, [normalizers.Lowercase()]), max_length)


def _albert(tokenizer: Tokenizer, max_length: int) -> PreTrainedTokenizerFast:
    tokenizer.post_processor = _template(tokenizer, *BERT_TEMPLATE, ("[CLS]", "[SEP]"))
    return AlbertTokenizerFast(tokenizer_object=tokenizer, model_max_length=max_length)


def bert_of(pieces: Sequence[str], max_length: int) -> PreTrainedTokenizerFast:
    """Uncased WordPiece of these pieces, written as WordPiece writes them."""
    vocabulary = {piece: index for index, piece in enumerate([*BERT_SPECIAL, *pieces])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = _template(tokenizer, *BERT_TEMPLATE, ("[CLS]", "[SEP]"))
    return BertTokenizerFast(tokenizer_object=tokenizer, model_max_length=max_length, do_lower_case=True)


def albert_of(pieces: Sequence[str], max_length: int) -> PreTrainedTokenizerFast:
    """Uncased Unigram of the same pieces. All score alike, so that a word becomes as few of them as can be; among
    equals those that come first.
    """
    marked = [
        piece.removeprefix("##") if piece.startswith("##") else "▁" + piece if piece.isalnum() else piece
        for piece in pieces
    ]
    known = dict.fromkeys([*marked, "▁"])
    scored = [(str(special), 0.0) for special in ALBERT_SPECIAL]
    scored += [(piece, -10.0 - 1e-5 * rank) for rank, piece in enumerate(known)]
    tokenizer = _spaced(Tokenizer(models.Unigram(scored, unk_id=1)), [normalizers.Lowercase()])
    return _albert(tokenizer, max_length)


def as_wordpiece(piece: str, mark: str) -> str:
    """How WordPiece would spell a piece of a vocabulary whose words begin with `mark` (`##` ones do not).

    Punctuation is a word by itself in WordPiece.
    """
    if mark == "##":
        return piece
    if piece.startswith(mark):
        return piece.removeprefix(mark).lower()
    return f"##{piece.lower()}" if piece[:1].isalnum() else piece.lower()
