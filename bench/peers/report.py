"""The measured rows in Markdown, with what is needed to make them again."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

BEGIN, END = "<!-- bench/peers: begin -->", "<!-- bench/peers: end -->"
TITLES = {"cnn": "cnn", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "torch": "PyTorch"}
LOW_MEMORY = "cnn --memory low"
PEERS = [engine for engine in TITLES if engine != "cnn"]


def report(rows, starts, command, minutes):
    """All of it."""
    peaks = [row["figures"]["peak_flops_per_second"] / 1e9 for row in rows]
    worst = max(row["errors"]["cnn"] for row in rows)
    peers = ", ".join(f"{TITLES[peer]} {version(peer)}" for peer in PEERS)
    text = [
        f"Made by `{command}` in {minutes:.0f} minutes on: {machine()}. {peers}; cnn on {rows[0]['figures']['isa']}, where a "
        f"loop of multiply-adds does {min(peaks):.0f} to {max(peaks):.0f} GFLOP/s on one core.",
        f"Largest error of cnn's outputs: {worst:.1e} of the largest output, against PyTorch in float64.",
        "",
        "### Times",
        "",
        *times(rows),
    ]
    if starts:
        text += ["", "### Start and memory", "", *start_table(starts)]
    return "\n".join([*text, "", "### Limits", "", *limits(rows)])


def times(rows):
    cell = lambda row, e: f"{ms(row['median'][e])} ({ms(row['least'][e])})"
    yield from table(
        ["network", "threads", *TITLES.values(), "ratio", "of the least", "PyTorch's"],
        [[row["name"], row["threads"], *(cell(row, e) for e in TITLES), f"**{row['ratio']:.2f}×**",
          f"{row['ratio_of_least']:.2f}×", f"{row['ratio_to_torch']:.2f}×"] for row in rows],
    )
    yield ""
    yield "Times are milliseconds: the median, and the least in brackets. `ratio` is the time of the faster of ONNX Runtime and"
    yield "OpenVINO over that of cnn, the median of the rounds: above 1, cnn is ahead; then the same of the least times, and that"
    yield "of PyTorch."


def start_table(starts):
    def cell(start):
        imports = f" ({ms(start['start'] - start['imports'])})" if start["imports"] else ""
        return f"{ms(start['start'])}{imports}"

    mb = lambda engine: f"{engine['memory'] / 1e6:.0f}" if engine["memory"] else "–"
    titles = {"cnn": "cnn", LOW_MEMORY: LOW_MEMORY, **TITLES}
    for what, show in [("start → first result", cell), ("memory", mb)]:
        yield from table(
            [f"{what}, {'ms' if show is cell else 'MB'}", "threads", *titles.values()],
            [[row["name"], row["threads"], *(show(row["engines"][e]) for e in titles)] for row in starts],
        )
        yield ""
    before = max(row["engines"][peer]["memory_before"] or 0 for row in starts for peer in PEERS)
    yield "From the beginning of the program's own code in a fresh process to the first result, weights from a file that the system has in"
    yield "memory; medians. Of the peers without Python's own start, and in brackets also without the import of the package."
    runs = [[ms(row["engines"][e]["run"]) for e in (LOW_MEMORY, "cnn")] + [row["name"]] for row in starts]
    yield "With `--memory low`, which packs no weights that would grow, a run takes " + ", ".join(
        f"{low} ms instead of {full} ({name})" for low, full, name in runs) + "."
    yield f"Memory is the most that the process had after a few runs; of the peers' {before / 1e6:.0f} MB are Python with NumPy."


def limits(rows):
    cells = []
    for row in rows:
        limit, best = row["figures"]["limit"], row["median"]["cnn"]
        rate = 2 * row["figures"]["macs"] / best / 1e9
        cells.append([
            row["name"], row["threads"], *(ms(limit[kind]) for kind in ("direct", "arithmetic", "bytes", "seconds")), ms(best),
            f"**{100 * limit['seconds'] / best:.0f} %**", f"{rate:.0f}",
        ])
    yield from table(
        ["network", "threads", "direct", "arithmetic", "bytes", "limit", "cnn", "share", "GFLOP/s"], cells
    )
    rates = {}
    for row in rows:
        rates.setdefault(row["threads"], []).append(row["figures"]["limit"]["weights_per_second"] / 1e9)
    told = ", ".join(f"{min(found):.0f} to {max(found):.0f} GB/s with {n} thread{'s' * (n > 1)}" for n, found in rates.items())
    yield ""
    yield "Milliseconds that the machine needs at least: `direct` for the multiplications of direct convolutions at the measured"
    yield "peak of the threads, `arithmetic` for those of the best algorithm of each layer that the error model allows (Winograd's"
    yield "transforms not counted), `bytes` for reading each layer's weights and moving its inputs and outputs, at the rate that is"
    yield f"measured for as many bytes ({told} for weights). `limit` is the sum over the layers of the longer of"
    yield "arithmetic and bytes, `share` the part of it in cnn's median time. GFLOP/s count two operations for each multiply-add of"
    yield "the direct algorithm."


def table(titles, rows):
    yield "| " + " | ".join(titles) + " |"
    yield "| --- |" + " ---: |" * (len(titles) - 1)
    for row in rows:
        yield "| " + " | ".join(map(str, row)) + " |"


def ms(seconds):
    return f"{1e3 * seconds:.3f}" if seconds < 1e-3 else f"{1e3 * seconds:.1f}"


def machine():
    """The processor, in words."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    field = lambda name: next((line.split(":")[1].strip() for line in lines if line.startswith(name)), None)
    words = field("model name") or platform.machine()
    if field("cpu family"):
        words += f" (family {field('cpu family')}, model {field('model')})"
    load = os.getloadavg()[0]
    return f"{words}, {os.cpu_count()} cores; {load:.1f} processes wanted to run when the measuring ended"


def write(path, text):
    """Puts the tables between the marks of the document."""
    before, rest = path.read_text().split(BEGIN)
    behind = rest.split(END)[1]
    temporary = path.with_suffix(".new")
    temporary.write_text(f"{before}{BEGIN}\n{text}\n{END}{behind}")
    temporary.replace(path)
