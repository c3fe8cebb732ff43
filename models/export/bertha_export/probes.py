"""The golden answers that travel with a package: texts, their ids in Python, and the module's logits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from tokenizers import Tokenizer

Module = Callable[..., torch.Tensor]
JsonObject = dict[str, object]

SENTENCE = "The quick brown fox jumps over the lazy dog. "

TEXTS = (
    "",
    " ",
    "a",
    "!",
    "Hi",
    "I love it",
    "I hate it",
    "It is what it is.",
    "Thank you so much, you made my day!",
    "Worst service ever. Two hours on hold and nobody answered.",
    "The flight leaves at 09:45 from gate B12.",
    "ALL CAPITALS, VERY LOUD",
    "don't can't won't it's",
    "state-of-the-art, e-mail, co-operate",
    "3.14159 1,000,000 $5.99 50% #1 @home",
    "see https://example.com/a?b=c&d=e",
    "tabs\tand\nnew lines\r\nand   spaces",
    "naïve café, crème brûlée, Ångström",
    "cafe\u0301 decomposed",
    "Straße GRÖSSE ß",
    "Привет, мир!",
    "Γειά σου Κόσμε",
    "مرحبا بالعالم",
    "שלום עולם",
    "नमस्ते दुनिया",
    "สวัสดีชาวโลก",
    "今天天气很好。",
    "東京タワーはとても高い",
    "안녕하세요 세계",
    "great 👍🏽 thanks 😀🎉",
    "👨‍👩‍👧‍👦",
    "zero\u200bwidth\u00a0space\ufeff",
    "control\x01characters\x7f",
    "[CLS] a [SEP] b [MASK] [PAD] [UNK]",
    "supercalifragilisticexpialidocious" * 4,
    "a b c d e f g h i j k l m n o p q r s t u v w x y z",
    "?" * 40,
    SENTENCE * 3,
)
PAIRS = (
    ("Is the food good?", "The soup was wonderful."),
    ("", "only the second"),
    ("A man is playing a guitar.", "Someone makes music. 音楽 🎸"),
)


def probe_texts(tokenizer: Tokenizer, max_length: int, pairs: bool) -> list[tuple[str, str | None]]:
    """About 45 inputs, from empty to past `max_length`, in many scripts; pairs if the model takes them."""
    filled = [
        _text_of(tokenizer, length) for length in sorted({max_length // 4, max_length // 2, max_length})
    ]
    too_long = _text_of(tokenizer, max_length) + SENTENCE * 3
    texts: list[tuple[str, str | None]] = [(text, None) for text in (*TEXTS, *filled, too_long)]
    if pairs:
        texts += [*PAIRS, (too_long, "short"), ("short", too_long), (too_long, too_long)]
    return texts


def _text_of(tokenizer: Tokenizer, tokens: int) -> str:
    """A text of ordinary words that comes out at `tokens` tokens or just under."""
    words = (SENTENCE * (1 + tokens // 9)).split()
    while len(words) > 1 and len(tokenizer.encode(" ".join(words)).ids) > tokens:
        words.pop()
    return " ".join(words)


def make_probes(
    module: Module,
    tokenizer: Tokenizer,
    inputs: Sequence[str],
    max_length: int,
    texts: Sequence[tuple[str, str | None]],
) -> JsonObject:
    """The content of probes.json: every text encoded, truncated on the right, and run alone in fp32."""
    tokenizer.enable_truncation(max_length)
    try:
        return {
            "schema_version": 1,
            "probes": [_probe(module, tokenizer, inputs, text, pair) for text, pair in texts],
        }
    finally:
        tokenizer.no_truncation()


def _probe(
    module: Module, tokenizer: Tokenizer, inputs: Sequence[str], text: str, pair: str | None
) -> JsonObject:
    encoding = tokenizer.encode(text, pair)
    values = {
        "input_ids": encoding.ids,
        "attention_mask": [1] * len(encoding.ids),
        "token_type_ids": encoding.type_ids,
    }
    with torch.no_grad():
        logits = module(*(torch.tensor([values[name]], dtype=torch.int64) for name in inputs))[0]
    return {
        "text": text,
        "text_pair": pair,
        "ids": encoding.ids,
        "type_ids": encoding.type_ids,
        "logits": [shortest(value) for value in logits.numpy()],
    }


def shortest(value) -> float:  # numpy.float32
    """The number with the fewest decimal digits that reads back as the same fp32 value."""
    return float(str(value))
