"""One engine on one network in a process of its own, so that the thread pools of several do not disturb each other.

Usage: worker.py ENGINE FOLDER THREADS

FOLDER has net.onnx, and net.pt for PyTorch, and the input x.npy. The first result goes to FOLDER/y-ENGINE.npy, and a line
of JSON says what the start took. Then, for each line `SECONDS` on the standard input, the network runs for as long, and
the median and the least time are printed.
"""

import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np


def onnxruntime(folder, threads):
    import onnxruntime as ort

    yield
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(folder / "net.onnx", options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    yield lambda x: session.run(None, {name: x})[0]


def openvino(folder, threads):
    import openvino as ov

    yield
    options = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    request = ov.Core().compile_model(folder / "net.onnx", "CPU", options).create_infer_request()
    yield lambda x: request.infer([x], share_inputs=True, share_outputs=True)[0]


def torch(folder, threads):
    import torch

    yield
    torch.set_num_threads(threads)
    net = torch.load(folder / "net.pt", weights_only=False)

    @torch.inference_mode()
    def run(x):
        return net(torch.from_numpy(x)).numpy()

    yield run


def peak_memory():
    """The most bytes that this process has had: Linux's VmHWM, which a parent's memory does not count in."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), None)


def main(engine, folder, threads):
    folder = Path(folder)
    x = np.load(folder / "x.npy")
    memory_before, start = peak_memory(), time.perf_counter()
    steps = {"onnxruntime": onnxruntime, "openvino": openvino, "torch": torch}[engine](folder, int(threads))
    next(steps)
    imported = time.perf_counter()
    run = next(steps)
    y = run(x)
    ready = time.perf_counter()
    np.save(folder / f"y-{engine}.npy", y)
    for _ in range(3):
        run(x)
    told = dict(start=ready - start, imports=imported - start, memory=peak_memory(), memory_before=memory_before)
    print(json.dumps(told), flush=True)
    for line in sys.stdin:
        run(x)
        times, end = [], time.perf_counter() + float(line)
        while len(times) < 3 or time.perf_counter() < end:
            start = time.perf_counter()
            run(x)
            times.append(time.perf_counter() - start)
        print(statistics.median(times), min(times), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
