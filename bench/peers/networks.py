"""The networks that are compared: torchvision's definitions with weights from a fixed seed, and the .cnn files of the same."""

from dataclasses import dataclass
from pathlib import Path

import torch
import torchvision
from torch import nn

MODELS = Path(__file__).resolve().parents[2] / "models"


@dataclass(frozen=True)
class Network:
    """A network: its .cnn file, the model in it, how PyTorch makes it, and the shape of one example."""

    file: str
    model: str
    make: object
    shape: tuple = (3, 224, 224)
    # The .cnn file has other names for the same tensors in the same order; see `names`.
    names: object = None


def lenet():
    layers = dict(
        c1=nn.Conv2d(1, 6, 5, padding=2), s1=nn.Sigmoid(), p1=nn.AvgPool2d(2),
        c2=nn.Conv2d(6, 16, 5), s2=nn.Sigmoid(), p2=nn.AvgPool2d(2), flatten=nn.Flatten(),
        f1=nn.Linear(400, 120), s3=nn.Sigmoid(), f2=nn.Linear(120, 84), s4=nn.Sigmoid(), f3=nn.Linear(84, 10),
    )
    net = nn.Sequential()
    for name, layer in layers.items():
        net.add_module(name, layer)
    return net


def squeezenet_names(name):
    """`features.3.squeeze.weight` → `3.squeeze.weight`: the .cnn file has one sequence, torchvision two."""
    return name.replace("classifier.1.", "14.").replace("features.", "")


def torchvision_net(name, **options):
    return lambda: getattr(torchvision.models, name)(weights=None, **options)


NETWORKS = {
    "lenet": Network("lenet.cnn", "LeNet", lenet, (1, 28, 28)),
    "resnet18": Network("torchvision/resnet.cnn", "ResNet18", torchvision_net("resnet18")),
    "resnet34": Network("torchvision/resnet.cnn", "ResNet34", torchvision_net("resnet34")),
    "vgg16": Network("torchvision/vgg.cnn", "Vgg16", torchvision_net("vgg16")),
    "alexnet": Network("torchvision/alexnet.cnn", "AlexNet", torchvision_net("alexnet")),
    "googlenet": Network(
        "torchvision/googlenet.cnn", "GoogLeNet", torchvision_net("googlenet", aux_logits=False, init_weights=False)
    ),
    "densenet121": Network("torchvision/densenet.cnn", "DenseNet121", torchvision_net("densenet121")),
    "mobilenet_v2": Network("torchvision/mobilenet_v2.cnn", "MobileNetV2", torchvision_net("mobilenet_v2")),
    "squeezenet": Network("squeezenet.cnn", "SqueezeNet", torchvision_net("squeezenet1_1"), names=squeezenet_names),
}


@torch.no_grad()
def make(network):
    """The network in eval mode, its weights such that values keep their size: variance 1 / fan-in, norms near 1."""
    torch.manual_seed(0)
    net = network.make().eval()
    for module in net.modules():
        for kind, tensor in [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]:
            if kind == "num_batches_tracked":
                continue
            if kind == "weight" and tensor.dim() > 1:
                bound = (3 / tensor[0].numel()) ** 0.5
                tensor.uniform_(-bound, bound)
            elif kind in ("weight", "running_var"):
                tensor.uniform_(0.5, 1.5)
            else:
                tensor.uniform_(-0.1, 0.1)
    return net


def tensors(network, net):
    """The weights under the names of the .cnn file."""
    name = network.names or (lambda name: name)
    items = net.state_dict().items()
    return {name(key): value.contiguous() for key, value in items if not key.endswith("num_batches_tracked")}
