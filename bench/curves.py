"""What bench/simulate, bench/load_curve and deploy/capacity share: the simulator, a table, and a plot of goodput over load."""

from __future__ import annotations

import json
import math
import sys

from berthad import BIN, run_json

COLOURS = ("#1b6ca8", "#c1440e", "#d9a404", "#777777", "#3f8f4f")


def simulate(settings: dict) -> dict:
    """Results of bench/simulator/, whose help has the settings."""
    return run_json(BIN / "simulator", json.dumps(settings))


def read_settings(items: list[str]) -> dict:
    """Of the simulator, from KEY=JSON; what is no JSON is a string."""
    settings = {}
    for item in items:
        key, _, value = item.partition("=")
        try:
            settings[key] = json.loads(value)
        except json.JSONDecodeError:
            settings[key] = value
    return settings


def progress(line: str) -> None:
    """One line that is written over, where somebody watches; empty: it goes."""
    if sys.stderr.isatty():
        print(f"\r{line:<70}" if line else "\r" + " " * 70 + "\r", end="", file=sys.stderr, flush=True)


def print_table(results: list[dict]) -> None:
    """A row for each result; "policy" names it, "load" is by the capacity."""
    print(f"{'load':>6} {'policy':<13} {'offered/s':>10} {'goodput/s':>10} {'in time':>8} {'refused':>8} "
          f"{'p50 ms':>9} {'p99 ms':>9} {'batch':>6}")
    for r in results:
        print(f"{r['load']:>6.1f} {r['policy']:<13} {r['offered_per_s']:>10.1f} {r['goodput_per_s']:>10.1f} "
              f"{r['kept']:>8.1%} {r['refused_per_s'] / max(r['offered_per_s'], 1e-9):>8.1%} {r['p50_ms']:>9.1f} "
              f"{r['p99_ms']:>9.1f} {r['mean_batch']:>6.1f}")


def nice_ticks(low: float, high: float, logarithmic: bool) -> list[float]:
    if logarithmic:
        return [10.0**e for e in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
    step = 10 ** math.floor(math.log10(high / 2))
    step *= next(factor for factor in (1, 2, 5) if high / (factor * step) <= 5)
    return [i * step for i in range(int(high / step) + 1)]


def panel(top: int, title: str, results: list[dict], lines: list[tuple[str, str]], logarithmic: bool = False) -> list[str]:
    """SVG of what `lines` (key, dashes) name, over the load, a colour for each policy."""
    left, width, height = 60, 560, 190
    loads = sorted({r["load"] for r in results})
    values = [r[key] for r in results for key, _ in lines if r[key] > 0] or [1.0]
    ticks = nice_ticks(min(values), max(values), logarithmic)
    low, high = ticks[0], max(max(values), ticks[-1])

    def x(load: float) -> float:
        return left + width * loads.index(load) / max(1, len(loads) - 1)

    def y(value: float) -> float:
        part = math.log(max(value, low) / low) / math.log(high / low) if logarithmic else value / high
        return top + 24 + height * (1 - part)

    parts = [f'<text x="{left}" y="{top + 12}" font-weight="bold">{title}</text>']
    for tick in ticks:
        parts.append(f'<line x1="{left}" x2="{left + width}" y1="{y(tick):.0f}" y2="{y(tick):.0f}" stroke="#ddd"/>'
                     f'<text x="{left - 8}" y="{y(tick) + 4:.0f}" text-anchor="end">{tick:g}</text>')
    for load in loads:
        parts.append(f'<text x="{x(load):.0f}" y="{top + height + 40}" text-anchor="middle">{load:g}</text>')
    for policy, colour in colours(results).items():
        for key, dashes in lines:
            points = " ".join(f"{x(r['load']):.0f},{y(r[key]):.0f}" for r in results if r["policy"] == policy)
            parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}"/>')
    return parts


def colours(results: list[dict]) -> dict[str, str]:
    return dict(zip(dict.fromkeys(r["policy"] for r in results), COLOURS * len(results)))


def plot(results: list[dict], capacity: float) -> str:
    """Goodput by the capacity, latency and batch size over load, as one SVG."""
    results = [{**r, "goodput": r["goodput_per_s"] / capacity} for r in results]
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 760" font-family="sans-serif" font-size="12">',
             '<rect width="800" height="760" fill="white"/>',
             *panel(0, "answers in time, by the capacity", results, [("goodput", "none")]),
             *panel(250, "p99 (solid) and p50 (dashed) of what was answered, ms", results, [("p99_ms", "none"), ("p50_ms", "4 4")], True),
             *panel(500, "mean batch", results, [("mean_batch", "none")]),
             '<text x="340" y="752" text-anchor="middle">arrivals by the capacity</text>']
    for i, (policy, colour) in enumerate(colours(results).items()):
        parts.append(f'<text x="640" y="{40 + 18 * i}" fill="{colour}">{policy}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"
