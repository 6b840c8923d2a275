"""The PyTorch files that the tests of `cnn import` read.

Usage: python generate.py [OUT_DIR]        (needs: pip install torch)

Values are small multiples of 1/2, which every float type has exactly, so the tests can name them.
"""
import sys
from collections import OrderedDict
from pathlib import Path

import torch
from torch import nn


def halves(*shape):
    return (torch.arange(torch.Size(shape).numel()) / 2).reshape(shape)


def state_dict():
    """Every kind of tensor that a state dict may hold."""
    pool = halves(10)
    return OrderedDict([
        ("conv.weight", nn.Parameter(halves(2, 1, 2, 2))),
        ("conv.bias", halves(2).to(torch.float64)),
        ("bn.running_mean", halves(2).to(torch.float16)),
        ("bn.running_var", halves(2).to(torch.bfloat16)),
        ("bn.num_batches_tracked", torch.tensor(7)),
        ("fc.weight", halves(3, 2).t()),          # strided: [[0, 1, 2], [0.5, 1.5, 2.5]]
        ("fc.bias", pool[4:6]),                   # a view into a storage that another tensor shares
        ("shared", pool[::3]),                    # 0, 1.5, 3, 4.5
        ("mask", torch.tensor([True, False])),
        ("scalar", torch.tensor(2.5)),
        ("empty", torch.empty(0, 3)),
    ])


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 2, 2), nn.BatchNorm2d(2))
        for parameter in self.parameters():
            parameter.data = halves(*parameter.shape)


class Command:
    """What a malicious file would run."""

    def __reduce__(self):
        import os
        return os.system, ("touch pwned",)


class Sparse:
    """A tensor of a kind that has no rows and columns to write."""

    def __reduce__(self):
        return torch._utils._rebuild_sparse_tensor, (torch.sparse_coo, (halves(2), halves(2), (2, 2)))


def nested():
    weights = {f"module.{name}": tensor for name, tensor in state_dict().items()}
    return {"epoch": 3, "state_dict": weights, "optimizer": {"state": {0: {"step": torch.tensor(4.0)}}}}


def checkpoint():
    """What training loops save: `state_dict()` as PyTorch gives it, with its `_metadata`, beside other things."""
    model = nn.Sequential(nn.Linear(2, 1), nn.BatchNorm1d(1))
    for parameter in model.parameters():
        parameter.data = halves(*parameter.shape)
    return {"epoch": 3, "model": model.state_dict(), "loss": torch.tensor(0.5)}


def main(folder):
    def save(name, value, zipped=True):
        torch.save(value, folder / name, _use_new_zipfile_serialization=zipped)

    save("legacy.pth", state_dict(), zipped=False)
    save("zip.pth", state_dict())
    save("nested.pth", nested())
    save("checkpoint.pth", checkpoint())
    save("checkpoint_legacy.pth", checkpoint(), zipped=False)
    save("half.pth", {"bn.bias": halves(2), "bn.num_batches_tracked": torch.tensor(7).half()}, zipped=False)
    save("module.pth", Net())
    save("command.pth", {"fc.bias": halves(2), "command": Command()}, zipped=False)
    save("sparse.pth", {"fc.bias": halves(2), "sparse": Sparse()}, zipped=False)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
