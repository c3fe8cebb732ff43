"""What bench/compare makes of its rounds: medians, ratios with their spread, tables and a plot."""

from __future__ import annotations

import os
import pathlib
import platform
import statistics

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
    return [round_.get(server, {}).get(case) for round_ in model["rounds"]]


def ours_for(server: str) -> str:
    """The bertha that computes in the peer's numeric type."""
    return next((f"bertha-{dtype}" for dtype in ("bf16", "int8") if dtype in server), "bertha-fp32")


def median(model: dict, server: str, case: str, key: str) -> float | None:
    """None also where too many calls failed to have the figure."""
    values = [one[key] for one in figures(model, server, case) if one and one[key] is not None]
    return statistics.median(values) if values else None


def ratios(model: dict, server: str, case: str, key: str, ours: str | None = None) -> tuple[float, float, float] | None:
    """How many times better bertha (that of the same type unless `ours` says which) is: median, least, largest of the rounds' ratios."""
    found = []
    for mine, theirs in zip(figures(model, ours or ours_for(server), case), figures(model, server, case)):
        if mine and theirs and mine[key] and theirs[key]:
            found.append(mine[key] / theirs[key] if key == "per_s" else theirs[key] / mine[key])
    return (statistics.median(found), min(found), max(found)) if found else None


def servers(model: dict) -> list[str]:
    """Fastest first, bertha before the others."""
    names = dict.fromkeys(name for round_ in model["rounds"] for name in round_)
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


def spread(found: tuple[float, float, float] | None) -> str:
    return f"{number(found[0])} ({number(found[1])} to {number(found[2])})" if found else ""


def in_short(model: dict) -> list[str]:
    """The fastest bertha beside the fastest of the others, whatever their types, in each case."""
    lines = []
    for case in model["cases"]:
        measured = [server for server in servers(model) if median(model, server, case, "per_s")]
        fastest = sorted(measured, key=lambda server: -median(model, server, case, "per_s"))
        ours = next((server for server in fastest if server.startswith("bertha")), None)
        theirs = next((server for server in fastest if not server.startswith("bertha")), None)
        if ours and theirs:
            found = [spread(ratios(model, theirs, case, key, ours)) for key in KEYS]
            lines.append(f"- {case}: {ours} answers {found[0]} times as many requests/s as the fastest of the others, "
                         f"{titled(model, theirs)}, whose p50 is {found[1] or '-'} times and p99 {found[2] or '-'} times as long.")
    return [*lines, ""] if lines else []


def titled(model: dict, server: str) -> str:
    settings = model["settings"].get(server)
    return f"{server.partition('@')[0]}{f' ({settings})' if settings else ''}"


def model_section(model: dict) -> list[str]:
    lines = [f"## {model['model']}: {model['package']}, {model['parameters']:,} parameters", "",
             f"The texts have {model['tokens']:g} tokens on average.", "", *in_short(model)]
    for case in model["cases"]:
        rows = [[case, *KEYS.values(), "requests/s: bertha by it", "p50: it by bertha", "p99: it by bertha"]]
        for server in servers(model):
            cells = [titled(model, server)]
            cells += [number(median(model, server, case, key)) for key in KEYS]
            for key in KEYS:
                cells.append("" if server.startswith("bertha") else spread(ratios(model, server, case, key)))
            rows.append(cells)
        lines += table(rows) + [""]
    return lines + remarks(model)


def remarks(model: dict) -> list[str]:
    """What a reader must know of the figures above: who is missing, who failed, what the client says against itself."""
    lines = []
    for server in servers(model):
        for round_number, round_ in enumerate(model["rounds"], 1):
            result = round_.get(server, {})
            where = f"- {server}, round {round_number}"
            if "error" in result:
                lines.append(f"{where}: not measured: {' '.join(str(result['error']).split())[:300]}")
                continue
            for case, one in result.items():
                if one["failed"]:
                    lines.append(f"{where}, {case}: {one['failed']} of {one['calls']} calls failed")
                lines += [f"{where}, {case}: INVALID: {reason}" for reason in one["invalid"]]
    return ["Remarks:", "", *lines, ""] if lines else []


def engine_cell(engine: dict) -> str:
    part = engine.get("of_limit")
    return number(engine.get("ms")) + (f" ({part:.0%})" if part else "")


def engines_section(engines: list[dict]) -> list[str]:
    lines = ["## Engines alone", ""]
    for result in engines:
        shapes = [shape["shape"] for shape in result["shapes"]]
        names = dict.fromkeys(name for shape in result["shapes"] for name in shape["engines"])
        rows = [[f"{result['model']}, ms (of the limit)", *shapes, "max difference of a logit"]]
        for name in names:
            cells = [engine_cell(shape["engines"].get(name, {})) for shape in result["shapes"]]
            off = result["differences"].get(name)
            rows.append([name, *cells, "-" if off is None else f"{off:.1e}"])
        for dtype in dict.fromkeys(dtype for shape in result["shapes"] for dtype in shape["gemm_gflops"]):
            rows.append([f"matrix products alone, {dtype}, GFLOP/s",
                         *(number(shape["gemm_gflops"].get(dtype)) for shape in result["shapes"]), ""])
        rows.append(["reading memory, GB/s", *(number(shape["memory_gb_per_s"]) for shape in result["shapes"]), ""])
        lines += table(rows) + ["", "The limit: the larger of the products' time at the rate of matrix products alone, and of the "
                                "weights' at that of reading memory, measured in the same rounds.", "", f"Other programs took {result['others']:.0%} of the time.", ""]
    return lines


def markdown(report: dict, name: str | None) -> str:
    made = report["machine"]
    lines = [f"# bertha beside its peers, {report['date']}", "",
             f"{made['processor']}, {made['cores']} cores ({', '.join(made['instructions'])}), kernel {made['kernel']}; client and server share "
             f"them. {len(report['models'][0]['rounds'])} rounds, each server started anew in each; {report['seconds']:g} s a case after "
             f"{report['warm_up']:g} s of warm-up; medians, ratios with their range over the rounds. Closed loop: so many calls are always in "
             "flight. In fp32 but where a name says otherwise, ratios to the bertha of the same type; behind a peer's name: its engine, "
             "workers x threads. Made by `bench/compare`.", ""]
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
        parts.append(f'<text x="180" y="{y + 11}" text-anchor="end">{server}</text>'
                     f'<rect x="188" y="{y}" width="{500 * value / most:.1f}" height="14" fill="{colour}"/>'
                     f'<text x="{194 + 500 * value / most:.1f}" y="{y + 11}">{number(value)}</text>')
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
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {top:.0f}" font-family="sans-serif" font-size="12">'
            f'<rect width="760" height="{top:.0f}" fill="white"/>' + "\n".join(parts) + "</svg>\n")
