"""PyTorch's side of run.py, in a process of its own.

Usage: worker.py eager|compile step|epoch NETWORK BATCH THREADS

For each line `SECONDS` on the standard input it trains for as long, and prints the median and the least time of a step (or
of an epoch over Fashion-MNIST with a DataLoader) in seconds and the most memory it has had in bytes, as a line of JSON.
"""

import gzip
import json
import statistics
import sys
import time
from pathlib import Path

import torch
from torch import nn

FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5), nn.Sigmoid(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10),
    ), (1, 28, 28)  # fmt: skip


def resnet18():
    from torchvision.models import resnet18

    net = resnet18(num_classes=10)
    net.conv1, net.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
    return net, (3, 32, 32)


class Pictures(torch.utils.data.Dataset):
    """Fashion-MNIST as torchvision's dataset with ToTensor gives it, picture by picture."""

    def __init__(self):
        from torchvision.transforms.functional import to_tensor

        with gzip.open(next(FASHION_MNIST.glob("train-images*"))) as file:
            self.pictures = torch.frombuffer(bytearray(file.read()[16:]), dtype=torch.uint8).reshape(-1, 28, 28)
        with gzip.open(next(FASHION_MNIST.glob("train-labels*"))) as file:
            self.labels = list(file.read()[8:])
        self.to_tensor = to_tensor

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        from PIL import Image

        return self.to_tensor(Image.fromarray(self.pictures[index].numpy())), self.labels[index]


def peak_memory():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def main(kind, mode, network, batch, threads):
    batch = int(batch)
    torch.set_num_threads(int(threads))
    torch.manual_seed(0)
    net, shape = {"lenet": lenet, "resnet18_cifar": resnet18}[network]()
    forward = torch.compile(net) if kind == "compile" else net
    loss, optimizer = nn.CrossEntropyLoss(), torch.optim.Adam(net.parameters())

    def step(x, y):
        optimizer.zero_grad()
        value = loss(forward(x), y)
        value.backward()
        optimizer.step()
        return value

    if mode == "epoch":
        loader = torch.utils.data.DataLoader(Pictures(), batch_size=batch, shuffle=True)

        def work():
            for x, y in loader:
                step(x, y)

        step(torch.rand(batch, *shape), torch.arange(batch) % 10)
    else:
        x, y = torch.rand(batch, *shape), torch.arange(batch) % 10

        def work():
            step(x, y)

        work()
        work()
    print("ready", flush=True)
    for line in sys.stdin:
        begun, times = time.perf_counter(), []
        while not times or time.perf_counter() - begun < float(line):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
        told = dict(median=statistics.median(times), least=min(times), memory=peak_memory())
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
