#!/usr/bin/env python3
"""Everything that a GPU is needed for, in one go: kernel tests, parity of five families, all timings. Writes one JSON.

    bench/gpu/run.py [--bundle DIR] [--out FILE] [--only STEP,...] [--minutes M]

DIR is what bench/gpu/make_bundle made (default: build/gpu-bundle). Python needs torch 2.11.0+cu130, and transformers for the
network of base size. The file is written anew after each step, so that one that is cut off leaves what it had; a step that
fails leaves its error there, and the next one runs. Steps, in order:

    device    what the machine is
    tests     tests/cuda on the GPU: every kernel, the engine, cuBLASLt
    parity    the demo packages' probe answers by both engines, in bf16, fp16 and fp32
    base      makes the BERT-base package and loads it; its probe answers
    time      1x16, 1x128, 8x128, 32x128 and the mixed batch by each engine, in turns; torch.compile("max-autotune") among them
    stream    tokens/s of mixed lengths under saturation
    ceiling   what torch.matmul reaches at 4096 tokens, and copies to and from the device
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
FAMILIES = ("bert", "roberta", "distilbert", "albert", "xlnet")
SHAPES = {"1x16": [16], "1x128": [128], "8x128": [128] * 8, "32x128": [128] * 32}
ROUNDS = 5
SECONDS = 0.25  # of one engine, shape and round


def mixed_lengths(count: int, seed: int) -> list[int]:
    """8 to 128 tokens, mean about 37: as the batch of mixed lengths on the CPU."""
    draw = random.Random(seed)
    return [min(128, 8 + int(draw.expovariate(1 / 30))) for _ in range(count)]


class Engines:
    """bench_gpu_engine, which is asked line by line. A crash of it is an error of one command; the next starts it anew."""

    def __init__(self, bundle: pathlib.Path, environment: dict[str, str]):
        self.program, self.environment, self.process = bundle / "bench_gpu_engine", environment, None

    def ask(self, **command):
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen([self.program], env=self.environment, stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, text=True, bufsize=1)
        try:
            self.process.stdin.write(json.dumps(command) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            code = self.process.wait()
            self.process = None
            raise RuntimeError(f"bench_gpu_engine ended with {code} at {command}")
        answer = json.loads(line)
        if answer.get("lost"):
            self.process.kill()
            self.process = None
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer


class Run:
    def __init__(self, arguments):
        self.arguments, self.bundle = arguments, arguments.bundle.resolve()
        self.result, self.begin = {"steps": {}}, time.monotonic()
        self.environment = dict(os.environ, LD_LIBRARY_PATH=library_path(self.bundle))
        self.engines = Engines(self.bundle, self.environment)
        self.base = None

    def left(self) -> float:
        return self.arguments.minutes * 60 - (time.monotonic() - self.begin)

    def save(self):
        self.arguments.out.parent.mkdir(parents=True, exist_ok=True)
        self.arguments.out.write_text(json.dumps(self.result, indent=1) + "\n")

    def step(self, name: str, work):
        begin, entry = time.monotonic(), {}
        print(f"{name} ...", file=sys.stderr, flush=True)
        self.result["steps"][name] = entry
        try:
            work(entry)
        except Exception as error:  # the other steps are worth having
            entry["error"] = f"{type(error).__name__}: {error}"
            traceback.print_exc()
        entry["took_seconds"] = round(time.monotonic() - begin, 1)
        self.save()

    # Steps.

    def device(self, entry):
        import torch

        entry["nvidia_smi"] = output(["nvidia-smi", "--query-gpu=name,driver_version,clocks.max.sm,power.limit", "--format=csv"])
        entry["torch"], entry["cuda"] = torch.__version__, torch.version.cuda
        entry["device"] = torch.cuda.get_device_name(0)
        for name, module in (("transformers", "transformers"), ("triton", "triton")):
            entry[name] = getattr(__import__(module), "__version__", None)
        entry["bundle"] = (self.bundle / "made_from").read_text().strip()

    def tests(self, entry):
        done = subprocess.run([self.bundle / "cuda_test", "-d", "yes"], env=self.environment, text=True, capture_output=True,
                              timeout=400)
        entry.update(exit_code=done.returncode, output=(done.stdout + done.stderr)[-8000:])
        if done.returncode:
            raise RuntimeError("a test failed" if done.returncode != 77 else "skipped")

    def parity(self, entry):
        for family in FAMILIES:
            package = str(ROOT / "demo/models" / f"sentiment-{family}" / "1")
            for engine, dtype in (("fused", "fp32"), ("fused", "fp16"), ("fused", "bf16"), ("torchscript", "module's")):
                key = f"{family} {engine} {dtype}"
                try:
                    entry[key] = self.engines.ask(do="load", name="parity", package=package, engine=engine, dtype=dtype,
                                                  max_tokens=2048)["probes"]
                except RuntimeError as error:
                    entry[key] = {"error": str(error)}
        answers = {key: value for key, value in entry.items() if "max_abs_diff" in value}
        for dtype in ("fp32", "fp16", "bf16", "module's"):
            entry[f"largest {dtype}"] = max((value["max_abs_diff"] for key, value in answers.items() if key.endswith(dtype)),
                                            default=None)
        entry["other_labels"] = sum(value["other_labels"] for value in answers.values())
        if len(answers) < 4 * len(FAMILIES):
            raise RuntimeError(f"{4 * len(FAMILIES) - len(answers)} of the models did not answer")

    def base_package(self, entry):
        sys.path.insert(0, str(ROOT / "bench"))
        import encoder_packages

        os.environ["HF_HUB_OFFLINE"] = "1"
        self.base = encoder_packages.make("bert-base", self.arguments.work)
        for name, options in {"bf16": {}, "fp16": {"dtype": "fp16"}, "bf16 tanh": {"tanh_for_erf": True},
                              "bf16 no graphs": {"graph_tokens": 0}}.items():
            entry[name] = self.engines.ask(do="load", name=name, package=str(self.base[1]), engine="fused", **options)
        entry["torchscript"] = self.engines.ask(do="load", name="torchscript", package=str(self.base[1]), engine="torchscript")

    def times(self, entry):
        shapes = dict(SHAPES, mixed=mixed_lengths(32, 1))
        ours = ("bf16", "fp16", "bf16 tanh", "bf16 no graphs", "torchscript")
        rounds = {shape: {name: [] for name in ours} for shape in shapes}
        compiled = Compiled(self.base[0]) if self.base else None
        for shape, lengths in shapes.items():
            runner = None
            if compiled and self.left() > 150:  # compiling takes a minute or two
                try:
                    runner = compiled.runner(lengths)
                except Exception as error:
                    entry[f"{shape} max-autotune"] = {"error": f"{type(error).__name__}: {error}"[:500]}
            for _ in range(ROUNDS):
                for name in ours:
                    try:
                        answer = self.engines.ask(do="time", name=name, lengths=lengths, seconds=SECONDS)
                        rounds[shape][name].append(answer["median_us"])
                    except RuntimeError as error:
                        entry[f"{shape} {name}"] = {"error": str(error)}
                if runner:
                    rounds[shape].setdefault("max-autotune bf16", []).append(median_us(runner))
                    rounds[shape].setdefault("eager bf16", []).append(median_us(compiled.eager(lengths)))
            for name, medians in rounds[shape].items():
                if medians:
                    entry[f"{shape} {name}"] = {"median_us": statistics.median(medians), "rounds_us": medians,
                                                "tokens_per_second": sum(lengths) / statistics.median(medians) * 1e6}
            self.save()
        self.compare(entry)

    def compare(self, entry):
        """The ratios that the project asks about."""
        median = lambda key: entry.get(key, {}).get("median_us")  # noqa: E731
        ratios = {}
        for shape in (*SHAPES, "mixed"):
            for other in ("torchscript", "max-autotune bf16"):
                if median(f"{shape} bf16") and median(f"{shape} {other}"):
                    ratios[f"{shape}: {other} / fused bf16"] = round(median(f"{shape} {other}") / median(f"{shape} bf16"), 2)
        entry["ratios"] = ratios

    def stream(self, entry):
        batches = []
        for seed in range(16):  # about 8,000 tokens each
            batches.append(mixed_lengths(210, seed))
        for name in ("bf16", "fp16", "bf16 tanh"):
            for replicas in (1, 2):
                runs = [self.engines.ask(do="stream", name=name, batches=batches, seconds=2, replicas=replicas)
                        for _ in range(3)]
                entry[f"{name} replicas={replicas}"] = {
                    "tokens_per_second": statistics.median(run["tokens_per_second"] for run in runs),
                    "runs": [run["tokens_per_second"] for run in runs]}

    def ceiling(self, entry):
        import torch

        for outputs, inputs in ((2304, 768), (768, 768), (3072, 768), (768, 3072)):
            x = torch.randn(4096, inputs, device="cuda", dtype=torch.bfloat16)
            weight = torch.randn(outputs, inputs, device="cuda", dtype=torch.bfloat16)
            took = median_us(lambda: (torch.nn.functional.linear(x, weight), torch.cuda.synchronize()), 0.3)
            entry[f"4096x{inputs}x{outputs}"] = {"us_with_launch": took,
                                                 "tflops": 2 * 4096 * inputs * outputs / took / 1e6}
        empty = torch.zeros(1, device="cuda")
        entry["launch_and_wait_us"] = median_us(lambda: (empty.add_(1), torch.cuda.synchronize()), 0.2)


class Compiled:
    """The checkpoint by transformers on the GPU in bf16, padded: compiled with max-autotune, and not."""

    def __init__(self, checkpoint: pathlib.Path):
        import torch
        import transformers

        self.torch = torch
        model = transformers.AutoModelForSequenceClassification.from_pretrained(checkpoint, dtype=torch.bfloat16)
        self.model = model.cuda().eval()

    def call(self, model, lengths):
        torch = self.torch
        ids = torch.zeros((len(lengths), max(lengths)), dtype=torch.int64).random_(100, 5000).pin_memory()
        mask = torch.zeros_like(ids).pin_memory()
        for row, length in enumerate(lengths):
            mask[row, :length] = 1

        def run():
            with torch.inference_mode():
                logits = model(input_ids=ids.cuda(non_blocking=True), attention_mask=mask.cuda(non_blocking=True)).logits
                return logits.float().cpu()

        for _ in range(3):
            run()
        return run

    def eager(self, lengths):
        return self.call(self.model, lengths)

    def runner(self, lengths):
        self.torch._dynamo.reset()
        return self.call(self.torch.compile(self.model, mode="max-autotune", dynamic=False), lengths)


def median_us(run, seconds: float = SECONDS) -> float:
    for _ in range(3):
        run()
    times, begin = [], time.perf_counter()
    while len(times) < 10 or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e6)
    return statistics.median(times)


def library_path(bundle: pathlib.Path) -> str:
    """Torch's own libraries, those that its wheels bring and the toolkit's; the bundle's for all the rest."""
    import torch

    site = pathlib.Path(torch.__file__).parents[1]
    folders = [site / "torch/lib", *sorted(site.glob("nvidia/*/lib")), pathlib.Path("/usr/local/cuda/lib64"), bundle / "lib"]
    return ":".join([*map(str, folders), os.environ.get("LD_LIBRARY_PATH", "")]).rstrip(":")


def output(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout.strip()
    except OSError as error:
        return str(error)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=pathlib.Path, default=ROOT / "build/gpu-bundle")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build/gpu.json")
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("/tmp/bertha-gpu"), help="for the package of base size")
    parser.add_argument("--only", default="device,tests,parity,base,time,stream,ceiling")
    parser.add_argument("--minutes", type=float, default=9, help="compile nothing more when so little is left")
    arguments = parser.parse_args()
    run = Run(arguments)
    steps = {"device": run.device, "tests": run.tests, "parity": run.parity, "base": run.base_package, "time": run.times,
             "stream": run.stream, "ceiling": run.ceiling}
    wanted = arguments.only.split(",")
    if unknown := set(wanted) - set(steps):
        parser.error(f"no step {', '.join(sorted(unknown))}")
    for name, work in steps.items():
        if name in wanted:
            run.step(name, work)
    print(json.dumps({name: entry.get("error", "ok") for name, entry in run.result["steps"].items()}, indent=1))
    return 1 if any("error" in entry for entry in run.result["steps"].values()) else 0


if __name__ == "__main__":
    sys.exit(main())
