"""Times cnn against ONNX Runtime, OpenVINO and PyTorch: fp32, the same networks, weights, inputs and threads.

Usage: python3 bench/peers/run.py [--networks lenet,resnet18] [--threads 1,2] [--rounds 3] [--seconds 0.5] [--starts 5]
                                  [--cnn PATH] [--python PATH] [--write docs/performance.md]

Without --python, an environment with the peers is made in target/peers first, once; without --cnn, the command is built.
The engines take turns, round after round, and what counts is the median of the rounds' ratios: the machine's speed may
drift, and both sides of a ratio drift with it. On a busy machine the least times of all rounds say more. Before anything
is timed, all outputs are compared.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import venv
from pathlib import Path

from report import LOW_MEMORY, PEERS, report, write

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()

# The networks whose start is measured.
STARTS = ["lenet", "resnet34"]


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


def start_engines(args, name, network, threads):
    from engines import Cnn, Peer

    folder = TARGET / "peers" / name
    peers = {engine: Peer(engine, args.python, folder, threads) for engine in PEERS}
    return {"cnn": Cnn(args.cnn, network, folder, threads)} | peers


def low_memory(args, name, network, threads):
    from engines import Cnn

    return {LOW_MEMORY: Cnn(args.cnn, network, TARGET / "peers" / name, threads, "--memory", "low")}


def measure(args, name, network, threads):
    """Median and least times, and the ratios to ours of the rounds."""
    running = start_engines(args, name, network, threads)
    rounds = [{e: engine.time(args.seconds) for e, engine in running.items()} for _ in range(args.rounds)]
    for engine in running.values():
        engine.close()
    median = {e: statistics.median(times[e][0] for times in rounds) for e in running}
    least = {e: min(times[e][1] for times in rounds) for e in running}

    def ratio(*peers):
        return statistics.median(min(times[e][0] for e in peers) / times["cnn"][0] for times in rounds)

    row = dict(name=network.title, threads=threads, median=median, least=least, figures=running["cnn"].last)
    row |= dict(ratio=ratio("onnxruntime", "openvino"), ratio_to_torch=ratio("torch"))
    row |= dict(ratio_of_least=min(least["onnxruntime"], least["openvino"]) / least["cnn"])
    row |= dict(errors={e: engine.error for e, engine in running.items()})
    print(json.dumps(row), file=sys.stderr)
    return row


def measure_start(args, name, network, threads):
    """The medians of what fresh processes tell of their start, in turns."""
    running = start_engines(args, name, network, threads) | low_memory(args, name, network, threads)
    for engine in running.values():
        engine.close()
    rounds = [{e: engine.start() for e, engine in running.items()} for _ in range(args.starts)]

    def median(engine, key):
        values = [told[engine][key] for told in rounds]
        return None if None in values else statistics.median(values)

    found = {e: {key: median(e, key) for key in rounds[0][e]} for e in running}
    row = dict(name=network.title, threads=threads, engines=found)
    print(json.dumps(row), file=sys.stderr)
    return row


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=lambda text: text.split(","), help="which; all when left out")
    parser.add_argument("--threads", type=lambda text: [int(n) for n in text.split(",")], default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3, help="turns of each engine")
    parser.add_argument("--seconds", type=float, default=0.5, help="of one turn")
    parser.add_argument("--starts", type=int, default=5, help=f"fresh processes of {' and '.join(STARTS)}; 0 for none")
    parser.add_argument("--cnn", type=Path, help="the command, instead of building it")
    parser.add_argument("--python", type=Path, help="a Python that has the peers, instead of installing them")
    parser.add_argument("--write", type=Path, help="also put the tables into this document, between its marks")
    return parser.parse_args()


def main():
    args = arguments()
    args.python = args.python.absolute() if args.python else environment()
    if Path(sys.executable).absolute() != Path(args.python):
        os.execv(args.python, [args.python, *sys.argv, "--python", args.python])
    from engines import export
    from networks import NETWORKS

    args.cnn = args.cnn.resolve() if args.cnn else command()
    args.networks = args.networks or list(NETWORKS)
    unknown = [name for name in args.networks if name not in NETWORKS]
    if unknown:
        sys.exit(f"no network {', '.join(unknown)}; there are {', '.join(NETWORKS)}")
    begun = time.monotonic()
    rows, starts = [], []
    for name in args.networks:
        network = NETWORKS[name]
        export(network, TARGET / "peers" / name)
        if name in STARTS and args.starts:
            starts.append(measure_start(args, name, network, max(args.threads)))
        rows += [measure(args, name, network, threads) for threads in args.threads]
    options = f"--networks {','.join(args.networks)} --threads {','.join(map(str, args.threads))}"
    options += f" --rounds {args.rounds} --seconds {args.seconds:g} --starts {args.starts}"
    text = report(rows, starts, f"python3 bench/peers/run.py {options}", (time.monotonic() - begun) / 60)
    print(text)
    if args.write:
        write(args.write, text)


if __name__ == "__main__":
    main()
