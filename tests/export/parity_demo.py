#!/usr/bin/env python3
"""Do the demo models, served by berthad, answer as transformers does?

Starts a berthad with the packages of demo/models and asks it for 1,000 texts a model, in random batches from several
callers at once; the answers are compared with transformers' eager fp32 model, which computes each text alone, unpadded.
The texts are of many scripts and made-up reviews, seeded: half of them of 1 token up to as many as the model takes, half
up to 512, which both sides cut.

The eager model is the checkpoint that was exported, where the training scripts' work folder still has it or it is
installed; else transformers' own class, with the weights read out of the package: `reference` says which.

What is compared: the logits, over gRPC. TagTokens has none, so a token classifier is served once more, as if its logits
were embeddings of tokens (the same module.pt); its entities, one for each token, are compared besides. Of an encoder the
vectors of tokens are compared. A label that differs is that of a text, or of a token.

Exit status 1 if any |difference| is above 1e-4 or any label differs.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
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
sys.path[:0] = [str(ROOT / folder) for folder in ("demo", "models/export", "clients/python", "tests/e2e", "tests/export")]

import checkpoint  # noqa: E402
import dishes  # noqa: E402
import grpc  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from bertha.v1 import bertha_pb2 as pb  # noqa: E402  (made by the build)
from bertha.v1 import bertha_pb2_grpc  # noqa: E402
from e2e_support import Daemon, copy_package, edit_json, seal  # noqa: E402
from e2e_texts import LINES  # noqa: E402
from parity_published import TOLERANCE, progress, random_batches, say  # noqa: E402
from torch import Tensor  # noqa: E402
from transformers import PreTrainedTokenizerFast  # noqa: E402

TEXTS = 1000
LONGEST = 512  # tokens
CALLERS = 3
CLASSIFICATION, TAGGING, EMBEDDINGS = "sequence-classification", "token-classification", "embeddings"
RAW = "-raw"  # ends the name of a token classifier that is served for its logits


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
class Token:
    """Where a token stands (code points), what it is called, and how sure that is."""

    begin: int
    end: int
    label: str
    score: float


@dataclass(frozen=True)
class Answer:
    """Outputs of the network, [labels] or [tokens, width], and for a token classifier the tokens that are not O."""

    outputs: Tensor
    tokens: list[Token]


def eager_answers(package: Package, texts: list[str]) -> Iterator[Answer]:
    model, tokenizer = package.eager(), package.tokenizer()
    labels = package.manifest.get("labels", [])
    for index, text in enumerate(texts, 1):
        batch = tokenizer(text, truncation=True, max_length=package.manifest["max_length"], return_tensors="pt")
        inputs = {name: batch[name] for name in package.manifest["inputs"]}
        with torch.inference_mode():
            outputs = model(**inputs)[0][0]
        progress(f"{package.name}: eager", index, len(texts))
        yield Answer(outputs, tokens_of(outputs, batch.encodings[0], labels) if package.task == TAGGING else [])


def tokens_of(logits: Tensor, encoding, labels: list[str]) -> list[Token]:  # encoding: tokenizers.Encoding
    """As the pipeline "token-classification" gives them with the strategy `none`."""
    scores, chosen = logits.softmax(1).max(1)
    return [
        Token(begin, end, labels[best], score)
        for (begin, end), special, best, score in zip(
            encoding.offsets, encoding.special_tokens_mask, chosen.tolist(), scores.tolist(), strict=True
        )
        if not special and labels[best] != "O"
    ]


def ask(stub: bertha_pb2_grpc.BerthaStub, package: Package, texts: list[str]) -> list[Answer]:
    """What the daemon says of each text."""
    inputs = [pb.TextInput(text=text) for text in texts]
    if package.task == CLASSIFICATION:
        options = pb.ClassifyOptions(raw_logits=True)
        request = pb.ClassifyRequest(model=package.name, inputs=inputs, options=options)
        return [Answer(torch.tensor(list(r.logits)), []) for r in stub.Classify(request, timeout=600).results]
    outputs = token_outputs(stub, package.name + (RAW if package.task == TAGGING else ""), inputs)
    if package.task == EMBEDDINGS:
        return [Answer(rows, []) for rows in outputs]
    options = pb.TagTokensOptions(aggregation=pb.AGGREGATION_NONE)
    request = pb.TagTokensRequest(model=package.name, inputs=inputs, options=options)
    results = stub.TagTokens(request, timeout=600).results
    return [
        Answer(rows, [Token(e.chars.begin, e.chars.end, e.label, e.score) for e in result.entities])
        for rows, result in zip(outputs, results, strict=True)
    ]


def token_outputs(stub: bertha_pb2_grpc.BerthaStub, name: str, inputs: list[pb.TextInput]) -> list[Tensor]:
    """[tokens, width] for each text."""
    options = pb.EmbedOptions(pooling=pb.POOLING_NONE, normalize=False)
    results = stub.Embed(pb.EmbedRequest(model=name, inputs=inputs, options=options), timeout=600).results
    return [torch.tensor([list(token.vector) for token in result.token_vectors]) for result in results]


# --- comparison ---


@dataclass
class Result:
    """How far the answers about one model's texts are from the eager ones."""

    name: str
    reference: str
    texts: int
    tokens: int = 0
    largest: float = 0.0
    score: float = 0.0  # largest difference of a token's score
    labels: int = 0  # different ones
    seen: frozenset[str] = frozenset()  # labels that the eager model gave

    def good(self) -> bool:
        return self.largest <= TOLERANCE and self.score <= TOLERANCE and self.labels == 0

    def add(self, package: Package, expected: Answer, found: Answer) -> None:
        """One more text."""
        assert found.outputs.shape == expected.outputs.shape, f"{found.outputs.shape}, not {expected.outputs.shape}"
        self.largest = max(self.largest, (found.outputs - expected.outputs).abs().max().item())
        if package.task == CLASSIFICATION:
            best = expected.outputs.argmax().item()
            self.labels += found.outputs.argmax().item() != best
            self.seen |= {package.manifest["labels"][best]}
        if package.task == TAGGING:
            theirs, ours = ({(t.begin, t.end, t.label): t.score for t in a.tokens} for a in (expected, found))
            self.labels += len(theirs.keys() ^ ours.keys())
            self.score = max([self.score, *(abs(theirs[key] - ours[key]) for key in theirs.keys() & ours.keys())])
            self.seen |= {label for _, _, label in theirs}


def compare(package: Package, stub: bertha_pb2_grpc.BerthaStub, count: int, seed: int) -> Result:
    rng = random.Random(seed)
    texts = texts_for(package, count, rng)
    expected = list(eager_answers(package, texts))
    result = Result(package.name, "checkpoint" if package.checkpoint() else "its weights", len(texts))
    batches = list(random_batches(texts, rng))
    done = 0
    with ThreadPoolExecutor(CALLERS) as callers:
        answers = callers.map(lambda batch: ask(stub, package, [texts[index] for index in batch]), batches)
        for batch, found in zip(batches, answers, strict=True):
            for index, answer in zip(batch, found, strict=True):
                result.add(package, expected[index], answer)
            done += len(batch)
            progress(f"{package.name}: compared", done, len(texts))
    encoded = package.tokenizer()(texts, truncation=True, max_length=package.manifest["max_length"])
    result.tokens = sum(map(len, encoded["input_ids"]))
    return result


def table(results: list[Result]) -> str:
    rows = [f"{'model':22}{'reference':>13}{'texts':>7}{'tokens':>9}{'max |Δoutput|':>15}{'max |Δscore|':>14}"
            f"{'labels differ':>15}  labels seen"]
    for r in results:
        score = f"{r.score:.2e}" if r.score else "-"
        labels = str(r.labels) if r.seen else "-"
        rows.append(f"{r.name:22}{r.reference:>13}{r.texts:7}{r.tokens:9}{r.largest:15.2e}{score:>14}{labels:>15}  "
                    f"{', '.join(sorted(r.seen)) or '-'}")
    return "\n".join(rows)


def served(packages: list[Package], folder: Path) -> Path:
    """A model directory of copies of the packages, and of the token classifiers a second one for their logits."""
    for package in packages:
        copy_package(package.folder, folder / package.name / package.folder.name)
        if package.task == TAGGING:
            raw = copy_package(package.folder, folder / (package.name + RAW) / "1")
            width = len(package.manifest["labels"])
            edit_json(raw / "bertha.json", lambda manifest: as_encoder(manifest, width))
            seal(raw)
    return folder


def as_encoder(manifest: dict, width: int) -> None:
    manifest.pop("labels"), manifest.pop("aggregation", None)
    manifest.update(task=EMBEDDINGS, dimension=width)


def packages_in(folder: Path, work: Path) -> list[Package]:
    return [Package(file.parent, work) for file in sorted(folder.glob("*/*/bertha.json"))]


def measure(packages: list[Package], count: int, seed: int, berthad: Path, threads: int = 1) -> list[Result]:
    """One result for each package, all of them served by one daemon."""
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        models = served(packages, Path(scratch) / "models")
        daemon = Daemon(berthad, models, Path(scratch) / "log", "--cpu-threads", threads)
        try:
            daemon.wait_serving()
            options = [("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", -1)]  # many vectors
            stub = bertha_pb2_grpc.BerthaStub(grpc.insecure_channel(daemon.address, options))
            for package in packages:
                start = time.monotonic()
                results.append(compare(package, stub, count, seed))
                say(f"{package.name}: max |Δoutput| {results[-1].largest:.2e}, {time.monotonic() - start:.0f} s")
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
    add("--berthad", type=Path, default=ROOT / "build/release/bin/berthad", metavar="FILE")
    return parser.parse_args()


def main() -> int:
    wish = arguments()
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(wish.threads)
    packages = [p for p in packages_in(wish.models, wish.work) if p.name in (wish.model or [p.name])]
    results = measure(packages, wish.texts, wish.seed, wish.berthad, wish.threads)
    print(table(results))
    return 0 if all(result.good() for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
