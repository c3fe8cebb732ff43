"""What bench/compare makes of its rounds: medians, ratios with their spread, tables and a plot."""

from __future__ import annotations

import os
import pathlib
import platform
import statistics

OURS = "bertha-fp32"  # the others compute in fp32, too
KEYS = {"per_s": "requests/s", "p50_ms": "p50 ms", "p99_ms": "p99 ms"}


def machine() -> dict[str, object]:
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    processor = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    flags = next((line for line in lines if line.startswith("flags")), "").split()
    return {"processor": processor, "cores": len(os.sched_getaffinity(0)), "kernel": platform.release(),
            "python": platform.python_version(),
            "instructions": [flag for flag in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16") if flag in flags]}


def figures(model: dict, server: str, case: str) -> list[dict | None]:
    """Of each round; None where the server was not measured."""
    return [round_[server].get(case) for round_ in model["rounds"]]


def median(model: dict, server: str, case: str, key: str) -> float | None:
    """None also where too many calls failed to have the figure."""
    values = [one[key] for one in figures(model, server, case) if one and one[key] is not None]
    return statistics.median(values) if values else None


def ratios(model: dict, server: str, case: str, key: str, ours: str = OURS) -> tuple[float, float, float] | None:
    """How many times better bertha is: median, least, largest of the rounds' ratios."""
    found = []
    if ours not in model["rounds"][0]:
        return None
    for mine, theirs in zip(figures(model, ours, case), figures(model, server, case)):
        if mine and theirs and mine[key] and theirs[key]:
            found.append(mine[key] / theirs[key] if key == "per_s" else theirs[key] / mine[key])
    return (statistics.median(found), min(found), max(found)) if found else None


def servers(model: dict) -> list[str]:
    """Fastest first, bertha before the others."""
    names = list(model["rounds"][0])
    last = model["cases"][min(2, len(model["cases"]) - 1)]
    return sorted(names, key=lambda name: (not name.startswith("bertha"), -(median(model, name, last, "per_s") or 0)))


def number(value: float | None, digits: int = 3) -> str:
    if value is None:
        return "-"
    if value >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def table(rows: list[list[str]]) -> list[str]:
    head, *body = rows
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    return lines + ["| " + " | ".join(row) + " |" for row in body]


def how(settings: dict | None) -> str:
    if settings is None:
        return ""
    workers, threads = settings["workers_threads"]
    return f"{settings['engine']}, {workers} x {threads}{'' if settings['batches'] else ', no batches'}"


def model_section(model: dict) -> list[str]:
    lines = [f"## {model['model']}: {model['package']}, {model['parameters']:,} parameters", ""]
    for case in model["cases"]:
        rows = [[case, *KEYS.values(), "requests/s: bertha by it", "p50: it by bertha", "p99: it by bertha"]]
        for server in servers(model):
            settings = how(model["settings"].get(server))
            cells = [f"{server}{f' ({settings})' if settings else ''}"]
            cells += [number(median(model, server, case, key)) for key in KEYS]
            for key in KEYS:
                found = None if server.startswith("bertha") else ratios(model, server, case, key)
                cells.append(f"{number(found[0])} ({number(found[1])} to {number(found[2])})" if found else "")
            rows.append(cells)
        lines += table(rows) + [""]
    return lines + remarks(model)


def remarks(model: dict) -> list[str]:
    """What a reader must know of the figures above: who is missing, who failed, what the client says against itself."""
    lines = []
    for server in servers(model):
        for round_number, round_ in enumerate(model["rounds"], 1):
            result = round_[server]
            where = f"- {server}, round {round_number}"
            if "error" in result:
                lines.append(f"{where}: not measured: {' '.join(str(result['error']).split())[:300]}")
                continue
            for case, one in result.items():
                if one["failed"]:
                    lines.append(f"{where}, {case}: {one['failed']} of {one['calls']} calls failed")
                lines += [f"{where}, {case}: INVALID: {reason}" for reason in one["invalid"]]
    return ["Remarks:", "", *lines, ""] if lines else []


def engines_section(engines: list[dict]) -> list[str]:
    lines = ["## Engines alone", ""]
    for result in engines:
        shapes = [shape["shape"] for shape in result["shapes"]]
        names = dict.fromkeys(name for shape in result["shapes"] for name in shape["engines"])
        rows = [[f"{result['model']}, ms, median", *shapes, "max difference of a logit"]]
        for name in names:
            cells = [number(shape["engines"].get(name, {}).get("ms")) for shape in result["shapes"]]
            off = result["differences"].get(name)
            rows.append([name, *cells, "-" if off is None else f"{off:.1e}"])
        for dtype in dict.fromkeys(dtype for shape in result["shapes"] for dtype in shape["gemm_gflops"]):
            rows.append([f"matrix products alone, {dtype}, GFLOP/s",
                         *(number(shape["gemm_gflops"].get(dtype)) for shape in result["shapes"]), ""])
        lines += table(rows) + ["", f"Other programs took {result['others']:.0%} of the time.", ""]
    return lines


def markdown(report: dict, name: str | None) -> str:
    made = report["machine"]
    lines = [f"# bertha beside its peers, {report['date']}", "",
             f"{made['processor']}, {made['cores']} cores ({', '.join(made['instructions'])}), kernel {made['kernel']}; client and server share them. "
             f"{len(report['models'][0]['rounds'])} rounds, each server started anew in each; {report['seconds']:g} s a case after {report['warm_up']:g} s of "
             "warm-up; medians, ratios with their range over the rounds. Closed loop: so many calls are always in flight. All in fp32 but where a "
             f"name says otherwise. Made by `bench/compare` in {report['minutes']:g} minutes.", ""]
    if name:
        lines += [f"![requests per second and p99]({name}.svg)", ""]
    for model in report["models"]:
        lines += model_section(model)
    lines += engines_section(report.get("engines", [])) if report.get("engines") else []
    lines += ["## Versions", "", *(f"- {server}: {version}" for server, version in report["versions"].items()), ""]
    return "\n".join(lines)


def bars(top: float, title: str, model: dict, case: str, key: str) -> tuple[list[str], float]:
    """A panel of SVG, and where it ends: a bar for each server."""
    rows = [(server, median(model, server, case, key)) for server in servers(model)]
    rows = [(server, value) for server, value in rows if value]
    most = max((value for _, value in rows), default=1)
    parts = [f'<text x="20" y="{top + 14}" font-weight="bold">{title}</text>']
    y = top + 26
    for server, value in rows:
        colour = "#1b6ca8" if server.startswith("bertha") else "#b9b9b9"
        parts.append(f'<text x="120" y="{y + 11}" text-anchor="end">{server}</text>'
                     f'<rect x="128" y="{y}" width="{500 * value / most:.1f}" height="14" fill="{colour}"/>'
                     f'<text x="{134 + 500 * value / most:.1f}" y="{y + 11}">{number(value)}</text>')
        y += 19
    return parts, y + 14


def plot(report: dict) -> str:
    """Requests per second and p99 of every model at the most calls in flight, as one SVG."""
    parts: list[str] = []
    top = 10.0
    for model in report["models"]:
        case = [case for case in model["cases"] if case.endswith("in flight")][-1]
        for key, title in (("per_s", "requests/s, longer is better"), ("p99_ms", "p99 in ms, shorter is better")):
            more, top = bars(top, f"{model['model']}, {case}: {title}", model, case, key)
            parts += more
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 {top:.0f}" font-family="sans-serif" font-size="12">'
            f'<rect width="720" height="{top:.0f}" fill="white"/>' + "\n".join(parts) + "</svg>\n")
