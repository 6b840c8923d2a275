"""Times cnn against ONNX Runtime, OpenVINO and PyTorch: fp32, the same networks, weights and outputs.

Usage: python3 bench/peers/run.py [--networks lenet,resnet18] [--threads 1,2] [--rounds 5] [--seconds 1]
                                  [--cnn PATH] [--python PATH] [--write docs/performance.md]

Without --python, an environment with the peers is made in target/peers first, once; without --cnn, the command is built.
The engines take turns, round after round, and what counts is the median of the rounds' ratios: the machine's speed may
drift, and both sides of a ratio drift with it. On a busy machine the least times of all rounds say more. Before anything is timed, all outputs are compared.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
PEERS = ["onnxruntime", "openvino", "torch"]
TITLES = {"cnn": "cnn", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "torch": "PyTorch"}
BEGIN, END = "<!-- bench/peers: begin -->", "<!-- bench/peers: end -->"

# Of the largest output: what rounding may make different.
TOLERANCE = 1e-4


def environment():
    """A Python with the peers, made where the build's output is."""
    folder = TARGET / "peers" / "venv"
    python, stamp = folder / "bin" / "python", folder / "requirements.txt"
    wanted = (HERE / "requirements.txt").read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", HERE / "requirements.txt"], check=True)
        stamp.write_text(wanted)
    return python


def command():
    """The `cnn` command, built."""
    subprocess.run(["cargo", "build", "--release", "-p", "cnn-cli"], cwd=ROOT, check=True)
    return TARGET / "release" / "cnn"


def export(network, folder):
    """Writes the network for each engine: weights, ONNX, PyTorch, and one input."""
    import numpy as np
    import torch
    from networks import make, tensors
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    net = make(network)
    x = torch.rand(1, *network.shape) * 2 - 1
    save_file(tensors(network, net), folder / "net.safetensors")
    save_file({"image": x}, folder / "x.safetensors")
    np.save(folder / "x.npy", x.numpy())
    torch.save(net, folder / "net.pt")
    torch.onnx.export(net, (x,), str(folder / "net.onnx"), dynamo=True, external_data=False, verbose=False)
    with torch.no_grad():
        np.save(folder / "y.npy", net.double()(x.double()).numpy())


def check(folder, engine, y):
    """Fails when an output is not PyTorch's in float64."""
    import numpy as np

    exact = np.load(folder / "y.npy")
    error = float(np.abs(y - exact).max() / np.abs(exact).max())
    if not error <= TOLERANCE:
        sys.exit(f"{folder.name}: {engine}'s output is {error:.1e} of the largest away from PyTorch's in float64")
    return error


class Cnn:
    """Our command: a process for each turn."""

    def __init__(self, cnn, network, folder, threads):
        # The engine has one thread until it gets a pool; it is compared with peers of two all the same.
        from networks import MODELS

        file = MODELS / network.file
        self.args = [cnn, "bench", file, "--model", network.model, "--json", "--weights", folder / "net.safetensors",
                     "--inputs", folder / "x.safetensors", "--runs", "3"]
        from safetensors.numpy import load_file

        out = folder / "y-cnn.safetensors"
        subprocess.run([*self.args, "--seconds", "0", "--outputs", out], check=True, stdout=subprocess.DEVNULL)
        self.error = check(folder, "cnn", next(iter(load_file(out).values())))
        self.last = None

    def time(self, seconds):
        # `cnn bench` goes on while times drift, and may take three times as long.
        printed = subprocess.run([*self.args, "--seconds", str(seconds)], check=True, capture_output=True, text=True)
        self.last = json.loads(printed.stdout)
        return self.last["seconds"]["median"], self.last["seconds"]["min"]

    def close(self):
        pass


class Peer:
    """A peer: one process that waits between its turns."""

    def __init__(self, engine, python, folder, threads):
        import numpy as np

        worker = [python, HERE / "worker.py", engine, folder, str(threads)]
        self.process = subprocess.Popen(worker, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            sys.exit(f"{folder.name}: {engine} does not start")
        self.error = check(folder, engine, np.load(folder / f"y-{engine}.npy"))

    def time(self, seconds):
        print(seconds, file=self.process.stdin, flush=True)
        median, least = map(float, self.process.stdout.readline().split())
        return median, least

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def measure(args, name, network, threads):
    """A row of the table: median times, and the ratios to ours of the rounds."""
    folder = TARGET / "peers" / name
    engines = {"cnn": Cnn(args.cnn, network, folder, threads)}
    engines |= {engine: Peer(engine, args.python, folder, threads) for engine in PEERS}
    rounds = [{e: engine.time(args.seconds) for e, engine in engines.items()} for _ in range(args.rounds)]
    for engine in engines.values():
        engine.close()
    median = {e: statistics.median(times[e][0] for times in rounds) for e in engines}
    least = {e: min(times[e][1] for times in rounds) for e in engines}

    def ratio(*peers):
        return statistics.median(min(times[e][0] for e in peers) / times["cnn"][0] for times in rounds)

    figures = engines["cnn"].last
    row = dict(name=network.model, threads=threads, median=median, least=least, figures=figures)
    row |= dict(fast=ratio("onnxruntime", "openvino"), torch=ratio("torch"))
    row |= dict(fast_least=min(least["onnxruntime"], least["openvino"]) / least["cnn"])
    row |= dict(of_peak=2 * figures["macs"] / least["cnn"] / figures["peak_flops_per_second"])
    row |= dict(errors={e: engine.error for e, engine in engines.items()})
    print(json.dumps(row), file=sys.stderr)
    return row


def machine():
    """The processor, in words."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    load = os.getloadavg()[0]
    return f"{model}, {os.cpu_count()} cores; {load:.1f} processes wanted to run when the measuring ended"


def versions():
    from importlib.metadata import version

    return ", ".join(f"{TITLES[peer]} {version(peer)}" for peer in PEERS)


def table(rows, args):
    """The rows in Markdown, with what is needed to make them again."""
    ms = lambda seconds: f"{1e3 * seconds:.3f}" if seconds < 1e-3 else f"{1e3 * seconds:.1f}"
    both = lambda row, e: f"{ms(row['median'][e])} ({ms(row['least'][e])})"
    engines = ["cnn", *PEERS]
    titles = ["network", "threads", *(TITLES[e] for e in engines), "ratio", "of the least", "PyTorch's", "peak"]
    lines = ["| " + " | ".join(titles) + " |", "| --- |" + " ---: |" * (len(titles) - 1)]
    for row in rows:
        cells = [row["name"], str(row["threads"]), *(both(row, e) for e in engines), f"**{row['fast']:.2f}×**",
                 f"{row['fast_least']:.2f}×", f"{row['torch']:.2f}×", f"{100 * row['of_peak']:.0f} %"]
        lines.append("| " + " | ".join(cells) + " |")
    worst = max(row["errors"]["cnn"] for row in rows)
    peaks = [row["figures"]["peak_flops_per_second"] / 1e9 for row in rows]
    names = ",".join(args.networks)
    threads = ",".join(map(str, args.threads))
    options = f"--networks {names} --threads {threads} --rounds {args.rounds} --seconds {args.seconds:g}"
    return "\n".join([
        *lines,
        "",
        "Times are milliseconds: the median, and the least in brackets. `ratio` is the time of the faster of ONNX Runtime and",
        "OpenVINO over that of cnn, the median of the rounds: above 1, cnn is ahead; then the same of the least times, and that",
        "of PyTorch. `peak` is the part of one core's peak that cnn reaches in its least time.",
        "",
        f"Made by `python3 bench/peers/run.py {options}` on: {machine()}.",
        f"{versions()}; cnn on {rows[0]['figures']['isa']}, where a loop of multiply-adds does {min(peaks):.0f} to "
        f"{max(peaks):.0f} GFLOP/s on one core.",
        f"Largest error of cnn's outputs: {worst:.1e} of the largest output, against PyTorch in float64.",
    ])


def write(path, text):
    """Puts the table between the marks of the document."""
    old = path.read_text()
    before, rest = old.split(BEGIN)
    behind = rest.split(END)[1]
    temporary = path.with_suffix(".new")
    temporary.write_text(f"{before}{BEGIN}\n{text}\n{END}{behind}")
    temporary.replace(path)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=lambda text: text.split(","), help="which; all when left out")
    parser.add_argument("--threads", type=lambda text: [int(n) for n in text.split(",")], default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5, help="turns of each engine")
    parser.add_argument("--seconds", type=float, default=1.0, help="of one turn")
    parser.add_argument("--cnn", type=Path, help="the command, instead of building it")
    parser.add_argument("--python", type=Path, help="a Python that has the peers, instead of installing them")
    parser.add_argument("--write", type=Path, help="also put the table into this document, between its marks")
    return parser.parse_args()


def main():
    args = arguments()
    args.python = args.python.absolute() if args.python else environment()
    if Path(sys.executable).absolute() != Path(args.python):
        os.execv(args.python, [args.python, *sys.argv, "--python", args.python])
    from networks import NETWORKS

    args.cnn = args.cnn.resolve() if args.cnn else command()
    args.networks = args.networks or list(NETWORKS)
    unknown = [name for name in args.networks if name not in NETWORKS]
    if unknown:
        sys.exit(f"no network {', '.join(unknown)}; there are {', '.join(NETWORKS)}")
    rows = []
    for name in args.networks:
        export(NETWORKS[name], TARGET / "peers" / name)
        rows += [measure(args, name, NETWORKS[name], threads) for threads in args.threads]
    text = table(rows, args)
    print(text)
    if args.write:
        write(args.write, text)


if __name__ == "__main__":
    main()
