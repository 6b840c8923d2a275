"""Trains with PyTorch by the recipes of models/*.cnn, to compare what is reached with `cnn train` (docs/results.md).

Usage: python3 bench/training/accuracy.py lenet|mnist_convnet FOLDER [--epochs N] [--seeds 0,1,2]

FOLDER has the four files of MNIST or Fashion-MNIST, packed or not. Needs torch and numpy.
"""

import argparse
import gzip
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy


def lenet():
    net = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5), nn.Sigmoid(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10),
    )  # fmt: skip
    for layer in net:
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(layer.weight)
    return net


def mnist_convnet():
    return nn.Sequential(
        nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(3136, 1024), nn.Dropout(0.5), nn.Linear(1024, 10),
    )  # fmt: skip


# name: (network, batch, learning rate of Adam, epochs)
RECIPES = {"lenet": (lenet, 256, 1e-3, 5), "mnist_convnet": (mnist_convnet, 50, 1e-4, 20)}


def read(folder, part):
    def bytes_of(name):
        path = next(Path(folder).glob(f"{part}-{name}*"))
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
            return np.frombuffer(file.read(), np.uint8)

    pictures, labels = bytes_of("images")[16:].reshape(-1, 1, 28, 28), bytes_of("labels")[8:]
    return torch.from_numpy(pictures.astype(np.float32) / 255), torch.from_numpy(labels.astype(np.int64))


def train(make, batch, rate, epochs, train_part, test_part, seed):
    torch.manual_seed(seed)
    net = make()
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    (x, y), (test_x, test_y) = train_part, test_part
    for epoch in range(1, epochs + 1):
        loss = right = 0.0
        net.train()
        for of_batch in torch.randperm(len(x)).split(batch):
            optimizer.zero_grad()
            logits = net(x[of_batch])
            value = cross_entropy(logits, y[of_batch])
            value.backward()
            optimizer.step()
            loss += value.item() * len(of_batch)
            right += (logits.argmax(1) == y[of_batch]).sum().item()
        net.eval()
        with torch.no_grad():
            logits = torch.cat([net(part) for part in test_x.split(500)])
        accuracy = (logits.argmax(1) == test_y).float().mean().item()
        print(
            f"seed {seed}, epoch {epoch:2}: training loss {loss / len(x):.4f}, accuracy {100 * right / len(x):.2f} %; "
            f"test loss {cross_entropy(logits, test_y).item():.4f}, accuracy {100 * accuracy:.2f} %",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("folder")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    parser.add_argument("--seeds", type=lambda text: [int(seed) for seed in text.split(",")], default=[0])
    args = parser.parse_args()
    make, batch, rate, epochs = RECIPES[args.recipe]
    parts = read(args.folder, "train"), read(args.folder, "t10k")
    for seed in args.seeds:
        train(make, batch, rate, args.epochs or epochs, *parts, seed)


if __name__ == "__main__":
    main()
