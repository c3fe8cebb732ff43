"""The golden answers that travel with a package: texts, their ids in Python, and the module's outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer

from bertha_export.errors import ExportError

Module = Callable[..., torch.Tensor]
JsonObject = dict[str, object]
Text = tuple[str, str | None]

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


QUESTIONS = (
    "What was good?",
    "Who?",
    "Où est la gare ?",
    "Сколько это стоит?",
    "什么时候？",
    "When does the flight leave, from which gate, and how long is the queue?",
)
QUICK_LENGTH = 128  # of inputs that cost a server nothing when it checks the package; of longer ones two are enough
MOST_NUMBERS = 150_000  # in probes.json where each token has a row of them: about 1.8 MB of text


@dataclass(frozen=True)
class Kind:
    """What the model takes: texts, texts and `pairs` of them, or `questions` (pairs only) with their contexts.

    `context_first`: the context comes before the question, as the pipeline has it for tokenizers that pad on the left.
    `row_width`: numbers for each token, None if there is one row for the whole input.
    """

    pairs: bool
    questions: bool = False
    context_first: bool = False
    row_width: int | None = None


def probe_texts(tokenizer: Tokenizer, max_length: int, kind: Kind) -> list[Text]:
    """About 45 inputs, from empty to past `max_length`, in many scripts; fewer and shorter ones if rows are wide."""
    filled = [_text_of(tokenizer, length) for length in sorted({max_length // 4, max_length // 2})]
    too_long = _text_of(tokenizer, max_length) + " " + SENTENCE * 3
    texts: list[Text] = [(text, None) for text in (*TEXTS, *filled, too_long)]
    if kind.questions:
        texts = [(QUESTIONS[index % len(QUESTIONS)], text) for index, (text, _) in enumerate(texts) if text]
        texts = [(context, question) if kind.context_first else (question, context) for question, context in texts]
    elif kind.pairs:
        texts += [*PAIRS, (too_long, too_long)]
        if max_length <= QUICK_LENGTH:
            texts += [(too_long, "short"), ("short", too_long)]
    if kind.row_width is None:
        return texts
    return _affordable(tokenizer, max_length, texts, MOST_NUMBERS // kind.row_width)


def _affordable(tokenizer: Tokenizer, max_length: int, texts: list[Text], tokens: int) -> list[Text]:
    """The texts that `tokens` tokens pay for, every third one first so that all kinds get their turn.

    Also one text of a quarter of the tokens, which is the most that goes to a single text.
    """
    longest = tokens // 4
    if all(pair is None for _, pair in texts) and longest < max_length:
        texts = [(_text_of(tokenizer, longest), None), *texts]
    chosen = []
    for index in sorted(range(len(texts)), key=lambda index: (index % 3, index)):
        length = min(max_length, len(tokenizer.encode(*texts[index]).ids))
        if length <= min(tokens, longest):
            tokens -= length
            chosen.append(index)
    if not chosen:
        raise ExportError(f"a token's output is so wide that no probe fits into {MOST_NUMBERS:,} numbers")
    return [texts[index] for index in sorted(chosen)]


def _text_of(tokenizer: Tokenizer, tokens: int) -> str:
    """A text of ordinary words that comes out at `tokens` tokens or just under."""
    words = (SENTENCE * (1 + tokens // 9)).split()
    while len(words) > 1 and len(tokenizer.encode(" ".join(words)).ids) > tokens:
        words.pop()
    return " ".join(words)


def make_probes(
    module: Module, tokenizer: Tokenizer, inputs: Sequence[str], max_length: int, texts: Sequence[Text]
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


def _probe(module: Module, tokenizer: Tokenizer, inputs: Sequence[str], text: str, pair: str | None) -> JsonObject:
    encoding = tokenizer.encode(text, pair)
    values = {
        "input_ids": encoding.ids,
        "attention_mask": [1] * len(encoding.ids),
        "token_type_ids": encoding.type_ids,
    }
    with torch.no_grad():
        outputs = module(*(torch.tensor([values[name]], dtype=torch.int64) for name in inputs))[0]
    return {
        "text": text,
        "text_pair": pair,
        "ids": encoding.ids,
        "type_ids": encoding.type_ids,
        "logits": [shortest(value) for value in outputs.flatten().numpy()],
    }


def shortest(value) -> float:  # numpy.float32
    """The number with the fewest decimal digits that reads back as the same fp32 value."""
    return float(str(value))
