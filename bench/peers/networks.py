"""The networks that are compared: PyTorch modules with weights from a fixed seed, and the .cnn files of the same."""

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
    # Examples of one run.
    batch: int = 1
    # The .cnn file has other names for the same tensors in the same order; see `names`.
    names: object = None

    @property
    def title(self):
        return self.model if self.batch == 1 else f"{self.model} ×{self.batch}"


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


class SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow's "SAME" does: an odd zero goes behind."""

    def __init__(self, channels, out_channels, kernel_size, stride=1, groups=1):
        super().__init__(channels, out_channels, kernel_size, stride, groups=groups, bias=False)

    def forward(self, x):
        sides = []
        for size, kernel, stride in zip(reversed(x.shape[2:]), reversed(self.kernel_size), reversed(self.stride)):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            sides += [total // 2, total - total // 2]
        return super().forward(nn.functional.pad(x, sides) if any(sides) else x)


class MobileConv(nn.Module):
    """Many channels between few, as `mb_conv` in the .cnn file."""

    def __init__(self, channels, out_channels, kernel_size, stride, expand):
        super().__init__()
        wide = expand * channels
        if expand != 1:
            self._expand_conv = SameConv2d(channels, wide, 1)
            self._bn0 = nn.BatchNorm2d(wide, eps=0.001)
        self._depthwise_conv = SameConv2d(wide, wide, kernel_size, stride, groups=wide)
        self._bn1 = nn.BatchNorm2d(wide, eps=0.001)
        self._project_conv = SameConv2d(wide, out_channels, 1)
        self._bn2 = nn.BatchNorm2d(out_channels, eps=0.001)
        self.adds = stride == 1 and channels == out_channels

    def forward(self, x):
        relu6 = nn.functional.relu6
        y = relu6(self._bn0(self._expand_conv(x))) if hasattr(self, "_expand_conv") else x
        y = self._bn2(self._project_conv(relu6(self._bn1(self._depthwise_conv(y)))))
        return x + y if self.adds else y


class EfficientNetLite0(nn.Module):
    """As models/efficientnet_lite0.cnn; torchvision has no Lite ones."""

    # expand, channels, repeats, stride, kernel size
    STAGES = [(1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5),
              (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)]

    def __init__(self):
        super().__init__()
        self._conv_stem = SameConv2d(3, 32, 3, stride=2)
        self._bn0 = nn.BatchNorm2d(32, eps=0.001)
        blocks, channels = [], 32
        for expand, out_channels, repeats, stride, kernel_size in self.STAGES:
            for repeat in range(repeats):
                blocks.append(MobileConv(channels, out_channels, kernel_size, 1 if repeat else stride, expand))
                channels = out_channels
        self._blocks = nn.Sequential(*blocks)
        self._conv_head = SameConv2d(channels, 1280, 1)
        self._bn1 = nn.BatchNorm2d(1280, eps=0.001)
        self._fc = nn.Linear(1280, 1000)

    def forward(self, x):
        relu6 = nn.functional.relu6
        x = self._blocks(relu6(self._bn0(self._conv_stem(x))))
        x = relu6(self._bn1(self._conv_head(x)))
        return self._fc(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


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
    "efficientnet_lite0": Network("efficientnet_lite0.cnn", "EfficientNetLite0", EfficientNetLite0),
    "resnet18x32": Network("torchvision/resnet.cnn", "ResNet18", torchvision_net("resnet18"), batch=32),
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
