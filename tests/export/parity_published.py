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
  build/release/bin/berthad --models /tmp/parity/models --engine fused --dtype bf16 --queue-share-identical false &
  tests/export/parity_published.py --work /tmp/parity --through 127.0.0.1:8001 --dtype bf16 --alone 200

With --alone some texts are asked once more, each alone: what neighbours change.

Exit status 1 if the daemon computes by something else than --engine and --dtype; if in fp32 a |difference| of a logit
is above 1e-4 or a label differs; if in bf16 or int8 a label differs that had a larger margin than 5% or 10% of the
range of the logits; if neighbours change a logit (in bf16 and int8: by more than 1e-2, or a label).
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

import grpc  # noqa: E402
import tiny  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from bertha.v1 import bertha_pb2 as pb  # noqa: E402  (made by the build)
from bertha.v1 import bertha_pb2_grpc  # noqa: E402
from bertha_export import Request, export  # noqa: E402
from parity import DTYPES, Alone, Answers, Computed, Difference, Result, report  # noqa: E402

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
    config._attn_implementation = "eager"
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


def prepare(name: str, work: Path, texts: int, seed: int, fresh: bool = False) -> None:
    """Writes WORK/models/NAME/1, and into WORK/NAME.jsonl so many texts, unless they are there."""
    family = MODELS[name].family
    answers = work / f"{name}.jsonl"
    has_package = not fresh and (work / "models" / name / "1" / "SHA256SUMS").is_file()
    cases = cases_of(answers) if has_package and answers.is_file() else []
    if has_package and len(cases) >= texts:
        return
    tokenizer = tiny.tokenizer(family, model_max_length=MAX_LENGTH)
    network = build(name, seed)
    say(f"{name}: {sum(p.numel() for p in network.parameters()):,} parameters")
    if not has_package:
        checkpoint = work / "checkpoints" / name
        network.save_pretrained(checkpoint)
        tokenizer.save_pretrained(checkpoint)
        try:
            wish = Request(checkpoint, work / "models", max_length=MAX_LENGTH, force=True)
            export(wish, say=lambda line: say(f"  {line}"))
        finally:
            shutil.rmtree(checkpoint)
    more = make_texts(tokenizer, texts - len(cases), random.Random(seed + len(cases)))
    cases += eager_answers(name, network, tokenizer, more)
    lines = [json.dumps(case.__dict__, ensure_ascii=False) + "\n" for case in cases]
    answers.write_text("".join(lines), encoding="utf-8")


def cases_of(file: Path) -> list[Case]:
    return [Case(**json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]


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


@dataclass(frozen=True)
class Reply:
    """To some texts asked together."""

    logits: list[list[float]]
    batches: list[int]  # with how many texts each was computed, itself included


Ask = Callable[[list[str]], Reply]


def through_module(name: str, work: Path) -> Ask:
    """Answers of the package's TorchScript module, padded as its manifest says."""
    package = work / "models" / name / "1"
    manifest = json.loads((package / "bertha.json").read_text())
    module = torch.jit.load(package / "model.pt")
    tokenizer = tiny.tokenizer(MODELS[name].family)
    tokenizer.padding_side = manifest["padding"]["side"]

    def ask(texts: list[str]) -> Reply:
        batch = tokenizer(
            texts,
            truncation=True,
            max_length=manifest["max_length"],
            padding=True,
            return_token_type_ids=True,
            return_tensors="pt",
        )
        with torch.inference_mode():
            return Reply(module(*(batch[key] for key in manifest["inputs"])).tolist(), [len(texts)] * len(texts))

    return ask


def through_daemon(name: str, stub: bertha_pb2_grpc.BerthaStub) -> Ask:
    """Answers of a berthad."""

    def ask(texts: list[str]) -> Reply:
        request = pb.ClassifyRequest(
            model=name,
            inputs=[pb.TextInput(text=text) for text in texts],
            options=pb.ClassifyOptions(raw_logits=True),
        )
        results = stub.Classify(request, timeout=600).results
        return Reply([list(result.logits) for result in results], [result.batch.size for result in results])

    return ask


def connect(address: str) -> bertha_pb2_grpc.BerthaStub:
    return bertha_pb2_grpc.BerthaStub(grpc.insecure_channel(address, [("grpc.enable_http_proxy", 0)]))


def compare(name: str, cases: list[Case], ask: Ask, computed: Computed, wish: argparse.Namespace) -> Result:
    found = torch.zeros(len(cases), len(cases[0].logits))
    beside = torch.zeros(len(cases), dtype=torch.int64)
    done = 0
    for batch in random_batches(cases, random.Random(wish.seed)):
        reply = ask([cases[index].text for index in batch])
        found[batch], beside[batch] = torch.tensor(reply.logits), torch.tensor(reply.batches)
        done += len(batch)
        progress(f"{name}: compared", done, len(cases))
    expected = Answers.of(torch.tensor([case.logits for case in cases]))
    return Result(
        name=name,
        reference="transformers eager fp32",
        asked=f"{wish.engine} {wish.dtype}",
        computed=computed,
        texts=len(cases),
        tokens=sum(case.tokens for case in cases),
        labels=tuple(map(str, expected.best.unique().tolist())),
        difference=Difference.between(expected, Answers.of(found), computed.dtype),
        alone=ask_alone(name, cases, ask, found, beside, wish.alone) if wish.alone else None,
    )


def ask_alone(name: str, cases: list[Case], ask: Ask, found: torch.Tensor, beside: torch.Tensor, count: int) -> Alone:
    """Texts of all lengths that had neighbours before, now without."""
    chosen = [index for index in range(len(cases)) if beside[index] > 1]
    chosen = chosen[:: max(1, len(chosen) // count)][:count]
    alone = torch.zeros(len(chosen), found.shape[1])
    for at, index in enumerate(chosen):
        reply = ask([cases[index].text])
        assert reply.batches == [1], "somebody else asks this berthad"
        alone[at] = torch.tensor(reply.logits[0])
        progress(f"{name}: alone", at + 1, len(chosen))
    return Alone.between(Answers.of(alone), Answers.of(found[chosen]), len(chosen))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--work", type=Path, required=True, metavar="DIR", help="where packages and answers are (5 GB for all models)")
    add("--model", action="append", choices=MODELS, help="only this one (may be repeated; default: all)")
    add("--texts", type=int, default=200, metavar="N", help="texts for each model, at least (default: 200)")
    add("--seed", type=int, default=5, help="of weights, texts and batches (default: 5)")
    add("--threads", type=int, metavar="N", help="of torch (default: torch's own)")
    add("--through", metavar="ADDRESS", help="ask a running berthad, e.g. 127.0.0.1:8001")
    add("--engine", choices=("fused", "torchscript"), default="fused", help="by which it must compute (default: fused)")
    add("--dtype", choices=DTYPES, default="fp32", help="in which it must compute (default: fp32)")
    add("--alone", type=int, default=0, metavar="N", help="ask N texts of each model alone as well (default: 0)")
    add("--json", action="store_true", help="the results as JSON")
    add("--fresh", action="store_true", help="make packages and answers again")
    wish = parser.parse_args()
    if not wish.through and (wish.engine, wish.dtype) != ("fused", "fp32"):
        parser.error("--engine and --dtype are a berthad's: --through ADDRESS")
    return wish


def main() -> int:
    wish = arguments()
    warnings.simplefilter("ignore")
    if wish.threads:
        torch.set_num_threads(wish.threads)
    results = []
    for name in wish.model or MODELS:
        start = time.monotonic()
        prepare(name, wish.work, wish.texts, wish.seed, wish.fresh)
        if wish.through:
            stub = connect(wish.through)
            ask, computed = through_daemon(name, stub), Computed.by(stub, name)
        else:
            wish.engine, ask, computed = "module", through_module(name, wish.work), Computed("module", "fp32")
        results.append(compare(name, cases_of(wish.work / f"{name}.jsonl"), ask, computed, wish))
        say(f"  {name}: {results[-1].difference}, {time.monotonic() - start:.0f} s")
    return report(results, wish.json)


if __name__ == "__main__":
    sys.exit(main())
