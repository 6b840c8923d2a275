"""Times training steps and epochs of cnn against PyTorch: fp32, the same networks, batches, optimizer (Adam) and threads.

Usage: python3 bench/training/run.py --python PYTHON [--cases lenet,resnet18_cifar,epoch] [--threads 1,2] [--rounds 5]
                                     [--seconds 2] [--kinds eager,compile] [--binary PATH]

PYTHON has torch and torchvision (bench/peers/requirements.txt and torchvision). The engines take turns, round after round,
and what counts is the median of the rounds' ratios. `epoch` is LeNet over the 60 000 pictures of Fashion-MNIST, loading
included; PyTorch loads them with a DataLoader in its own process, its default.
"""

import argparse
import json
import os
import statistics
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()

# name: (mode, network, file, batch)
CASES = {
    "lenet": ("step", "lenet", ROOT / "models/lenet.cnn", 256),
    "resnet18_cifar": ("step", "resnet18_cifar", HERE / "resnet18_cifar.cnn", 64),
    "epoch": ("epoch", "lenet", ROOT / "models/lenet.cnn", 256),
}


class Worker:
    def __init__(self, command, is_python):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if is_python and self.process.stdout.readline().strip() != "ready":
            raise SystemExit(f"{command} does not start")

    def time(self, seconds):
        print(seconds, file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def measure(args, case, threads):
    mode, network, file, batch = CASES[case]
    workers = {"cnn": Worker([args.binary, mode, file, str(batch), str(threads)], False)}
    for kind in args.kinds:
        command = [args.python, HERE / "worker.py", kind, mode, network, str(batch), str(threads)]
        workers[kind] = Worker(command, True)
    rounds = [{name: worker.time(args.seconds) for name, worker in workers.items()} for _ in range(args.rounds)]
    for worker in workers.values():
        worker.close()
    names = list(workers)
    ms = {name: round(1e3 * statistics.median(told[name]["median"] for told in rounds), 2) for name in names}
    ratios = [min(told[kind]["median"] for kind in args.kinds) / told["cnn"]["median"] for told in rounds]
    least = {name: min(told[name]["least"] for told in rounds) for name in names}
    row = dict(case=case, batch=batch, threads=threads, milliseconds=ms, ratio=round(statistics.median(ratios), 2))
    row |= dict(ratio_of_least=round(min(least[kind] for kind in args.kinds) / least["cnn"], 2))
    row |= dict(megabytes={name: round(rounds[-1][name]["memory"] / 1e6) for name in names})
    print(json.dumps(row), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", required=True, help="a Python with torch and torchvision")
    parser.add_argument("--cases", type=lambda text: text.split(","), default=list(CASES))
    parser.add_argument("--threads", type=lambda text: [int(n) for n in text.split(",")], default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--kinds", type=lambda text: text.split(","), default=["eager", "compile"])
    parser.add_argument("--binary", help="the example `training` of cnn-bench, instead of building it")
    args = parser.parse_args()
    if not args.binary:
        subprocess.run(["cargo", "build", "--release", "-p", "cnn-bench", "--example", "training"], cwd=ROOT, check=True)
        args.binary = TARGET / "release" / "examples" / "training"
    for case in args.cases:
        for threads in args.threads:
            measure(args, case, threads)


if __name__ == "__main__":
    main()
