"""What bench/encoder_peers.py measures, and what is wanted of it."""

from __future__ import annotations

import statistics

# 32 lengths of 8 to 118 tokens, mean 37, as short texts have them: lognormal(3.5, 0.6).
MIXED = [41, 54, 40, 15, 57, 43, 24, 47, 41, 40, 34, 46, 21, 30, 25, 47, 34, 28, 21, 28, 33, 28, 72, 61, 8, 11, 30, 26, 38, 38,
         118, 17]
SHAPES = {"1x16": [16], "1x128": [128], "8x128": [128] * 8, "32x128": [128] * 32, "32 mixed": MIXED}
MODELS = {
    "bert-base": list(SHAPES),
    "roberta-base": ["8x128"],
    "distilbert-base": ["8x128"],
    "albert-base": ["1x16", "1x128", "8x128"],  # alone: shared weights stay in the cache
    "xlnet-base": ["8x128"],
}
CLOSE_ENOUGH = 0.95

# Model: [(shape, one engine, other engine, least ratio of the other's time to the one's)]
Limits = dict[str, list[tuple[str, str, str, float]]]
LIMITS: Limits = {
    "bert-base": [
        *((shape, f"ours-{dtype}", "torchscript", least)
          for dtype, limits in {"bf16": (5, 3.3, 2.7, 2.6, 9), "int8": (8, 5.3, 4.8, 4.8, 15)}.items()
          for shape, least in zip(SHAPES, limits)),
        *((shape, f"ours-{dtype}", f"openvino-{dtype}", least)
          for dtype in ("bf16", "int8") for shape, least in zip(SHAPES, (1.5, 1.15, 1.15, 1.1, 2.5))),
        ("32 mixed", "ours-int8", "ctranslate2-int8", 2.5),
    ],
    **{name: [("8x128", "ours-bf16", "torchscript", 3.5 if name == "xlnet-base" else 2.5),
              ("8x128", "ours-bf16", "openvino-bf16", 1.1)] for name in MODELS if name != "bert-base"},
}
AVX2_LIMITS: Limits = {
    "bert-base": [(shape, f"ours-{dtype}", f"openvino-{dtype}", 1) for dtype in ("fp32", "int8") for shape in SHAPES],
    **{name: [("8x128", "ours-fp32", "openvino-fp32", 1)] for name in MODELS if name != "bert-base"},
}
# Shape: least fraction of what matrix products give in bf16.
LEAST_OF_GEMM = {"1x16": 0.65, "1x128": 0.88, "8x128": 0.88, "32x128": 0.88, "32 mixed": 0.88}


def verdict(value: float, limit: float) -> str:
    return "ok" if value >= limit else "ok, within 5%" if value >= limit * CLOSE_ENOUGH else "TOO SLOW"


def limits_of(name: str, isa: str) -> tuple[list[tuple[str, str, str, float]], dict[str, float]]:
    """Of a model's ratios, and of the GEMM that its shapes must reach."""
    if isa == "avx2":
        return AVX2_LIMITS[name], {}
    return LIMITS[name], LEAST_OF_GEMM if name == "bert-base" else {}


def judge(name: str, isa: str, results: list[dict]) -> list[dict]:
    """The limits that can be judged by what was measured."""
    ratios_wanted, least_of_gemm = limits_of(name, isa)
    shapes = {result["shape"]: result for result in results}
    rows = []
    for shape, one, other, limit in ratios_wanted:
        engines = shapes[shape]["engines"] if shape in shapes else {}
        if one in engines and other in engines:
            ratios = [b / a for a, b in zip(engines[one]["rounds_ms"], engines[other]["rounds_ms"])]
            rows.append({"shape": shape, "what": f"{one} / {other}", "value": statistics.median(ratios), "low": min(ratios),
                         "high": max(ratios), "limit": limit, "verdict": verdict(statistics.median(ratios), limit)})
    for shape, limit in least_of_gemm.items():
        value = shapes.get(shape, {}).get("engines", {}).get("ours-bf16", {}).get("of_gemm")
        if value is not None:
            rows.append({"shape": shape, "what": "ours-bf16 of GEMM bf16", "value": value, "low": None, "high": None, "limit": limit,
                         "verdict": verdict(value, limit)})
    return rows
