#!/usr/bin/env python3
"""Do the demo models, served by berthad, answer as transformers does?

Starts a berthad with the packages of demo/models and asks it for 1,000 texts a model, in random batches from several
callers at once; the answers are compared with transformers' eager fp32 model, which computes each text alone, unpadded.
The texts are of many scripts and made-up reviews, seeded: half of them of 1 token up to as many as the model takes,
half up to 512, which both sides cut. With --alone some are asked once more, each alone: what neighbours change.

The eager model is the checkpoint that was exported, where the training scripts' work folder still has it or it is
installed; else transformers' own class, with the weights read out of the package: `reference` in --json says which.

What is compared: the logits, over gRPC. TagTokens has none: of a token classifier each token's best label and its
probability are compared. So that the server tells them of tokens outside of entities too, their label has another name
in the package that is served. Of an encoder the vectors of tokens are compared, which decide nothing.

Exit status as that of parity_published.py. A difference of 1e-4 in a logit is one of 0.25e-4 in a probability.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "demo"
FOLDERS = ("demo", "models/export", "clients/python", "tests/e2e", "tests/export")
sys.path[:0] = [str(ROOT / folder) for folder in FOLDERS]

import checkpoint  # noqa: E402
import dishes  # noqa: E402
import grpc  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from bertha.v1 import bertha_pb2 as pb  # noqa: E402  (made by the build)
from bertha.v1 import bertha_pb2_grpc  # noqa: E402
from e2e_support import Daemon, copy_package, edit_json, seal  # noqa: E402
from e2e_texts import LINES  # noqa: E402
from parity import DTYPES, Alone, Answers, Computed, Difference, Result, report  # noqa: E402
from parity_published import progress, random_batches, say  # noqa: E402
from torch import Tensor  # noqa: E402
from transformers import PreTrainedTokenizerFast  # noqa: E402

TEXTS = 1000
LONGEST = 512  # tokens
CALLERS = 3
CLASSIFICATION, TAGGING, EMBEDDINGS = "sequence-classification", "token-classification", "embeddings"


@dataclass(frozen=True)
class Wish:
    """What to measure."""

    texts: int = TEXTS
    seed: int = 5
    dtype: str = "fp32"
    alone: int = 0
    threads: int = 1


@dataclass(frozen=True)
class Package:
    """A package of demo/models, and what transformers needs to compute the same."""

    folder: Path
    work: Path  # of the training scripts

    @property
    def name(self) -> str:
        return self.folder.parent.name

    @cached_property
    def manifest(self) -> dict:
        return json.loads((self.folder / "bertha.json").read_text(encoding="utf-8"))

    @property
    def task(self) -> str:
        return self.manifest["task"]

    def checkpoint(self) -> Path | None:
        """Where the exported checkpoint lies on this machine."""
        if self.task == EMBEDDINGS:
            import teacher

            return teacher.checkpoint_path()
        kind, _, family = self.name.partition("-")
        path = self.work / kind / family / self.manifest["provenance"]["checkpoint"]
        return path if (path / "model.safetensors").is_file() else None

    def tokenizer(self) -> PreTrainedTokenizerFast:
        if found := self.checkpoint():
            return transformers.AutoTokenizer.from_pretrained(found)
        return checkpoint.tokenizer_of(self.folder)

    def eager(self) -> torch.nn.Module:
        """In fp32, eval mode."""
        if found := self.checkpoint():
            kind = getattr(transformers, self.manifest["provenance"]["architecture"])
            return kind.from_pretrained(found, attn_implementation="eager", dtype=torch.float32).eval()
        return checkpoint.model_of(self.folder)


# --- texts ---


def phrases() -> list[str]:
    """Sentences, odd lines of many scripts, and reviews with dishes in them."""
    return [line for line in LINES if line] + [
        review.text for review in dishes.reviews(200, dishes.sentences("test"), dishes.dishes("test"), seed=1)
    ]


def make_texts(tokenizer: PreTrainedTokenizerFast, count: int, longest: int, rng: random.Random) -> Iterator[str]:
    """Texts of 1 to `longest` tokens, evenly spread: phrases one after the other, cut behind the last token wanted."""
    known, special = phrases(), tokenizer.num_special_tokens_to_add()
    for index in range(count):
        wanted = max(0, 1 + index * (longest - 1) // max(1, count - 1) - special)
        text, ends = "", [0]
        while len(ends) <= wanted:
            text += (" " if text else "") + rng.choice(known)
            ends = [0] + [end for _, end in tokenizer(text, add_special_tokens=False).encodings[0].offsets]
        yield text[: ends[wanted]]


def texts_for(package: Package, count: int, rng: random.Random) -> list[str]:
    tokenizer, limit = package.tokenizer(), package.manifest["max_length"]
    half = count // 2
    return [*make_texts(tokenizer, count - half, limit, rng), *make_texts(tokenizer, half, LONGEST, rng)]


# --- answers ---


@dataclass(frozen=True)
class Reply:
    """What the daemon says of a text."""

    answers: Answers
    places: list[tuple[int, int]]  # of a token classifier: where each token stands (code points)
    batch: int  # with how many texts it was computed, itself included


def eager_answers(package: Package, texts: list[str]) -> Iterator[Reply]:
    model, tokenizer = package.eager(), package.tokenizer()
    for index, text in enumerate(texts, 1):
        batch = tokenizer(text, truncation=True, max_length=package.manifest["max_length"], return_tensors="pt")
        inputs = {name: batch[name] for name in package.manifest["inputs"]}
        with torch.inference_mode():
            outputs = model(**inputs)[0]
        progress(f"{package.name}: eager", index, len(texts))
        if package.task == CLASSIFICATION:
            yield Reply(Answers.of(outputs), [], 1)
        elif package.task == EMBEDDINGS:
            yield Reply(vectors(outputs[0]), [], 1)
        else:
            encoding = batch.encodings[0]
            rows = [row for row, special in enumerate(encoding.special_tokens_mask) if not special]
            yield Reply(Answers.of(outputs[0][rows]), [encoding.offsets[row] for row in rows], 1)


def vectors(rows: Tensor) -> Answers:
    """They choose no label."""
    return Answers(torch.zeros(len(rows), dtype=torch.int64), torch.zeros(len(rows), 1), rows)


def ask(stub: bertha_pb2_grpc.BerthaStub, package: Package, texts: list[str]) -> list[Reply]:
    """What the daemon says of each text."""
    fields = {"model": package.name, "inputs": [pb.TextInput(text=text) for text in texts]}
    if package.task == CLASSIFICATION:
        request = pb.ClassifyRequest(options=pb.ClassifyOptions(raw_logits=True), **fields)
        results = stub.Classify(request, timeout=600).results
        return [Reply(Answers.of(torch.tensor([list(r.logits)])), [], r.batch.size) for r in results]
    if package.task == EMBEDDINGS:
        options = pb.EmbedOptions(pooling=pb.POOLING_NONE, normalize=False)
        results = stub.Embed(pb.EmbedRequest(options=options, **fields), timeout=600).results
        rows = [torch.tensor([list(token.vector) for token in r.token_vectors]) for r in results]
        return [Reply(vectors(those), [], r.batch.size) for those, r in zip(rows, results, strict=True)]
    options = pb.TagTokensOptions(aggregation=pb.AGGREGATION_NONE)
    results = stub.TagTokens(pb.TagTokensRequest(options=options, **fields), timeout=600).results
    labels = [label_as_served(label) for label in package.manifest["labels"]]
    return [tokens_of(result, labels) for result in results]


def tokens_of(result: pb.TagTokensResult, labels: list[str]) -> Reply:
    best = torch.tensor([labels.index(entity.label) for entity in result.entities], dtype=torch.int64)
    scores = torch.tensor([entity.score for entity in result.entities])[:, None]
    places = [(entity.chars.begin, entity.chars.end) for entity in result.entities]
    return Reply(Answers(best, scores), places, result.batch.size)


# --- comparison ---


def compare(package: Package, stub: bertha_pb2_grpc.BerthaStub, wish: Wish) -> Result:
    rng = random.Random(wish.seed)
    texts = texts_for(package, wish.texts, rng)
    expected = list(eager_answers(package, texts))
    found = in_company(package, stub, texts, list(random_batches(texts, rng)))
    for theirs, ours in zip(expected, found, strict=True):
        assert theirs.places == ours.places, f"tokens are not where they should be: {theirs.places}, {ours.places}"
    computed = Computed.by(stub, package.name)
    reference = Answers.join([reply.answers for reply in expected])
    encoded = package.tokenizer()(texts, truncation=True, max_length=package.manifest["max_length"])
    labels = [] if package.task == EMBEDDINGS else [package.manifest["labels"][at] for at in reference.best.unique()]
    return Result(
        name=package.name,
        reference="checkpoint" if package.checkpoint() else "its weights",
        asked=f"fused {wish.dtype}",
        computed=computed,
        texts=len(texts),
        tokens=sum(map(len, encoded["input_ids"])),
        labels=tuple(labels),
        difference=Difference.between(reference, Answers.join([reply.answers for reply in found]), computed.dtype),
        alone=ask_alone(package, stub, texts, found, wish.alone) if wish.alone else None,
    )


def in_company(
    package: Package, stub: bertha_pb2_grpc.BerthaStub, texts: list[str], batches: list[list[int]]
) -> list[Reply]:
    """The answers in the order of the texts."""
    found: dict[int, Reply] = {}
    with ThreadPoolExecutor(CALLERS) as callers:
        answers = callers.map(lambda batch: ask(stub, package, [texts[index] for index in batch]), batches)
        for batch, replies in zip(batches, answers, strict=True):
            found.update(zip(batch, replies, strict=True))
            progress(f"{package.name}: compared", len(found), len(texts))
    return [found[index] for index in range(len(texts))]


def ask_alone(
    package: Package, stub: bertha_pb2_grpc.BerthaStub, texts: list[str], found: list[Reply], count: int
) -> Alone:
    """Texts of all lengths that had neighbours before, now without."""
    chosen = [index for index in range(len(texts)) if found[index].batch > 1]
    chosen = chosen[:: max(1, len(chosen) // count)][:count]
    alone = [reply for index in chosen for reply in ask(stub, package, [texts[index]])]
    assert {reply.batch for reply in alone} == {1}
    together = [found[index].answers for index in chosen]
    return Alone.between(Answers.join([reply.answers for reply in alone]), Answers.join(together), len(chosen))


def served(packages: list[Package], folder: Path) -> Path:
    """A model directory of copies of the packages."""
    for package in packages:
        copy = copy_package(package.folder, folder / package.name / package.folder.name)
        if package.task == TAGGING:
            edit_json(copy / "bertha.json", name_outside)
            seal(copy)
    return folder


def name_outside(manifest: dict) -> None:
    manifest["labels"] = [label_as_served(label) for label in manifest["labels"]]


def label_as_served(label: str) -> str:
    """O is what a server keeps to itself."""
    return "B-OUTSIDE" if label == "O" else label


def packages_in(folder: Path, work: Path) -> list[Package]:
    return [Package(file.parent, work) for file in sorted(folder.glob("*/*/bertha.json"))]


def measure(packages: list[Package], wish: Wish, berthad: Path) -> list[Result]:
    """One result for each package, all of them served by one daemon."""
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        models = served(packages, Path(scratch) / "models")
        flags = ["--engine", "fused", "--dtype", wish.dtype, "--queue-share-identical", "false"]
        daemon = Daemon(berthad, models, Path(scratch) / "log", "--cpu-threads", wish.threads, *flags)
        try:
            daemon.wait_serving()
            options = [("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", -1)]  # many vectors
            stub = bertha_pb2_grpc.BerthaStub(grpc.insecure_channel(daemon.address, options))
            for package in packages:
                start = time.monotonic()
                results.append(compare(package, stub, wish))
                say(f"{package.name}: {time.monotonic() - start:.0f} s")
        finally:
            daemon.close()
    return results


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--models", type=Path, default=DEMO / "models", metavar="DIR", help="the packages (default: demo/models)")
    add("--work", type=Path, default=DEMO / "work", metavar="DIR", help="the checkpoints (default: demo/work)")
    add("--model", action="append", metavar="NAME", help="only this one (may be repeated; default: all)")
    add("--texts", type=int, default=TEXTS, metavar="N", help="texts for each model (default: %(default)s)")
    add("--seed", type=int, default=5, help="of texts and batches (default: 5)")
    add("--threads", type=int, default=1, metavar="N", help="of torch and of berthad (default: 1)")
    add("--dtype", choices=DTYPES, default="fp32", help="of berthad (default: fp32)")
    add("--alone", type=int, default=0, metavar="N", help="ask N texts of each model alone as well (default: 0)")
    add("--json", action="store_true", help="the results as JSON")
    add("--berthad", type=Path, default=ROOT / "build/release/bin/berthad", metavar="FILE")
    return parser.parse_args()


def main() -> int:
    wish = arguments()
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(wish.threads)
    packages = [p for p in packages_in(wish.models, wish.work) if p.name in (wish.model or [p.name])]
    how = Wish(wish.texts, wish.seed, wish.dtype, wish.alone, wish.threads)
    return report(measure(packages, how, wish.berthad), wish.json)


if __name__ == "__main__":
    sys.exit(main())
