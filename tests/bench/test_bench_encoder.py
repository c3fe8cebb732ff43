"""bench_encoder: what it says of itself, what it measures, and that its logits are those of the same module in Python."""

import json
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODELS = ROOT / "demo" / "models"
PACKAGE = MODELS / "sentiment-bert" / "1"
LONGEST = 128


@pytest.fixture
def bench(program):
    """bench(ARGUMENTS...) runs the program."""

    def run(*arguments, stdin=""):
        command = [program("bench_encoder"), *map(str, arguments)]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=300)

    return run


def lines_of(done):
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def probes(package, count=None):
    return json.loads((package / "probes.json").read_text(encoding="utf-8"))["probes"][:count]


def request(probe):
    return json.dumps({"ids": probe["ids"], "type_ids": probe["type_ids"]})


def python_logits(package, texts):
    """Of each text alone, by the package's own module."""
    import torch

    manifest = json.loads((package / "bertha.json").read_text(encoding="utf-8"))
    module = torch.jit.load(package / "model.pt")
    answers = []
    for text in texts:
        ids = torch.tensor([text["ids"]])
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": torch.tensor([text["type_ids"]])}
        with torch.inference_mode():
            result = module(*(inputs[name] for name in manifest["inputs"]))
        answers.append((result[0] if isinstance(result, tuple) else result)[0].tolist())
    return answers


def assert_close(found, expected, within=1e-5):
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected):
            assert_close(one, other, within)
    else:
        assert found == pytest.approx(expected, abs=within)


def test_help_shows_how_to_use_it(bench):
    done = bench("--help")
    assert done.returncode == 0
    for word in ("--package", "--engine", "--isa", "--shapes", "--lengths", "--ids", "--neighbour", "--json", "examples:", "exit status"):
        assert word in done.stdout
    assert all(len(line) <= 120 for line in done.stdout.splitlines())


@pytest.mark.parametrize("arguments, reason", [
    ([], "--package is required"),
    (["--package", "/nonexistent"], "/nonexistent"),
    (["--package", PACKAGE, "--engine", "warp"], 'there is no engine "warp": choose of torchscript, fused, auto'),
    (["--package", PACKAGE, "--engine", "torchscript:fp8"], 'there is no numeric type "fp8"'),
    (["--package", PACKAGE, "--dtype", "fp8"], 'there is no numeric type "fp8"'),
    (["--package", PACKAGE, "--engine", "torchscript:bf16"], "TorchScript runs this package in fp32, not in bf16"),
    (["--package", PACKAGE, "--device", "cuda:7"], "cuda:7"),
    (["--package", PACKAGE, "--shapes", "1x16,8"], '"8" is no shape: write 8x128 for 8 sequences of 128 tokens'),
    (["--package", PACKAGE, "--shapes", f"1x{LONGEST + 1}"], f"{LONGEST + 1} tokens, the model takes at most {LONGEST}"),
    (["--package", PACKAGE, "--lengths", "/nonexistent"], "/nonexistent: cannot be read"),
    (["--package", PACKAGE, "--ids", "/nonexistent"], "/nonexistent: cannot be read"),
    (["--package", PACKAGE, "--threads", "-1"], "--threads"),
    (["--package", PACKAGE, "--isa", "sse5"], '--isa: "sse5" is none of baseline, avx2, avx512, avx512_bf16, amx, auto'),
    (["--package", PACKAGE, "--rounds", "0"], "--rounds"),
    (["--package", PACKAGE, "--ids", "-", "--shapes", "1x16"], "--ids"),
    (["--package", PACKAGE, "surplus"], "surplus"),
])
def test_wrong_arguments_get_one_reason(bench, arguments, reason):
    done = bench(*arguments)
    assert done.returncode != 0
    assert reason in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2
    assert done.stdout == ""


@pytest.mark.parametrize("model", ["sentiment-bert", "sentiment-roberta", "sentiment-xlnet", "dishes-albert"])
@pytest.mark.parametrize("batch", [1, 5])
def test_logits_are_those_of_python(bench, model, batch):
    package = MODELS / model / "1"
    texts = probes(package, 12)
    done = bench("--package", package, "--engine", "torchscript,fused", "--dtype", "fp32", "--threads", 1, "--ids", "-",
                 "--batch", batch, "--json", stdin="".join(request(text) + "\n" for text in texts))
    answers = lines_of(done)
    engines = ["torchscript:fp32", "fused:fp32"]
    assert [(answer["line"], answer["engine"]) for answer in answers] == [(i + 1, engine) for i in range(12) for engine in engines]
    expected = python_logits(package, texts)
    assert_close([answer["logits"] for answer in answers[::2]], expected)
    assert_close([answer["logits"] for answer in answers[1::2]], expected, within=1e-4)


def test_auto_is_what_the_daemon_takes(bench):
    (answer,) = lines_of(bench("--package", PACKAGE, "--engine", "auto:fp32", "--ids", "-", "--json", stdin='{"ids": [2, 3]}'))
    assert answer["engine"] == "fused:fp32"


def test_type_ids_are_0_unless_given(bench, tmp_path):
    text = next(probe for probe in probes(PACKAGE) if 1 in probe["type_ids"])
    file = tmp_path / "ids.jsonl"
    file.write_text("\n".join([json.dumps({"ids": text["ids"]}), json.dumps({"ids": text["ids"], "type_ids": [0] * len(text["ids"])}),
                               request(text)]))  # the last line has no end
    bare, zeros, given = (line["logits"] for line in lines_of(bench("--package", PACKAGE, "--ids", file, "--json")))
    assert bare == zeros
    assert bare != given


BAD_LINES = {
    "nonsense": "not a JSON object",
    "[1, 2]": "not a JSON object",
    "{}": "ids must be a list",
    '{"ids": "2 3"}': "ids must be a list",
    '{"ids": []}': "ids is empty",
    '{"ids": [2, -1, 3]}': "ids must be a list of whole numbers from 0",
    '{"ids": [2, 1.5, 3]}': "ids must be a list of whole numbers from 0",
    '{"ids": [2, 4294967296, 3]}': "ids must be a list of whole numbers from 0",
    '{"ids": [2, null]}': "ids must be a list of whole numbers from 0",
    '{"ids": [2, 3], "type_ids": [0]}': "2 ids, but 1 type_ids",
    '{"ids": [2, 3], "type_ids": "00"}': "type_ids must be a list",
    json.dumps({"ids": [5] * (LONGEST + 1)}): f"{LONGEST + 1} tokens, the model takes at most {LONGEST}",
    '{"ids": [2, 99999999, 3]}': "the forward pass failed",
    "\ufffd\u0000": "not a JSON object",
    "[" * 20000: "not a JSON object",
}


@pytest.mark.parametrize("batch", [1, 4, 100])
def test_a_bad_line_spoils_no_other(bench, batch):
    good = request(probes(PACKAGE)[3])
    text = "".join(f"{bad}\n\n{good}\n" for bad in BAD_LINES)  # with empty lines, which count but get no answer
    answers = lines_of(bench("--package", PACKAGE, "--ids", "-", "--json", "--batch", batch, stdin=text))
    assert [answer["line"] for answer in answers] == [n for i in range(len(BAD_LINES)) for n in (3 * i + 1, 3 * i + 3)]
    expected = python_logits(PACKAGE, [probes(PACKAGE)[3]])[0]
    for bad, reason, refused, answered in zip(BAD_LINES, BAD_LINES.values(), answers[::2], answers[1::2]):
        assert reason in refused["error"], bad
        assert "logits" not in refused and "error" not in answered
        assert_close(answered["logits"], expected)


def test_people_get_text(bench):
    done = bench("--package", PACKAGE, "--ids", "-", stdin=f"{request(probes(PACKAGE)[0])}\nnonsense\n")
    assert done.returncode == 0
    first, second = done.stdout.splitlines()
    assert first.startswith("line 1 torchscript:fp32: ")
    assert_close([float(word) for word in first.split()[3:]], python_logits(PACKAGE, probes(PACKAGE, 1))[0])
    assert second.startswith("line 2 torchscript:fp32: error: not a JSON object")


def quick(*more):
    return ["--package", PACKAGE, "--threads", 1, "--seconds", 0.02, "--rounds", 2, *more]


@pytest.mark.parametrize("level, ours, onednn", [("baseline", "baseline", "Intel SSE4.1"), ("avx2", "AVX2", "Intel AVX2")])
def test_a_limit_holds_for_us_and_for_torch(bench, monkeypatch, level, ours, onednn):
    if " avx2 " not in pathlib.Path("/proc/cpuinfo").read_text():
        pytest.skip("this processor has no AVX2")
    monkeypatch.setenv("ONEDNN_VERBOSE", "1")  # it speaks on standard output
    done = bench(*quick("--engine", "fused:fp32", "--shapes", "1x16", "--isa", level, "--json"))
    assert done.returncode == 0
    assert f"onednn_verbose,v1,info,cpu,isa:{onednn}\n" in done.stdout
    (report,) = (json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
    assert [engine["isa"] for engine in report["engines"]] == [ours]


def test_json_says_what_was_measured(bench, tmp_path):
    lengths = tmp_path / "lengths"
    lengths.write_text("3 5 9\n")
    (report,) = lines_of(bench(*quick("--engine", "torchscript,fused:bf16", "--shapes", "1x16,2x8", "--lengths", lengths,
                                      "--text", "I love it", "--neighbour", 1, "--json")))
    assert (report["package"], report["rounds"], report["neighbours"]) == (str(PACKAGE), 2, 1)
    assert report["seconds"] == pytest.approx(0.02)
    assert report["processor"]
    assert [[engine[key] for key in ("engine", "dtype", "device", "threads", "pads")] for engine in report["engines"]] == [
        ["torchscript", "fp32", "cpu", 1, True], ["fused", "bf16", "cpu", 1, False]]
    for engine in report["engines"]:
        assert engine["load_s"] > 0 and engine["weight_bytes"] > 1e6
    assert report["engines"][0]["resident_bytes"] > 1e6

    assert [shape["shape"] for shape in report["shapes"]] == ["1x16", "2x8", "line 1", "text"]
    assert [shape["lengths"] for shape in report["shapes"]][:3] == [[16], [8, 8], [3, 5, 9]]
    for shape in report["shapes"]:
        assert shape["tokens"] == sum(shape["lengths"])
        assert shape["padded_tokens"] == max(shape["lengths"]) * len(shape["lengths"])
        assert {("fp32", "fused", 1), ("bf16", "fused", 1)} <= {
            (gemm["dtype"], gemm["by"], gemm["threads"]) for gemm in shape["gemm"]}
        for gemm in shape["gemm"]:
            assert 0 < gemm["gflops"] <= gemm["best_gflops"]
        assert [result["engine"] for result in shape["results"]] == ["torchscript:fp32", "fused:bf16"]
        for result in shape["results"]:
            check_result(result, shape)
        assert shape["results"][0]["operations"] == shape["results"][1]["operations"] > 0
        assert shape["results"][0]["steps_ms"] == {}
        assert list(shape["results"][1]["steps_ms"]) == ["embeddings", "qkv", "attention", "output", "up", "down", "head"]
        assert shape["results"][0]["speedup"] == {"median": 1, "low": 1, "high": 1}


def check_result(result, shape):
    ms = result["ms"]
    assert result["passes"] >= 2
    assert 0 < ms["min"] <= ms["p10"] <= ms["median"] <= ms["p90"] <= ms["p99"]
    assert 0 <= result["stage_ms"] < result["run_ms"] <= ms["p99"]
    assert result["tokens_per_s"] == pytest.approx(shape["tokens"] / ms["median"] * 1e3, rel=1e-3)
    assert 0 < result["speedup"]["low"] <= result["speedup"]["median"] <= result["speedup"]["high"]
    assert result["gflops"] == pytest.approx(result["operations"] / ms["median"] / 1e6, rel=1e-3)
    ceiling = max(gemm["gflops"] for gemm in shape["gemm"] if result["engine"].endswith(gemm["dtype"]))
    assert result["of_ceiling"] == pytest.approx(result["gflops"] / ceiling, rel=1e-3)
    assert result["busy"]["p99_by_quiet_median"] == pytest.approx(result["busy"]["ms"]["p99"] / ms["median"], rel=1e-3)
    assert result["busy"]["limit"] == 3 and result["busy"]["passes"] >= 2
    assert all(value > 0 for value in result["steps_ms"].values())


def test_people_get_a_table(bench):
    done = bench(*quick("--shapes", "1x16,2x8", "--neighbour", 1))
    assert (done.returncode, done.stderr) == (0, "")
    for words in (["sentiment-bert/1 on"], ["torchscript:fp32", "cpu, 1 thread,"], ["median", "tokens/s", "GFLOP/s", "of GEMM", "speed-up"],
                  ["1x16: 1 sequence, 16 tokens"], ["2x8: 2 sequences, 16 tokens"], ["beside a busy neighbour", "at most 3"]):
        assert any(all(word in line for word in words) for line in done.stdout.splitlines()), words


def test_serve_answers_line_by_line(bench):
    text = probes(PACKAGE)[0]
    requests = [{"engine": 0, "lengths": [16, 5], "seconds": 0.01}, {"engine": 0, "ids": [text["ids"], [2, 3]]},
                {"gemm": "fp32", "seconds": 0.01}, {"gemm": "fp1", "seconds": 0.01}, {"engine": 1, "lengths": [16]}, {"engine": 0},
                {"engine": 0, "lengths": [LONGEST + 1]}, {"engine": 0, "lengths": []}, {"engine": 0, "ids": [[2], []]}, 7, {"read": True, "seconds": 0.01}]
    stdin = "".join(json.dumps(request) + "\n" for request in requests) + "nonsense\n"
    ready, timed, logits, gemm, *refused, memory, nonsense = lines_of(bench("--package", PACKAGE, "--threads", 1, "--serve", stdin=stdin))
    assert ready["ready"] is True and ready["engines"][0]["engine"] == "torchscript"
    assert all(ms > 0 for ms in timed["ms"]) and timed["operations"] > 0
    assert_close(logits["logits"], python_logits(PACKAGE, [{"ids": text["ids"], "type_ids": [0] * len(text["ids"])},
                                                           {"ids": [2, 3], "type_ids": [0, 0]}]))
    assert gemm["gflops"] > 0 and 0.5 < memory["gb_per_s"] < 5000
    reasons = ["no ceiling is known for fp1", "engine must be a number below 1", "none of lengths, ids, gemm and read",
               f"a length must be a number from 1 to {LONGEST}", "lengths must be a list of numbers", "ids is empty",
               "not a JSON object"]
    assert [answer["error"] for answer in refused] == reasons and nonsense["error"] == "not a JSON object"
