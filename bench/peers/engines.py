"""The engines that are compared, each on one network: ours is a process for each turn, a peer one that waits for its turns."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from networks import MODELS, make, tensors
from safetensors.numpy import load_file
from safetensors.torch import save_file

HERE = Path(__file__).resolve().parent

# Of the largest output: what rounding may make different.
TOLERANCE = 1e-4


def export(network, folder):
    """Writes the network for each engine, unless that was done: weights, ONNX, PyTorch, a batch, and the exact outputs."""
    stamp, wanted = folder / "networks.py", (HERE / "networks.py").read_text()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    folder.mkdir(parents=True, exist_ok=True)
    net = make(network)
    x = torch.rand(network.batch, *network.shape) * 2 - 1
    save_file(tensors(network, net), folder / "net.safetensors")
    save_file({"image": x}, folder / "x.safetensors")
    np.save(folder / "x.npy", x.numpy())
    torch.save(net, folder / "net.pt")
    torch.onnx.export(net, (x,), str(folder / "net.onnx"), dynamo=True, external_data=False, verbose=False)
    with torch.no_grad():
        np.save(folder / "y.npy", net.double()(x.double()).numpy())
    stamp.write_text(wanted)


def check(folder, engine, y):
    """Fails when an output is not PyTorch's in float64."""
    exact = np.load(folder / "y.npy")
    error = float(np.abs(y - exact).max() / np.abs(exact).max())
    if not error <= TOLERANCE:
        sys.exit(f"{folder.name}: {engine}'s output is {error:.1e} of the largest away from PyTorch's in float64")
    return error


class Cnn:
    """Our command."""

    def __init__(self, cnn, network, folder, threads, *options):
        self.args = [cnn, "bench", MODELS / network.file, "--model", network.model, "--json", "--runs", "3",
                     "--threads", str(threads), "--weights", folder / "net.safetensors", "--inputs", folder / "x.safetensors", *options]
        out = folder / "y-cnn.safetensors"
        self.bench("--seconds", "0", "--outputs", out)
        self.error = check(folder, "cnn", next(iter(load_file(out).values())))
        self.last = None

    def bench(self, *options):
        printed = subprocess.run([*self.args, *options], check=True, stdout=subprocess.PIPE, text=True)
        return json.loads(printed.stdout)

    def time(self, seconds):
        # `cnn bench` goes on while times drift, and may take three times as long.
        self.last = self.bench("--seconds", str(seconds))
        return self.last["seconds"]["median"], self.last["seconds"]["min"]

    def start(self):
        """What a fresh process takes to its first result."""
        figures = self.bench("--seconds", "0")
        start, memory, run = sum(figures["start"].values()), figures["peak_memory_bytes"], figures["seconds"]["median"]
        return dict(start=start, imports=0, memory=memory, memory_before=0, run=run)

    def close(self):
        pass


class Peer:
    """A peer: one process that waits between its turns."""

    def __init__(self, engine, python, folder, threads):
        self.worker = [python, HERE / "worker.py", engine, folder, str(threads)]
        self.process, _ = self.spawn()
        self.error = check(folder, engine, np.load(folder / f"y-{engine}.npy"))

    def spawn(self):
        process = subprocess.Popen(self.worker, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = process.stdout.readline()
        if not line:
            sys.exit(f"{self.worker[2]} does not start")
        return process, json.loads(line)

    def time(self, seconds):
        print(seconds, file=self.process.stdin, flush=True)
        median, least = map(float, self.process.stdout.readline().split())
        return median, least

    def start(self):
        """What a fresh process takes to its first result."""
        process, told = self.spawn()
        end(process)
        return told

    def close(self):
        end(self.process)


def end(process):
    process.stdin.close()
    process.wait()
