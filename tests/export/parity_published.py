#!/usr/bin/env python3
"""Do packages of the published sizes answer as transformers does?

Makes a seeded sequence classifier with random weights at the size of each of nine published checkpoints, exports it
with bertha-export, and compares logits with transformers' eager fp32 model, which computes each text alone, unpadded:
  without --through   the package's TorchScript module, in random padded batches
  with --through      a running berthad that serves WORK/models, over gRPC in random batches

What it needs stays in WORK, made once unless --fresh: models/NAME/1 (the packages) and NAME.jsonl (a line
{"text", "tokens", "logits"} for each text). Weights are drawn wider than transformers does, so that attention,
positions and token types count, and logits spread over about 1. The tokenizers are those of tests/tokenizer/data:
their vocabularies are small, the embedding tables have the published size.

  tests/export/parity_published.py --work /tmp/parity
  build/release/bin/berthad --models /tmp/parity/models &
  tests/export/parity_published.py --work /tmp/parity --through 127.0.0.1:8001

Exit status 1 if any |difference| of a logit is above 1e-4 or any label differs.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "models" / "export"), str(ROOT / "clients" / "python"), str(ROOT / "tests" / "export")]

import tiny  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from bertha_export import Request, export  # noqa: E402

TOLERANCE = 1e-4
MAX_LENGTH = 512
LARGEST_BATCH = 16
BASE = dict(hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072)
ROBERTA = dict(vocab_size=50265, max_position_embeddings=514, type_vocab_size=1, layer_norm_eps=1e-5)
DISTILBERT = dict(dim=768, n_layers=6, n_heads=12, hidden_dim=3072)
ALBERT = {**BASE, "vocab_size": 30000, "embedding_size": 128}


@dataclass(frozen=True)
class Model:
    """A family of tests/export/tiny.py, and the published configuration where it is not the family's default."""

    family: str
    sizes: dict[str, object]


MODELS = {
    "bert-base-cased": Model("bert", {**BASE, "vocab_size": 28996}),
    "bert-base-multilingual-cased": Model("bert", {**BASE, "vocab_size": 119547}),
    "roberta-base": Model("roberta", {**BASE, **ROBERTA}),
    "distilroberta-base": Model("roberta", {**BASE, **ROBERTA, "num_hidden_layers": 6}),
    "distilbert-base-uncased": Model("distilbert", {**DISTILBERT, "vocab_size": 30522}),
    "distilbert-base-multilingual-cased": Model("distilbert", {**DISTILBERT, "vocab_size": 119547}),
    "xlnet-base-cased": Model("xlnet", dict(d_model=768, n_layer=12, n_head=12, d_inner=3072, vocab_size=32000)),
    "albert-base-v1": Model("albert", {**ALBERT, "hidden_act": "gelu"}),
    "albert-base-v2": Model("albert", {**ALBERT, "hidden_act": "gelu_new"}),
}


@dataclass(frozen=True)
class Case:
    """A text and what the eager model says of it."""

    text: str
    tokens: int
    logits: list[float]


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def progress(name: str, done: int, total: int) -> None:
    """One line that counts, where somebody watches."""
    if sys.stderr.isatty():
        print(f"\r  {name} {done}/{total}", end="\n" if done == total else "", file=sys.stderr, flush=True)


def build(name: str, seed: int) -> torch.nn.Module:
    """The published architecture with seeded weights, in eval mode."""
    model = MODELS[name]
    kind = tiny.KINDS[model.family]
    sizes = {"max_position_embeddings": 512} | model.sizes if model.family != "xlnet" else model.sizes
    config = getattr(transformers, f"{kind.prefix}Config")(**sizes, num_labels=3, initializer_range=0.04)
    torch.manual_seed(seed)
    network = getattr(transformers, f"{kind.prefix}ForSequenceClassification")(config).eval()
    heads = [m for m in network.modules() if isinstance(m, torch.nn.Linear) and m.out_features == 3]
    torch.nn.init.normal_(heads[-1].weight, std=0.1)
    return network


def make_texts(tokenizer, count: int, rng: random.Random) -> list[str]:
    """Texts of 1 to 512 tokens, evenly spread: words, numbers and signs of many scripts."""
    words = (
        "the a quick brown fox jumps over lazy dog I love hate it was great film but ending not so good, really! 3.14 "
        "naïve café Straße Привет мир Γειά مرحبا שלום नमस्ते 今天天气很好 東京 안녕 👍🏽 don't state-of-the-art 1,000 $5 #1 @home"
    ).split()
    texts = []
    for index in range(count):
        wanted = 1 + index * (MAX_LENGTH - 1) // max(1, count - 1)
        chosen: list[str] = []
        while len(tokenizer(" ".join(chosen))["input_ids"]) < wanted:
            chosen.append(rng.choice(words))
        texts.append(" ".join(chosen))
    return texts


def prepare(name: str, work: Path, count: int, seed: int) -> None:
    """Writes WORK/models/NAME/1 and WORK/NAME.jsonl."""
    family = MODELS[name].family
    tokenizer = tiny.tokenizer(family, model_max_length=MAX_LENGTH)
    checkpoint = work / "checkpoints" / name
    network = build(name, seed)
    say(f"{name}: {sum(p.numel() for p in network.parameters()):,} parameters")
    network.save_pretrained(checkpoint)
    tokenizer.save_pretrained(checkpoint)
    del network
    try:
        wish = Request(checkpoint, work / "models", max_length=MAX_LENGTH, force=True)
        export(wish, say=lambda line: say(f"  {line}"))
        eager = getattr(transformers, tiny.architecture(family, "sequence-classification")).from_pretrained(
            checkpoint, attn_implementation="eager", dtype=torch.float32
        )
    finally:
        shutil.rmtree(checkpoint)
    cases = list(eager_answers(name, eager.eval(), tokenizer, make_texts(tokenizer, count, random.Random(seed))))
    lines = [json.dumps(case.__dict__, ensure_ascii=False) + "\n" for case in cases]
    (work / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")


def eager_answers(name: str, model: torch.nn.Module, tokenizer, texts: list[str]) -> Iterator[Case]:
    for index, text in enumerate(texts, 1):
        batch = tokenizer(text, truncation=True, max_length=MAX_LENGTH, return_tensors="pt")
        with torch.inference_mode():
            logits = model(**batch).logits[0]
        progress(f"{name}: eager", index, len(texts))
        yield Case(text, batch["input_ids"].shape[1], logits.tolist())


def random_batches(cases: list[Case], rng: random.Random) -> Iterator[list[int]]:
    """Every index once, in random company."""
    order = list(range(len(cases)))
    rng.shuffle(order)
    while order:
        size = rng.randint(1, LARGEST_BATCH)
        yield order[:size]
        order = order[size:]


def through_module(name: str, work: Path) -> Callable[[list[str]], list[list[float]]]:
    """Answers of the package's TorchScript module, padded as its manifest says."""
    package = work / "models" / name / "1"
    manifest = json.loads((package / "bertha.json").read_text())
    module = torch.jit.load(package / "model.pt")
    tokenizer = tiny.tokenizer(MODELS[name].family)
    tokenizer.padding_side = manifest["padding"]["side"]

    def answer(texts: list[str]) -> list[list[float]]:
        batch = tokenizer(
            texts,
            truncation=True,
            max_length=manifest["max_length"],
            padding=True,
            return_token_type_ids=True,
            return_tensors="pt",
        )
        with torch.inference_mode():
            return module(*(batch[key] for key in manifest["inputs"])).tolist()

    return answer


def through_daemon(name: str, address: str) -> Callable[[list[str]], list[list[float]]]:
    """Answers of a berthad at `address`."""
    import grpc
    from bertha.v1 import bertha_pb2, bertha_pb2_grpc  # made by the build

    stub = bertha_pb2_grpc.BerthaStub(grpc.insecure_channel(address, [("grpc.enable_http_proxy", 0)]))

    def answer(texts: list[str]) -> list[list[float]]:
        request = bertha_pb2.ClassifyRequest(
            model=name,
            inputs=[bertha_pb2.TextInput(text=text) for text in texts],
            options=bertha_pb2.ClassifyOptions(raw_logits=True),
        )
        return [list(result.logits) for result in stub.Classify(request, timeout=600).results]

    return answer


@dataclass(frozen=True)
class Result:
    """How far the answers of a model are from the eager ones."""

    name: str
    texts: int
    tokens: int
    largest: float
    spread: float
    labels: int

    def good(self) -> bool:
        return self.largest <= TOLERANCE and self.labels == 0


def compare(name: str, work: Path, answer: Callable[[list[str]], list[list[float]]], seed: int) -> Result:
    lines = (work / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    cases = [Case(**json.loads(line)) for line in lines]
    found = torch.zeros(len(cases), len(cases[0].logits))
    done = 0
    for batch in random_batches(cases, random.Random(seed)):
        found[batch] = torch.tensor(answer([cases[index].text for index in batch]))
        done += len(batch)
        progress(f"{name}: compared", done, len(cases))
    expected = torch.tensor([case.logits for case in cases])
    return Result(
        name=name,
        texts=len(cases),
        tokens=sum(case.tokens for case in cases),
        largest=(found - expected).abs().max().item(),
        spread=expected.std().item(),
        labels=int((found.argmax(1) != expected.argmax(1)).sum()),
    )


def table(results: list[Result]) -> str:
    rows = [f"{'model':36}{'texts':>7}{'tokens':>9}{'logits std':>12}{'max |Δlogit|':>14}{'labels differ':>15}"]
    rows += [
        f"{r.name:36}{r.texts:7}{r.tokens:9}{r.spread:12.3f}{r.largest:14.2e}{r.labels:15}" for r in results
    ]
    return "\n".join(rows)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--work", type=Path, required=True, metavar="DIR", help="where packages and answers are (5 GB for all models)")
    add("--model", action="append", choices=MODELS, help="only this one (may be repeated; default: all)")
    add("--texts", type=int, default=200, metavar="N", help="texts for each model (default: 200)")
    add("--seed", type=int, default=5, help="of weights, texts and batches (default: 5)")
    add("--threads", type=int, metavar="N", help="of torch (default: torch's own)")
    add("--through", metavar="ADDRESS", help="ask a running berthad, e.g. 127.0.0.1:8001")
    add("--fresh", action="store_true", help="make packages and answers again")
    return parser.parse_args()


def main() -> int:
    wish = arguments()
    warnings.simplefilter("ignore")
    if wish.threads:
        torch.set_num_threads(wish.threads)
    results = []
    for name in wish.model or MODELS:
        start = time.monotonic()
        if wish.fresh or not (wish.work / f"{name}.jsonl").is_file():
            prepare(name, wish.work, wish.texts, wish.seed)
        answer = through_daemon(name, wish.through) if wish.through else through_module(name, wish.work)
        results.append(compare(name, wish.work, answer, wish.seed))
        say(f"  {name}: max |Δlogit| {results[-1].largest:.2e}, {time.monotonic() - start:.0f} s")
    print(table(results))
    return 0 if all(result.good() for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
