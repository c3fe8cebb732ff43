"""The two that are compared, with the same file and the same inputs: the built tokenizer and the library."""

import itertools
import json
import os
import pathlib
import subprocess
import threading

import orjson
import tokenizers

ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARY = ROOT / os.environ.get("BERTHA_BUILD_DIR", "build/release") / "bin" / "tokenizer_encode"
ANSWER_SECONDS = 120  # longest wait for one chunk of answers
CRASH = b'{"crash":true}'


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
