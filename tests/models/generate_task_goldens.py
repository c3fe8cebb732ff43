#!/usr/bin/env python3
"""Writes tests/models/data/token_classification.jsonl and question_answering.jsonl: what the pipelines of `transformers`
make of the logits of tiny models with random weights, on texts of many kinds, with the tokenizers of tests/tokenizer/data.

Each line is one case: the settings, the logits of each window, and the pipeline's results. Logits are rounded (tokens:
to 1/16, which makes some equal; answers: not), the pipeline gets the rounded ones. Run it again after changing the texts:
python tests/models/generate_task_goldens.py [--seed N] [--texts N] [--out DIRECTORY]
"""

import argparse
import json
import pathlib
import random
import sys
import warnings

import numpy
import torch
import transformers
from transformers.pipelines import question_answering

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "tokenizer"))
import parity_support  # noqa: E402
from generate_goldens import SENTENCES  # noqa: E402

STRATEGIES = ("none", "simple", "first", "average", "max")
LABELS = [
    ["O", "B-DISH", "I-DISH", "B-PLACE", "I-PLACE"],
    ["PER", "LOC", "O", "ORG", "MISC"],
    ["I", "B-", "X-Y-Z", "O", "I-Y-Z"],
    ["B-O", "I-X", "B-X", "X", "O"],
    ["O", "B-A", "I-A", "B-B", "I-B", "B-C", "I-C", "B-D", "I-D", "E"],
]
PLAIN = [
    "The film is good, but the ending is a let-down.", "A good film; the dog of the lazy fox, over the city...",
    "unaffable re-tokenization isn't wrong (3.14%)", "user@example.com https://example.org/a?b=c_d #tag",
    "  two  spaces\tand\na line  ", "<unk> and[UNK]unk <unk>x [CLS]a<s> <cls> [SEP]", "", " ", "\u200b", "a", "x" * 120,
    "ÉCOLE naïve café, Straße İstanbul İ ﬁ½ e\u0301", "👨‍👩‍👧‍👦 🇩🇪👍🏽 good", "中文字符 漢字かな", "ΟΔΟΣ οδος οδοσ ΑΣΟΦΟΣ ασοφος",
]


def tiny(family, head, vocabulary, seed, labels=None):
    """A model with weights so large that its outputs vary from token to token."""
    torch.manual_seed(seed)
    sizes = dict(vocab_size=vocabulary, initializer_range=0.5, num_labels=labels or 2)
    if family == "XLNet":
        config = transformers.XLNetConfig(d_model=16, n_layer=1, n_head=2, d_inner=16, **sizes)
    else:
        config = getattr(transformers, family + "Config")(
            hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
            max_position_embeddings=1024, **sizes)
    if family == "XLNet" and head == "QuestionAnswering":
        head += "Simple"
    return getattr(transformers, f"{family}For{head}")(config).eval()


def load(family, name, **options):
    file = str(ROOT / "tests" / "tokenizer" / "data" / f"{name}.json")
    return getattr(transformers, f"{family}TokenizerFast")(tokenizer_file=file, **options)


TOKENIZERS = [("Bert", "uncased", {}), ("Bert", "cased", {"do_lower_case": False}), ("Roberta", "roberta", {}),
              ("XLNet", "xlnet_hub", {}), ("Albert", "albert_converted", {})]


def texts(rng, count):
    words = [word for text in SENTENCES for word in text.split()]
    made = list(PLAIN)
    while len(made) < max(count, 2 * len(PLAIN)):
        kind = rng.random()
        if kind < 0.4:
            made.append(parity_support.random_text(rng))
        else:
            made.append(" ".join(rng.choice(words) for _ in range(rng.randrange(3, 14))))
    rng.shuffle(made)
    return made[:count]


def number(x):
    return float(f"{float(x):.8g}")


def shortest(values):
    """float32 numbers as few digits."""
    return [json.loads(numpy.format_float_positional(x, unique=True, trim="-")) for x in values]


def spied(pipe, windows, keys, change):
    """Makes the pipeline use changed logits, and notes them, without those of padding."""
    forward = pipe._forward

    def forward_and_note(inputs):
        kept = inputs["attention_mask"][0].bool()
        outputs = forward(inputs)
        for key in keys:
            outputs[key] = change(outputs[key])
        windows.append(shortest(torch.stack([outputs[key][0][kept] for key in keys], -1).flatten().numpy()))
        return outputs

    pipe._forward = forward_and_note


def tagged(pipe, text, labels, windows, **options):
    pipe.model.config.id2label = dict(enumerate(labels))
    results = {}
    for strategy in STRATEGIES:
        if strategy == "none" and "stride" in options:
            continue  # the pipeline refuses it
        windows.clear()
        entities = pipe(text, aggregation_strategy=strategy, **options)
        if len(entities) > 1 and entities[0] is entities[1]:
            entities.pop(0)  # it gives the first entity of several windows twice if it is empty
        results[strategy] = [
            [e["start"], e["end"], e.get("entity", e.get("entity_group")), number(e["score"])] for e in entities
        ]
    return results


def token_classification(seed, count):
    cases = []
    for at, (family, name, options) in enumerate(TOKENIZERS):
        rng = random.Random(f"{seed}/{name}")
        tokenizer = load(family, name, **options)
        model = tiny(family, "TokenClassification", len(tokenizer), seed + at, max(map(len, LABELS)))
        pipe = transformers.pipeline("token-classification", model=model, tokenizer=tokenizer)
        windows = []
        width = [0]
        spied(pipe, windows, ["logits"], lambda logits: torch.round(logits[..., :width[0]] * 4) / 16)
        for i, text in enumerate(texts(rng, count)):
            labels = LABELS[i % len(LABELS)]
            width[0] = len(labels)
            tokenizer.model_max_length = 512
            case = {"tokenizer": name, "text": text, "labels": labels, "max_length": 512, "stride": 0}
            if i % 4 == 3:
                case["max_length"] = tokenizer.model_max_length = rng.choice([8, 12, 16])
                case["stride"] = rng.choice([1, 3, 5])
                results = tagged(pipe, text, labels, windows, stride=case["stride"])
            else:
                results = tagged(pipe, text, labels, windows)
            cases.append({**case, "windows": list(windows), "results": results})
    return cases


def questions(rng, count):
    sentences = SENTENCES + PLAIN[:6] + PLAIN[-4:]
    for _ in range(count):
        question = " ".join(rng.choice(sentences).split()[:rng.randrange(1, 5)]) + "?"
        parts = [rng.choice(sentences) if rng.random() < 0.8 else parity_support.random_text(rng)
                 for _ in range(rng.randrange(1, 3))]
        context = " ".join(parts).strip() or "a"
        yield question, context


def answered(pipe, question, context, **options):
    found = pipe(question=question, context=context, **options)
    found = found if isinstance(found, list) else [found]
    return [[*inside(a, len(context)), number(a["score"])] for a in found]


def inside(answer, length):
    """Without an end before the start, or behind the context."""
    start = min(int(answer["start"]), length)
    return start, max(start, min(int(answer["end"]), length))


def question_answering_cases(seed, count):
    cases = []
    select = question_answering.select_starts_ends
    no_answer = []

    def select_and_note(*arguments):
        starts, ends, scores, least = select(*arguments)
        no_answer.append(least)
        # Those of score 0 fill up what is too few; which ones is chance.
        return starts[scores > 0], ends[scores > 0], scores[scores > 0], least

    question_answering.select_starts_ends = select_and_note
    for at, (family, name, options) in enumerate(TOKENIZERS):
        if name == "cased":
            continue  # nothing new
        rng = random.Random(f"{seed}/{name}/questions")
        tokenizer = load(family, name, **options)
        model = tiny(family, "QuestionAnswering", len(tokenizer), seed + at)
        pipe = transformers.pipeline("question-answering", model=model, tokenizer=tokenizer)
        windows = []
        spied(pipe, windows, ["start", "end"], lambda logits: logits)
        for i, (question, context) in enumerate(questions(rng, count)):
            case = {"tokenizer": name, "question": question, "context": context, "top_k": rng.choice([1, 2, 5, 30]),
                    "max_answer_len": rng.choice([1, 3, 15, 40]), "max_seq_len": 384, "doc_stride": 128}
            if i % 4 == 3:  # several windows
                room = len(tokenizer(question).input_ids) + 2
                case["doc_stride"] = rng.choice([0, 2, 6])
                case["max_seq_len"] = room + case["doc_stride"] + rng.randrange(4, 16)
            settings = {key: case[key] for key in ("top_k", "max_answer_len", "max_seq_len", "doc_stride")}
            results = []
            for impossible in (False, True):
                windows.clear()
                no_answer.clear()
                results.append(answered(pipe, question, context, handle_impossible_answer=impossible, **settings))
            cases.append({**case, "windows": list(windows), "answers": results[0], "answers_or_none": results[1],
                          "no_answer": number(no_answer[-1])})
    question_answering.select_starts_ends = select
    return cases


def write(path, cases):
    lines = [json.dumps(case, ensure_ascii=False, separators=(",", ":")) + "\n" for case in cases]
    path.write_text("".join(lines), encoding="utf-8")
    print(f"{path}: {len(cases)} cases, {path.stat().st_size} bytes")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--texts", type=int, default=18, help="for each tokenizer and task")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent / "data")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    write(arguments.out / "token_classification.jsonl", token_classification(arguments.seed, arguments.texts))
    write(arguments.out / "question_answering.jsonl", question_answering_cases(arguments.seed, arguments.texts))


if __name__ == "__main__":
    main()
