#!/usr/bin/env python3
"""Prints how fast the tokenizers are, against the Hugging Face library and against the fastest inexact tokenizers.

    bench/bench_tokenizers.py [--only FAMILY ...] [--rounds N] [--json FILE] [--plot FILE]

All on one thread unless it says otherwise, on the same texts, in turns within each round (A B A B); every figure is a
median over the rounds, every ratio the median of the rounds' ratios. Times are processor time, which foreign load on the
machine changes little; the speed of two threads is on the wall, so it needs a machine that is idle: two tokenizers that
share nothing are timed beside it, and show what the machine gives.
  ours           build/release/bin/tokenizer_encode --time (or BERTHA_BUILD_DIR): ids and type ids, special tokens included
  HF one by one  Tokenizer.encode of each text       HF batch  Tokenizer.encode_batch_fast, which makes no offsets
  peer           flash-tokenizer (WordPiece), tiktoken with the same merges (BPE), sentencepiece with the same model (Unigram):
                 the faster of one by one and in a batch; none gives the library's ids on every text
Texts: English prose of 20 to 200 words; a mix of all languages; and 1 MB of one word, of spaces, of marks, ..., whose time
per byte is compared with that of the English texts. Memory: what a loaded tokenizer keeps allocated, by the bytes of its
vocabulary: vocab.txt, vocab.json + merges.txt, or spiece.model.

Needs texts and vocabularies from tests/tokenizer/campaign (corpus.py, standins.py) and an environment of its own:
    python3 -m venv /tmp/bench && /tmp/bench/bin/pip install -r tests/tokenizer/campaign/requirements.txt -r bench/peers.txt
"""

import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"

import tokenizers

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "tokenizer" / "campaign"))

import corpus
import families
import inputs
import standins
from implementations import BINARY

# Family: (kind of model, least ratio to HF one by one, least ratio to the peer).
FAMILIES = {
    "bert-uncased": ("wordpiece", 12, 1.5),
    "bert-cased": ("wordpiece", 12, 1.5),
    "bert-multilingual": ("wordpiece", 12, 1.5),
    "roberta-converted": ("bpe", 12, 2),
    "gpt2-hub": ("bpe", 12, 2),
    "xlnet-hub": ("unigram", 20, 1.5),
    "xlnet-converted": ("unigram", 20, 1.5),
    "albert-hub": ("unigram", 20, 1.5),
    "albert-converted": ("unigram", 20, 1.5),
}
LEAST_MULTILINGUAL, MOST_OFFSETS, LEAST_TWO_THREADS, MOST_WORST, MOST_MEMORY = 10, 1.3, 1.9, 3, 4
TEXTS = 1500
WORST_BYTES = 1_000_000


def english(folder):
    with (folder / "english.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines][:TEXTS]


def multilingual(folder):
    """Texts of 100 to 2,000 bytes, each language as often as the corpus has it."""
    texts = [text for text in inputs.real_texts(folder) if 100 <= len(text.encode()) <= 2000]
    return random.Random("multilingual").sample(texts, TEXTS)


def worst_cases():
    """Name: (text, whether the limit is a requirement)."""
    rng = random.Random("worst")
    letters = "".join(rng.choices("etaoinshrdlucmfwypvbgkjqxz", weights=range(26, 0, -1), k=WORST_BYTES))
    ideographs = "".join(chr(rng.randrange(0x4E00, 0x9FA6)) for _ in range(WORST_BYTES // 3))
    kana = "".join(chr(rng.randrange(0x3041, 0x3097)) for _ in range(WORST_BYTES // 3))
    return {
        "one word": (letters, True),
        "spaces": (" " * WORST_BYTES, True),
        "one mark": ("e" + "\u0301" * (WORST_BYTES // 2), True),
        "all marks": ("e" + "".join(rng.choices([m for m in inputs.MARKS if m < "\uffff"], k=WORST_BYTES // 3)), True),
        "a": ("a" * WORST_BYTES, True),
        "words of 100 letters": ("".join(c if i % 101 else " " for i, c in enumerate(letters)), False),
        "punctuation": ("".join(rng.choices("!?.,;:-()[]{}'\"#%&*/@_", k=WORST_BYTES)), False),
        "emoji": ("".join(rng.choices("😀😂🤣😊😍🚀👍🎉🔥🌍", k=WORST_BYTES // 4)), False),
        "ideographs": (ideographs, False),
        "kana": (kana, False),
    }


# What is measured. A method runs over all texts and says how many seconds of processor time that took.


class Ours:
    """One run of tokenizer_encode measures several wishes in turns of its own."""

    def __init__(self, file):
        self.file = file

    def speeds(self, texts, wishes, rounds):
        """{wish: (MB/s of processor time, MB/s on the wall)}"""
        lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
        done = subprocess.run([BINARY, self.file, "--time", str(rounds), *wishes], input=lines, capture_output=True, text=True,
                              check=True)
        found = {}
        for line in done.stdout.splitlines():  # "<speed> MB/s <wish> wall <speed>"
            words = line.split()
            found[words[2]] = (float(words[0]), float(words[4]))
        return found

    def load(self, rounds):
        """(milliseconds, bytes kept, most bytes while it loads)"""
        done = subprocess.run([BINARY, self.file, "--load", str(rounds)], input="", capture_output=True, text=True, check=True)
        words = done.stdout.replace(",", "").split()
        return float(words[0]), int(words[2]), int(words[4])


def hf_methods(content):
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(content))

    def one_by_one(texts):
        for text in texts:
            tokenizer.encode(text)

    return {"HF one by one": one_by_one, "HF batch": tokenizer.encode_batch_fast}


def flash(content, folder, name):
    import flash_tokenizer

    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        vocab = content["model"]["vocab"]
        file.write("".join(piece + "\n" for piece in sorted(vocab, key=vocab.get)))
        file.flush()
        core = flash_tokenizer.BertTokenizerFlash(file.name, do_lower_case=content["normalizer"]["lowercase"],
                                                  model_max_length=1_000_000).tokenizer

    def one_by_one(texts):
        for text in texts:
            core.encode(text, "longest", 1_000_000)

    return "flash-tokenizer", [one_by_one, lambda texts: core.batch_encode(texts, "longest", 1_000_000, False)]


def tiktoken(content, folder, name):
    import tiktoken

    byte_of = {char: bytes([byte]) for byte, char in standins.bytes_to_characters().items()}
    ranks = {byte_of[char]: rank for rank, char in enumerate(byte_of)}
    for merge in content["model"]["merges"]:
        pair = merge.split(" ") if isinstance(merge, str) else merge
        ranks.setdefault(b"".join(byte_of[char] for char in "".join(pair)), len(ranks))
    pattern = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
    encoding = tiktoken.Encoding("same-merges", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})

    def one_by_one(texts):
        for text in texts:
            encoding.encode_ordinary(text)

    return "tiktoken", [one_by_one]


def sentencepiece(content, folder, name):
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_file=str(folder / "full" / name / "spiece.model"))

    def one_by_one(texts):
        for text in texts:
            processor.encode(text, out_type=int)

    return "sentencepiece", [one_by_one, lambda texts: processor.encode(texts, out_type=int, num_threads=1)]


PEERS = {"wordpiece": flash, "bpe": tiktoken, "unigram": sentencepiece}


def seconds_of(method, texts):
    start = time.process_time()
    method(texts)
    return time.process_time() - start


def vocabulary_bytes(folder, name, content):
    """Bytes of the files that the vocabulary was before there was a tokenizer.json."""
    files = [path for path in (folder / "full" / name).glob("*") if path.name != "tokenizer.json"]
    if files:
        return sum(path.stat().st_size for path in files)
    return sum(len(piece.encode()) + 1 for piece in content["model"]["vocab"])  # vocab.txt


def measure_texts(ours, methods, texts, wishes, rounds, passes=5):
    """{method: [MB/s of each round]}; of ours each wish, also on the wall, in so many passes a round."""
    size = sum(len(text.encode()) for text in texts) / 1e6
    speeds = {}
    for method in methods.values():
        method(texts[: len(texts) // 4])  # warms up
    for _ in range(rounds):
        for wish, (processor, wall) in ours.speeds(texts, wishes, passes).items():
            speeds.setdefault(wish, []).append(processor)
            speeds.setdefault(wish + " wall", []).append(wall)
        for name, method in methods.items():
            speeds.setdefault(name, []).append(size / seconds_of(method, texts))
    return speeds


def ratio(speeds, one, other):
    return statistics.median(a / b for a, b in zip(speeds[one], speeds[other]))


def fastest(speeds, names):
    return max(names, key=lambda name: statistics.median(speeds[name]))


def measure(folder, name, rounds):
    kind, least_hf, least_peer = FAMILIES[name]
    content = families.loaded(families.family_file(folder, name))
    methods = hf_methods(content)
    peer, ways = PEERS[kind](content, folder, name)
    ways = {f"{peer} {number}": way for number, way in enumerate(ways)}
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(content, file)
        file.flush()
        ours = Ours(file.name)
        prose = measure_texts(ours, {**methods, **ways}, english(folder), ["ids", "offsets", "all"], rounds)
        threads = measure_texts(ours, {}, english(folder), ["ids", "ids:2", "ids:2:apart"], rounds, passes=15)
        mixed = measure_texts(ours, {**methods, **ways}, multilingual(folder), ["ids", "all"], rounds)
        worst = {case: statistics.median(ours.speeds([text], ["ids"], 3)["ids"][0] for _ in range(max(1, rounds // 2)))
                 for case, (text, _) in worst_cases().items()}
        milliseconds, kept, peak = ours.load(3)
    best, best_mixed = fastest(prose, ways), fastest(mixed, ways)
    prose_speed = statistics.median(prose["ids"])
    vocabulary = vocabulary_bytes(folder, name, content)
    rows = [
        ("English / HF one by one", ratio(prose, "ids", "HF one by one"), ">=", least_hf),
        ("English / HF batch", ratio(prose, "ids", "HF batch"), None, None),
        (f"English / {peer}", ratio(prose, "ids", best), ">=", least_peer),
        ("multilingual / HF one by one", ratio(mixed, "ids", "HF one by one"), ">=", LEAST_MULTILINGUAL),
        (f"multilingual / {peer}", ratio(mixed, "ids", best_mixed), None, None),
        ("time with byte offsets / without", ratio(prose, "ids", "offsets"), "<=", MOST_OFFSETS),
        ("time with everything / ids", ratio(prose, "ids", "all"), None, None),
        ("multilingual, everything / ids", ratio(mixed, "ids", "all"), None, None),
        ("two threads / one, on the wall", ratio(threads, "ids:2 wall", "ids wall"), ">=", LEAST_TWO_THREADS),
        ("two tokenizers / one, on the wall", ratio(threads, "ids:2:apart wall", "ids wall"), None, None),
        *((f"1 MB of {case}, time per byte / English", prose_speed / worst[case], "<=", MOST_WORST if required else None)
          for case, (_, required) in worst_cases().items()),
        ("memory / vocabulary", kept / vocabulary, "<=", MOST_MEMORY),
        ("memory while loading / vocabulary", peak / vocabulary, None, None),
    ]
    return {
        "family": name,
        "peer": peer,
        "mb_per_s": {"English": {**medians(prose), "peer": statistics.median(prose[best])},
                     "multilingual": {**medians(mixed), "peer": statistics.median(mixed[best_mixed])}, "worst": worst},
        "load_ms": milliseconds, "memory_bytes": kept, "vocabulary_bytes": vocabulary,
        "rows": [{"what": what, "value": value, "sign": sign if limit else None, "limit": limit, "passed": passed(value, sign, limit)}
                 for what, value, sign, limit in rows],
    }


def medians(speeds):
    return {name: statistics.median(values) for name, values in speeds.items()}


def passed(value, sign, limit):
    return None if limit is None else value >= limit if sign == ">=" else value <= limit


def print_family(result):
    speeds = result["mb_per_s"]
    print(f"\n{result['family']}   loads in {result['load_ms']:.0f} ms, keeps {result['memory_bytes'] / 1e6:.2f} MB of a vocabulary "
          f"of {result['vocabulary_bytes'] / 1e6:.2f} MB")
    for texts in ("English", "multilingual"):
        s = speeds[texts]
        print(f"  {texts:13} MB/s: ours {s['ids']:.1f}, with everything {s['all']:.1f}; HF one by one {s['HF one by one']:.2f}, "
              f"HF batch {s['HF batch']:.2f}; {result['peer']} {s['peer']:.1f}")
    for row in result["rows"]:
        limit = f"{row['sign']} {row['limit']:<5}" + ("ok" if row["passed"] else "TOO SLOW" if row["sign"] == ">=" else "TOO MUCH") if (
            row["limit"] is not None) else ""
        print(f"  {row['what']:44} {row['value']:8.2f} x  {limit}", flush=True)


def plot(results, path):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(12, 4.5), sharey=True)
    for axis, texts in zip(axes, ("English", "multilingual")):
        bars = {"ours": "ids", "ours, everything": "all", "fastest inexact peer": "peer", "HF batch": "HF batch",
                "HF one by one": "HF one by one"}
        for number, (label, key) in enumerate(bars.items()):
            axis.bar([i + 0.16 * (number - 2) for i in range(len(results))], [r["mb_per_s"][texts][key] for r in results], 0.16,
                     label=label)
        axis.set_yscale("log")
        axis.set_xticks(range(len(results)), [r["family"] for r in results], rotation=25, ha="right")
        axis.set_title(f"{texts} texts, one thread")
        axis.grid(axis="y", alpha=0.3)
    axes[0].set_ylabel("MB of text per second of processor time")
    axes[0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=pathlib.Path, default=corpus.FOLDER, help="where corpus.py and standins.py wrote")
    parser.add_argument("--only", nargs="+", choices=FAMILIES, metavar="FAMILY", default=list(FAMILIES))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--plot", type=pathlib.Path)
    arguments = parser.parse_args()
    results = []
    for name in arguments.only:
        results.append(measure(arguments.folder, name, arguments.rounds))
        print_family(results[-1])
    if arguments.json:
        arguments.json.write_text(json.dumps(results))
    if arguments.plot:
        plot(results, arguments.plot)
    missed = sum(row["passed"] is False for result in results for row in result["rows"])
    print(f"\n{missed} limits missed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
