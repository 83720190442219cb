"""The pictures and the table of the performance page, from the figures of a run.

    python tests/benchmarks/compare.py --all --out figures.json
    python tests/benchmarks/pictures.py figures.json docs/explanation/performance.md

Writes the pictures beside the page's others, and the tables between their marks in the page.
"""

import argparse
import json
import math
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

from _competitors import OURS

IMAGES: Final = Path("docs/images")

NAMES: Final = {
    "direct": "multiwhats-async, direct",
    "httpcore": "multiwhats-async, httpcore",
    "httpx": "httpx, default limits",
    "httpx2": "httpx2, wide pool",
    "aiohttp": "aiohttp",
    "niquests": "niquests",
    "pyreqwest": "pyreqwest (Rust)",
    "floor": "llhttp by hand, no safety",
}

STYLE: Final = """<style>
text { font: 13px system-ui, "Segoe UI", Roboto, sans-serif; fill: #1f2328; }
.title { font-size: 15px; font-weight: 600; }
.quiet { fill: #59636e; }
.value { font-variant-numeric: tabular-nums; }
.card { fill: #ffffff; stroke: #d1d9e0; }
.grid { stroke: #d1d9e0; stroke-width: 1; }
.ours { fill: #0b7a5c; stroke: #0b7a5c; }
.also { fill: #58b596; stroke: #58b596; }
.other { fill: #aeb8c2; stroke: #aeb8c2; }
.line { fill: none; stroke-width: 2.25; stroke-linejoin: round; }
.label { stroke: none; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; } .quiet { fill: #9198a1; } .card { fill: #0d1117; stroke: #3d444d; }
  .grid { stroke: #3d444d; } .ours { fill: #3ddc97; stroke: #3ddc97; }
  .also { fill: #2a8f68; stroke: #2a8f68; } .other { fill: #59636e; stroke: #59636e; }
}
</style>"""

WIDTH: Final = 760


def kind_of(name: str) -> str:
    """Return the class of a client's mark."""
    return {"direct": "ours", "httpcore": "also"}.get(name, "other")


def card(height: float, title: str, subtitle: str, parts: Sequence[str]) -> str:
    """Return a whole picture."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" '
        f'role="img" aria-label="{escape(title)}">\n{STYLE}\n'
        f'<rect class="card" x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1:g}" rx="8"/>\n'
        f'<text class="title" x="20" y="30">{escape(title)}</text>\n'
        f'<text class="quiet" x="20" y="50">{escape(subtitle)}</text>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def bars(title: str, subtitle: str, values: dict[str, float], *, unit: str) -> str:
    """Return a picture of one value for each client, the largest first."""
    left, right, top, step = 210, 90, 68, 30
    most = max(values.values())
    parts = []
    for place, name in enumerate(sorted(values, key=lambda name: -values[name])):
        y = top + place * step
        width = max(2.0, (WIDTH - left - right) * values[name] / most)
        parts.append(
            f'<text x="{left - 12}" y="{y + 15}" text-anchor="end">{escape(NAMES[name])}</text>'
            f'<rect class="{kind_of(name)}" x="{left}" y="{y}" width="{width:.1f}" height="20" '
            f'rx="3"/><text class="value" x="{left + width + 8:.1f}" y="{y + 15}">'
            f"{values[name]:,.0f} {escape(unit)}</text>"
        )
    return card(top + len(values) * step + 16, title, subtitle, parts)


def lines(title: str, subtitle: str, curves: dict[str, dict[int, float]]) -> str:
    """Return a picture of a value over the concurrency for each client, both on log scales."""
    left, right, top, bottom, height = 64, 206, 72, 48, 380
    xs = sorted({x for curve in curves.values() for x in curve})
    ys = [y for curve in curves.values() for y in curve.values()]
    low, high = 10 ** math.floor(math.log10(min(ys))), max(ys) * 1.15

    def x_of(x: float) -> float:
        share = math.log(x / xs[0]) / math.log(xs[-1] / xs[0])
        return left + share * (WIDTH - left - right)

    def y_of(y: float) -> float:
        return height - bottom - math.log(y / low) / math.log(high / low) * (height - bottom - top)

    parts = []
    tick = float(low)
    while tick <= high:
        y = y_of(tick)
        parts.append(
            f'<line class="grid" x1="{left}" x2="{WIDTH - right}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="quiet value" x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">'
            f"{tick:,.0f}</text>"
        )
        tick *= 10
    parts += [
        f'<text class="quiet value" x="{x_of(x):.1f}" y="{height - bottom + 22}" '
        f'text-anchor="middle">{x:,}</text>'
        for x in xs
    ]
    taken: list[float] = []
    ends = {name: y_of(curve[max(curve)]) for name, curve in curves.items()}
    for name in sorted(curves, key=lambda name: (name in OURS, name)):
        points = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in sorted(curves[name].items()))
        parts.append(f'<polyline class="line {kind_of(name)}" points="{points}"/>')
    for name in sorted(ends, key=lambda name: ends[name]):
        y = max([ends[name] + 4, *(place + 16 for place in taken)])
        taken.append(y)
        parts.append(
            f'<text class="{"" if name in OURS else "quiet"}" x="{WIDTH - right + 10}" '
            f'y="{y:.1f}">{escape(NAMES[name])}</text>'
        )
    return card(height, title, subtitle, parts)


def chosen(told: dict[str, Any], loop: str, **wanted: object) -> dict[str, Any]:
    """Return the figures of one scenario."""
    for figure in told["figures"]:
        scenario = figure["scenario"]
        if figure["loop"] == loop and all(scenario[key] == wanted[key] for key in wanted):
            found: dict[str, Any] = figure
            return found
    raise SystemExit(f"The figures hold no {wanted} on {loop}: run compare.py with --all")


PLAIN: Final = {"latency": 0.0, "tls": False, "shape": "plain"}


def pictures(told: dict[str, Any]) -> dict[str, str]:
    """Return the pictures by their names."""
    drawn = {}
    for loop in ("asyncio", "trio"):
        clients = chosen(told, loop, concurrency=100, **PLAIN)["clients"]
        drawn[f"speed_{loop}"] = bars(
            f"Messages a second on {loop}, with one core",
            "100 at once, a server on this machine that answers at once; the median of the rounds",
            {name: row["messages_per_second"] for name, row in clients.items()},
            unit="/s",
        )
    curves: dict[str, dict[int, float]] = {}
    for count in (1, 10, 100, 1_000):
        found = chosen(told, "asyncio", concurrency=count, **PLAIN)["clients"]
        for name, row in found.items():
            curves.setdefault(name, {})[count] = row["cpu_us"]
    drawn["cpu"] = lines(
        "CPU time a message, over the messages at once",
        "Microseconds, asyncio; both scales are logarithmic: lower is better",
        curves,
    )
    return drawn


def scenario_name(scenario: dict[str, Any]) -> str:
    """Return a scenario in a few words."""
    parts = [f"{scenario['concurrency']:,} at once"]
    parts += [f"{scenario['latency'] * 1e3:.0f} ms"] if scenario["latency"] else []
    parts += ["TLS"] if scenario["tls"] else []
    parts += ["chunked, more headers"] if scenario["shape"] != "plain" else []
    return ", ".join(parts)


def whole_table(told: dict[str, Any]) -> str:
    """Return every figure, in a table for each scenario."""
    tables: dict[str, list[str]] = {}
    for figure in told["figures"]:
        rows = tables.setdefault(
            scenario_name(figure["scenario"]),
            [
                "| loop | client | messages/s | quartiles | CPU, µs | p50, ms | p99, ms | MB |",
                "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
            ],
        )
        for name, row in figure["clients"].items():
            rows.append(
                f"| {figure['loop']} | {NAMES[name]} | {row['messages_per_second']:,} | "
                f"{row['from']:,} to {row['to']:,} | {row['cpu_us']:,} | "
                f"{row['p50_ms']:,.1f} | {row['p99_ms']:,.1f} | {peak_of(row)} |"
            )
    return "\n\n".join("\n".join([f"### {name}", "", *rows]) for name, rows in tables.items())


def peak_of(row: dict[str, Any]) -> str:
    """Return the most memory that a process with one client took, where it was looked at."""
    return f"{row['peak_kib'] * 1024 / 1e6:.0f}" if "peak_kib" in row else "–"


def ratio_table(told: dict[str, Any]) -> str:
    """Return what ours reach of the others' speed in the scenario of the table."""
    asyncio = chosen(told, "asyncio", concurrency=100, **PLAIN)["ratios"]
    trio = chosen(told, "trio", concurrency=100, **PLAIN)["ratios"]
    rows = [
        "| speed beside | `httpcore` | `direct`, asyncio | `direct`, trio |",
        "| --- | --- | --- | --- |",
    ]
    for name in asyncio["direct"]:
        on_trio = f"{trio['direct'][name]['speed']:.2f}" if name in trio["direct"] else "–"
        rows.append(
            f"| {NAMES[name]} | {asyncio['httpcore'][name]['speed']:.2f} | "
            f"{asyncio['direct'][name]['speed']:.2f} | {on_trio} |"
        )
    return "\n".join(rows)


def put(text: str, mark: str, content: str) -> str:
    """Return a page with what stands between two marks replaced."""
    pattern = re.compile(rf"(<!-- {mark} -->\n).*?(<!-- end of {mark} -->)", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"The page has no place for the {mark}")
    return pattern.sub(lambda match: f"{match[1]}\n{content}\n\n{match[2]}", text)


def main() -> None:
    """Draw what the figures say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figures", type=Path)
    parser.add_argument("page", type=Path)
    asked = parser.parse_args()
    told = json.loads(asked.figures.read_text("utf-8"))
    for name, picture in pictures(told).items():
        (IMAGES / f"performance_{name}.svg").write_text(picture, "utf-8")
    page = asked.page.read_text("utf-8")
    page = put(page, "ratios", ratio_table(told))
    page = put(page, "figures", whole_table(told))
    asked.page.write_text(page, "utf-8")


if __name__ == "__main__":
    main()
