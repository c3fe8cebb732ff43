"""What bench/simulate and bench/load_curve share: the simulator, a table, and a plot of goodput over load."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
BIN = pathlib.Path(os.environ.get("BERTHA_BUILD_DIR", ROOT / "build" / "release")) / "bin"
COLOURS = ("#1b6ca8", "#c1440e", "#d9a404", "#777777", "#3f8f4f")


def run_json(*command: object) -> dict:
    """The JSON object that a command prints."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{command[0]} ended with {done.returncode}\n{done.stdout}")
    return json.loads(done.stdout)


def simulate(settings: dict) -> dict:
    """Results of bench/simulator.cc, whose help has the settings."""
    return run_json(BIN / "simulator", json.dumps(settings))


def progress(line: str) -> None:
    """One line that is written over, where somebody watches; empty: it goes."""
    if sys.stderr.isatty():
        print(f"\r{line:<70}" if line else "\r" + " " * 70 + "\r", end="", file=sys.stderr, flush=True)


def print_table(results: list[dict]) -> None:
    """A row for each result; "policy" names it, "load" is by the capacity."""
    print(f"{'load':>6} {'policy':<13} {'offered/s':>10} {'goodput/s':>10} {'in time':>8} {'refused':>8} "
          f"{'p50 ms':>9} {'p99 ms':>9} {'batch':>6}")
    for r in results:
        print(f"{r['load']:>6.1f} {r['policy']:<13} {r['offered_per_s']:>10.0f} {r['goodput_per_s']:>10.0f} "
              f"{r['kept']:>8.1%} {r['refused_per_s'] / max(r['offered_per_s'], 1e-9):>8.1%} {r['p50_ms']:>9.1f} "
              f"{r['p99_ms']:>9.1f} {r['mean_batch']:>6.1f}")


def plot(results: list[dict], capacity: float) -> str:
    """Goodput over load, both by the capacity, as an SVG of one panel."""
    loads = sorted({r["load"] for r in results})
    policies = list(dict.fromkeys(r["policy"] for r in results))
    width, height, left, bottom = 640, 360, 60, 40
    top = max(r["goodput_per_s"] for r in results) / capacity * 1.1

    def x(load: float) -> float:
        return left + (width - left - 20) * loads.index(load) / max(1, len(loads) - 1)

    def y(value: float) -> float:
        return height - bottom - (height - bottom - 30) * value / top

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
             f'<rect width="{width}" height="{height}" fill="white"/>',
             f'<text x="{left}" y="18">answers in time, by the capacity of full batches</text>']
    for load in loads:
        parts.append(f'<text x="{x(load):.0f}" y="{height - 18}" text-anchor="middle">{load:g}x</text>')
    for step in range(5):
        value = top * step / 4
        parts.append(f'<line x1="{left}" x2="{width - 20}" y1="{y(value):.0f}" y2="{y(value):.0f}" stroke="#ddd"/>'
                     f'<text x="{left - 8}" y="{y(value) + 4:.0f}" text-anchor="end">{value:.2f}</text>')
    for policy, colour in zip(policies, COLOURS * len(policies)):
        row = [r for r in results if r["policy"] == policy]
        points = " ".join(f"{x(r['load']):.0f},{y(r['goodput_per_s'] / capacity):.0f}" for r in row)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
                     f'<text x="{width - 24}" y="{40 + 16 * policies.index(policy)}" text-anchor="end" fill="{colour}">{policy}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"
