"""What PyTorch makes of the shipped LeNet weights, in float64.

Usage: python trained.py [FOLDER]        (needs: pip install torch numpy safetensors, apt-get install dataset-fashion-mnist)

Reads `models/weights/lenet.safetensors` and the test part of Fashion-MNIST, from FOLDER or from where the Debian package puts
it, and writes `trained/lenet_fashion_mnist.json`: how many pictures are right, of all and of the first 256, and the logits and
labels of the first eight.
"""
import gzip
import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

HERE = Path(__file__).resolve().parent
WEIGHTS = HERE.parents[1] / "models/weights/lenet.safetensors"


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        stage = lambda *conv, **options: nn.Sequential(nn.Conv2d(*conv, **options), nn.Sigmoid(), nn.AvgPool2d(2))
        self.c1, self.c2 = stage(1, 6, 5, padding=2), stage(6, 16, 5)
        self.f1, self.f2, self.f3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x):
        return self.f3(self.f2(self.f1(self.c2(self.c1(x)).flatten(1)).sigmoid()).sigmoid())


def read(path, header, shape):
    with gzip.open(path) as file:
        return np.frombuffer(file.read()[header:], np.uint8).reshape(shape)


def main(folder="/usr/share/datasets/fashion-mnist"):
    pictures = read(next(Path(folder).glob("t10k-images*.gz")), 16, (-1, 1, 28, 28))
    labels = torch.from_numpy(read(next(Path(folder).glob("t10k-labels*.gz")), 8, -1).astype(np.int64))
    net = LeNet()
    named = dict(net.named_parameters())
    names = {name.replace(".0.", "."): name for name in named}
    net.load_state_dict({names[name]: tensor for name, tensor in load_file(WEIGHTS).items()})
    with torch.no_grad():
        logits = net.double()(torch.from_numpy(pictures.astype(np.float64) / 255))
    right = logits.argmax(1) == labels
    written = dict(
        test_correct=right.sum().item(),
        first_256_correct=right[:256].sum().item(),
        first_labels=labels[:8].tolist(),
        first_logits=[[float(f"{value:.7g}") for value in row] for row in logits[:8].tolist()],
    )
    (HERE / "trained/lenet_fashion_mnist.json").write_text(json.dumps(written, indent=1) + "\n")
    print(f"{written['test_correct']} of {len(labels)} right, {written['first_256_correct']} of the first 256")


if __name__ == "__main__":
    main(*sys.argv[1:])
