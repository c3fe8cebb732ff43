#!/usr/bin/env python3
"""Prints how fast our encoder engines are, against TorchScript and the engines that people use instead.

    bench/encoder_peers.py [--models NAME ...] [--only ENGINE ...] [--isa avx2] [--rounds N] [--threads N]
                           [--json FILE] [--plot FILE]

Classifiers of the published base sizes with random weights (bench/encoder_packages.py); the same weights and threads for all:
  torchscript     the package's traced module, frozen, fp32, padded
  ours-DTYPE      build/release/bin/bench_encoder (or BERTHA_BUILD_DIR), the fused engine in fp32, bf16 and int8
  openvino-DTYPE  fp32, bf16, and int8 by NNCF, padded     ctranslate2-int8  unpadded; without the classifier's last product
  onnx-DTYPE      ONNX Runtime, fused fp32, and dynamic int8, padded
Every engine is a process of its own, stopped (SIGSTOP) while another is timed, and all are bound to as many cores as there are
threads. Turns alternate within each round (A B A B, then B A B A). A time is a median over all passes, a ratio the median of
the rounds' ratios, beside it the least and the largest. "GEMM" is what matrix products alone gave in the same rounds, "memory"
what reading it gave; "of the limit" is the larger of the two times that a pass cannot be shorter than (its products by the one, its
weights by the other), by the time that it took.
Where other programs took more than a few percent of the cores' time, only large ratios mean something.
|Δlogit| is the largest difference to torchscript over 8 texts: whoever computes something else is no peer.

A ratio within 5% of its limit counts as met. The exit status is 1 if one is missed.

--isa avx2 measures a machine as if it had nothing above AVX2 (docs/encoder.md says how far that holds): fp32 beside fp32, int8
beside int8, and ours-bf16 for what weights of half the size are worth: there its arithmetic is fp32's. It leaves out who cannot
be limited (ONNX Runtime) or has no such type there (OpenVINO bf16).

Needs an environment of its own, which sees the project's:
    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install -r bench/encoder_peers.txt
    echo "$PWD"/.venv/lib/python3*/site-packages >"$(echo /tmp/peers/lib/python3*/site-packages)/bertha.pth"
    /tmp/peers/bin/python bench/encoder_peers.py
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pathlib
import random
import signal
import statistics
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bench"))

from encoder_limits import MIXED, MODELS, SHAPES, judge, limits_of  # noqa: E402
from encoder_turns import ENVIRONMENT, Child, Engine, Others, one_thread_of_each_core, progress  # noqa: E402
from encoder_workers import PEERS, WORK  # noqa: E402

BENCH = ROOT / os.environ.get("BERTHA_BUILD_DIR", "build/release") / "bin" / "bench_encoder"
OURS = ("ours-fp32", "ours-bf16", "ours-int8")
ENGINES = ("torchscript", *OURS, *(name for name in PEERS if name != "torchscript"))
BYTES = {"fp32": 4, "bf16": 2, "int8": 1}
LEFT_OUT = {"auto": (), "avx2": ("openvino-bf16", "onnx-fp32", "onnx-int8")}  # who cannot be told by ENVIRONMENT


def start(name: str, wish: argparse.Namespace, children: list[Child]) -> dict[str, Engine]:
    """The engines that can run this model; of the others it says why not."""
    engines = {}
    package = wish.work / "models" / name / "1"

    def launch(engine: str, command: list[object], names: list[str]) -> None:
        progress(f"{name}: starting {engine}")
        try:
            child = Child(engine, command, wish.threads, wish.isa, wish.work / "logs" / f"{name}-{engine}.log")
        except (OSError, RuntimeError) as error:
            progress("")
            print(f"{name}: left out: {error}", file=sys.stderr)
            return
        children.append(child)
        engines.update({own: Engine(child, number) for number, own in enumerate(names)})

    bench = [BENCH, "--package", package, "--threads", wish.threads, "--isa", wish.isa, "--serve", "--engine"]
    # A numeric type that the machine lacks must not cost us the others.
    for ours in (engine for engine in OURS if engine in wish.only):
        launch(ours, [*bench, f"fused:{ours.split('-')[1]}"], [ours])
    for peer, families in PEERS.items():
        if peer in wish.only and (families is None or name.split("-")[0] in families):
            launch(peer, [sys.executable, ROOT / "bench" / "encoder_workers.py", peer, name, "--threads", wish.threads, "--work",
                          wish.work], [peer])
    # Where there is no engine of ours yet, the ceiling has to come from somewhere.
    if not any(engine in engines for engine in OURS):
        launch("gemm", [*bench, "torchscript"], ["gemm"])
    return engines


def differences(engines: dict[str, Engine]) -> dict[str, float]:
    """Engine: the largest |difference| of a logit to torchscript's."""
    if "torchscript" not in engines:
        return {}
    rng = random.Random(1)
    ids = [[rng.randrange(5, 400) for _ in range(length)] for length in MIXED[:8]]
    expected = engines["torchscript"].logits(ids)

    def largest(found: list[list[float]]) -> float:
        return max(abs(a - b) for row, wanted in zip(found, expected, strict=True) for a, b in zip(row, wanted, strict=True))

    return {name: largest(engine.logits(ids)) for name, engine in engines.items() if name != "gemm"}


def quantile(values: list[float], part: float) -> float:
    values = sorted(values)
    return values[min(len(values) - 1, int(part * len(values)))]


def measure_shape(name: str, shape: str, engines: dict[str, Engine], others: Others, wish: argparse.Namespace) -> dict:
    """{"engines": {name: times}, "gemm_gflops": {dtype: GFLOP/s}, ...}"""
    timed = [engine for engine in engines if engine != "gemm"]
    medians: dict[str, list[float]] = {engine: [] for engine in timed}
    passes: dict[str, list[float]] = {engine: [] for engine in timed}
    operations = weights = None
    gemm: dict[str, list[float]] = {}
    memory: list[float] = []
    ceiling = next((engines[engine].child for engine in (*OURS, "gemm") if engine in engines), None)
    for engine in timed:
        engines[engine].times(SHAPES[shape], 0)  # warms up
    for turn in range(wish.rounds):
        for dtype in ("fp32", "bf16", "int8") if ceiling else ():
            with contextlib.suppress(RuntimeError):  # not every machine has all of them
                gflops = ceiling.ask(gemm=dtype, seconds=0.1)["gflops"]
                gemm.setdefault(dtype, []).append(gflops)
        if ceiling:
            memory.append(ceiling.ask(read=True, seconds=0.1)["gb_per_s"])
        for engine in timed if turn % 2 == 0 else reversed(timed):
            progress(f"{name} {shape}, round {turn + 1} of {wish.rounds}: {engine}")
            others.start()
            answer = engines[engine].times(SHAPES[shape], wish.seconds)
            others.stop()
            medians[engine].append(statistics.median(answer["ms"]))
            passes[engine] += answer["ms"]
            operations = answer.get("operations") or operations
    progress("")
    if ceiling and not name.startswith("albert"):  # whose layers share weights, which stay in the cache
        one = ceiling.ask(engine=0, lengths=[1], seconds=0)["operations"]
        weights = one and one / 2  # one token meets each weight once
    tokens = sum(SHAPES[shape])
    bound = {dtype: limit(operations, weights, dtype, statistics.median(rates), statistics.median(memory)) for dtype, rates in gemm.items()}
    return {
        "shape": shape, "tokens": tokens, "operations": operations, "weights": weights,
        "memory_gb_per_s": statistics.median(memory) if memory else None, "limit_ms": bound,
        "gemm_gflops": {dtype: statistics.median(values) for dtype, values in gemm.items()},
        "engines": {engine: {
            "ms": statistics.median(passes[engine]), "min_ms": min(passes[engine]), "p10_ms": quantile(passes[engine], 0.1),
            "p90_ms": quantile(passes[engine], 0.9), "passes": len(passes[engine]), "rounds_ms": medians[engine],
            "tokens_per_s": tokens / statistics.median(passes[engine]) * 1e3,
            "of_gemm": fraction(operations, passes[engine], gemm.get(dtype_of(engine))),
            "of_limit": bound[dtype_of(engine)] / statistics.median(passes[engine]) if bound.get(dtype_of(engine)) else None,
        } for engine in timed},
    }


def dtype_of(engine: str) -> str:
    return "fp32" if engine == "torchscript" else engine.split("-")[-1]


def limit(operations: float | None, weights: float | None, dtype: str, gflops: float, gb_per_s: float) -> float | None:
    """Milliseconds that a pass takes at least."""
    if not operations:
        return None
    return max(operations / gflops, (weights or 0) * BYTES[dtype] / gb_per_s) / 1e6


def fraction(operations: float | None, passes: list[float], gemm: list[float] | None) -> float | None:
    """Of what matrix products give."""
    if not operations or not gemm:
        return None
    return operations / statistics.median(passes) / 1e6 / statistics.median(gemm)


def measure(name: str, wish: argparse.Namespace) -> dict:
    from encoder_packages import make

    make(name, wish.work)
    children: list[Child] = []
    try:
        engines = start(name, wish, children)
        off = differences(engines)
        others = Others(children)
        results = [measure_shape(name, shape, engines, others, wish) for shape in MODELS[name] if shape in wish.shapes]
    finally:
        for child in children:
            child.stop()
    processor, isa = next(((child.ready["processor"], child.ready["engines"][0]["isa"]) for child in children
                           if "processor" in child.ready), ("unknown", wish.isa))
    return {"model": name, "threads": wish.threads, "processor": processor, "isa": isa, "differences": off,
            "others": others.share(), "shapes": results, "limits": judge(name, wish.isa, results)}


def milliseconds(value: float) -> str:
    return f"{value:.1f}" if value < 1000 else f"{value:.0f}"


def print_model(result: dict) -> None:
    print(f"\n{result['model']}, {result['threads']} threads on {result['processor']} with {result['isa']}; ms: median (p10 to p90); "
          f"other programs took {result['others']:.0%} of their time")
    print(f"  {'':17}" + "".join(f"{shape['shape']:>26}" for shape in result["shapes"]) + f"{'max |Δlogit|':>14}")
    engines = dict.fromkeys(engine for shape in result["shapes"] for engine in shape["engines"])
    for engine in engines:
        cells = []
        for shape in result["shapes"]:
            e = shape["engines"][engine]
            cells.append(f"{milliseconds(e['ms'])} ({milliseconds(e['p10_ms'])} to {milliseconds(e['p90_ms'])})")
        off = result["differences"].get(engine)
        print(f"  {engine:17}" + "".join(f"{cell:>26}" for cell in cells) + (f"{off:14.2e}" if off is not None else ""))
    print("  of the limit")
    for engine in engines:
        parts = (shape["engines"][engine]["of_limit"] for shape in result["shapes"])
        print(f"  {engine:17}" + "".join(f"{f'{part:.0%}' if part else '-':>26}" for part in parts))
    print(f"  {'memory':17}" + "".join(f"{shape['memory_gb_per_s'] or float('nan'):>21.1f} GB/s" for shape in result["shapes"]))
    for dtype in dict.fromkeys(dtype for shape in result["shapes"] for dtype in shape["gemm_gflops"]):
        print(f"  {f'GEMM {dtype}':17}" + "".join(
            f"{shape['gemm_gflops'].get(dtype, float('nan')):>18.0f} GFLOP/s" for shape in result["shapes"]))
    for row in result["limits"]:
        spread = f" ({row['low']:.2f} to {row['high']:.2f})" if row["low"] is not None else ""
        print(f"  {row['shape']:9} {row['what']:32} {row['value']:6.2f}{spread:18} >= {row['limit']:<5g} {row['verdict']}")
    sys.stdout.flush()


def plot(results: list[dict], path: pathlib.Path) -> None:
    """Speed by torchscript's, a panel for each model."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    widths = [len(result["shapes"]) for result in results]
    figure, axes = pyplot.subplots(1, len(results), figsize=(2.5 + 2.2 * sum(widths), 4.5), sharey=True, squeeze=False,
                                   width_ratios=widths)
    for axis, result in zip(axes[0], results):
        engines = list(dict.fromkeys(engine for shape in result["shapes"] for engine in shape["engines"]))
        for number, engine in enumerate(engines):
            speed = [shape["engines"]["torchscript"]["ms"] / shape["engines"][engine]["ms"] for shape in result["shapes"]]
            axis.bar([i + 0.85 * (number + 0.5) / len(engines) for i in range(len(speed))], speed, 0.85 / len(engines), label=engine,
                     color=f"C{ENGINES.index(engine)}")
        axis.set_xticks([i + 0.42 for i in range(len(result["shapes"]))], [shape["shape"] for shape in result["shapes"]])
        axis.set_title(result["model"])
        axis.set_yscale("log")
        axis.grid(axis="y", which="both", alpha=0.3)
    axes[0][0].set_ylabel("speed, TorchScript fp32 = 1")
    axes[0][0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, format="svg")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--models", nargs="+", choices=MODELS, metavar="NAME", default=list(MODELS), help=f"of {', '.join(MODELS)} (default: all)")
    add("--only", nargs="+", choices=ENGINES, metavar="ENGINE", help=f"of {', '.join(ENGINES)} (default: all)")
    add("--shapes", nargs="+", choices=SHAPES, metavar="SHAPE", default=list(SHAPES), help=f"of {', '.join(SHAPES)} (default: all)")
    add("--isa", choices=ENVIRONMENT, default="auto", help="nothing above (default: auto, all there is)")
    add("--rounds", type=int, default=7)
    add("--seconds", type=float, default=0.4, help="of a turn, which is at least one pass (default: %(default)s)")
    add("--threads", type=int, default=2, help="of every engine (default: %(default)s)")
    add("--work", type=pathlib.Path, default=WORK, metavar="DIR", help="where models stay, made once (default: %(default)s)")
    add("--json", type=pathlib.Path, metavar="FILE")
    add("--plot", type=pathlib.Path, metavar="FILE", help="an SVG")
    wish = parser.parse_args()
    unfit = [engine for engine in wish.only or () if engine in LEFT_OUT[wish.isa]]
    if unfit:
        parser.error(f"--isa {wish.isa} is not for {', '.join(unfit)}")
    wish.only = wish.only or [engine for engine in ENGINES if engine not in LEFT_OUT[wish.isa]]
    if wish.plot and "torchscript" not in wish.only:
        parser.error("--plot shows speeds by torchscript's: it must not be left out")
    return wish


def main() -> int:
    wish = parse()
    cores = one_thread_of_each_core()
    if len(cores) < wish.threads:
        print(f"{wish.threads} threads, but {len(cores)} cores", file=sys.stderr)
        return 2
    os.sched_setaffinity(0, cores[: wish.threads])  # the children have it from us
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # stopped children must not stay behind
    begin = time.monotonic()
    results = []
    for name in wish.models:
        results.append(measure(name, wish))
        print_model(results[-1])
    if wish.json:
        wish.json.write_text(json.dumps(results))
    if wish.plot:
        plot(results, wish.plot)
    missed = sum(row["verdict"] == "TOO SLOW" for result in results for row in result["limits"])
    judged = sum(len(result["limits"]) for result in results)
    wanted = sum(len(limits) for name in MODELS for limits in limits_of(name, wish.isa))
    print(f"\n{missed} of {judged} limits missed, {wanted - judged} not measured; {time.monotonic() - begin:.0f} s")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
