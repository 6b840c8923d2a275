"""Right outputs and gradients for every op and every option, computed with PyTorch.

Usage: python generate.py > values.json        (needs: pip install torch)

One line of the table below is one case: a call as the language has it, what it means in PyTorch, and the shapes of its
inputs without the batch, which is 2. `runtime/tests/pytorch.rs` makes the op from the call and the shapes, compares its
parameters with those of the module, and runs it on every backend.

Inputs and parameters are not stored. They come from the formula of `tests/src/formula.rs`, rounded to float32, the keys
being `input` (`input 0`, `input 1`, ... of several) and `0.<name>`; inputs are twice its values. A case with `special`
has that list as its input instead, again and again. All is computed in float64 but for the ops that find places from
fractions (`f32=True`): there PyTorch's own rounding of the places is what counts.

`gradients` are those of the sum of dy times the output, dy being the formula's `dy`, with respect to every input and to
every parameter (none to running statistics: null): all elements of at most FULL, and of more the norm and 16 samples,
each an index and the value there. Inputs with numbers that are not finite have none. Batch norm has beside them what it
does in training: its output, its gradients and the running statistics afterwards.
"""
import json, math
import torch
from torch import nn
from torch.nn import functional as F

BATCH = 2
FULL = 200
CASES = []
inf, nan = math.inf, math.nan
LINE = [-inf, -1e38, -100.0, -88.8, -20.0, -1e-3, -0.0, 0.0, 1e-3, 5.9, 6.1, 20.0, 88.8, 100.0, 1e38, inf, nan]
HOLE = [1.0, nan, 3.0, -inf, 5.0, 6.0, -7.0, 8.0, inf, -inf, -inf, -2.0]


def splitmix64(z):
    z = (z + 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
    return z ^ z >> 31


def formula(key, shape):
    start = 0xCBF29CE484222325
    for byte in key.encode():
        start = (start ^ byte) * 0x100000001B3 % 2**64
    count = math.prod(shape)
    values = [2 * (splitmix64((start + i) % 2**64) >> 40) / 2**24 - 1 for i in range(count)]
    return torch.tensor(values, dtype=torch.float64).reshape(shape)


def fill(tensors):
    for name, tensor in tensors.items():
        value = formula(f"0.{name}", tensor.shape)
        if name == "weight" and tensor.dim() > 1:
            value = value * math.sqrt(3 / tensor[0].numel())
        elif name in ("weight", "running_var"):
            value = 1 + 0.5 * value
        else:
            value = 0.1 * value
        tensor.copy_(value.float())


def samples(channels, axes, seed):
    """What `fractional_max_pool` draws: for each channel one number per axis, the last axis first in 2D, as PyTorch does."""
    draw = lambda i: (splitmix64((seed + i * 0x9E3779B97F4A7C15) % 2**64) >> 40) / 2**24
    values = [[draw(channel * axes + axis) for axis in range(axes)] for channel in range(channels)]
    return torch.tensor(values, dtype=torch.float32).expand(BATCH, channels, axes)


def to_json(value):
    return value if math.isfinite(value) else str(value)


def numbers(tensor):
    return [to_json(float(f"{v:.7g}")) for v in tensor.flatten().tolist()]


def excerpt(gradient):
    """All of a short one; the norm and 16 samples of a long one."""
    if gradient is None:
        return None
    flat = gradient.double().flatten()
    if len(flat) <= FULL:
        return numbers(flat)
    places = [len(flat) * i // 16 + i % 5 for i in range(16)]
    return {"norm": numbers(flat.norm())[0], "samples": [[i, numbers(flat[i])[0]] for i in places]}


def evaluate(meaning, inputs, tensors):
    """The output, and the gradients of the sum of dy times it."""
    inputs = [x.clone().requires_grad_() for x in inputs]
    for tensor in tensors.values():
        tensor.grad = None
    output = meaning(*inputs)
    output.backward(formula("dy", output.shape).to(output.dtype))
    gradients = {"inputs": [excerpt(x.grad) for x in inputs], "parameters": [excerpt(t.grad) for t in tensors.values()]}
    return output.detach().double(), gradients


def case(call, meaning, *shapes, special=None, f32=False, **arguments):
    module = meaning if isinstance(meaning, nn.Module) else None
    key = lambda i: "input" if len(shapes) == 1 else f"input {i}"
    inputs = [(2 * formula(key(i), (BATCH, *shape))).float() for i, shape in enumerate(shapes)]
    if special:
        size = inputs[0].numel()
        inputs = [torch.tensor((special * (size // len(special) + 1))[:size]).reshape(inputs[0].shape)]
    tensors = {}
    if module:
        module.eval()
        tensors = {n.split(".")[-1]: t for n, t in module.state_dict(keep_vars=True).items() if "num_batches" not in n}
        with torch.no_grad():
            fill(tensors)
        if not f32:
            module.double()
            tensors = {n.split(".")[-1]: t for n, t in module.state_dict(keep_vars=True).items() if "num_batches" not in n}
    inputs = [x if f32 else x.double() for x in inputs]
    output, gradients = evaluate(meaning, inputs, tensors)
    finite = all(x.isfinite().all() for x in inputs)
    training = {}
    if call == "batch_norm":
        module.train()
        in_training, by = evaluate(meaning, inputs, tensors)
        statistics = {name: numbers(tensors[name]) for name in ("running_mean", "running_var")}
        training = {"training": {"output": numbers(in_training), "gradients": by, **statistics}}
    CASES.append({
        "op": call,
        "arguments": arguments,
        "inputs": shapes,
        **({"special": [to_json(v) for v in special]} if special else {}),
        "parameters": [[name, list(t.shape)] for name, t in tensors.items()],
        "output_shape": list(output.shape[1:]),
        "output": numbers(output),
        **({"gradients": gradients} if finite else {}),
        **training,
    })


def around(padding, module):
    """Padding that the module itself cannot have: F.pad counts from the last axis, sides here from the first."""
    class Padded(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = module

        def forward(self, x):
            return self.inner(F.pad(x, padding))
    return Padded()


def cut(module, *slices):
    class Cut(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = module

        def forward(self, x):
            return self.inner(x)[(..., *slices)]
    return Cut()


SEQUENCE, MAP, VOLUME = (4, 11), (4, 5, 6), (4, 3, 5, 3)


def convolutions():
    case("conv", nn.Conv1d(4, 6, 3), SEQUENCE, channels=6, kernel=3)
    case("conv", nn.Conv1d(4, 6, 3, stride=2, padding=1), SEQUENCE, channels=6, kernel=3, stride=2, padding=1)
    case("conv", nn.Conv1d(4, 6, 4, padding="same"), SEQUENCE, channels=6, kernel=4, padding="same")
    case("conv", nn.Conv1d(4, 6, 3, dilation=3, padding=2), SEQUENCE, channels=6, kernel=3, dilation=3, padding=2)
    case("conv", nn.Conv1d(4, 8, 3, groups=4, bias=False), SEQUENCE, channels=8, kernel=3, groups=4, bias=False)
    case("conv", around((2, 0), nn.Conv1d(4, 6, 3)), SEQUENCE, channels=6, kernel=3, padding=(2, 0))
    case("conv", nn.Conv2d(4, 6, 3), MAP, channels=6, kernel=3)
    case("conv", nn.Conv2d(4, 6, 1, bias=False), MAP, channels=6, kernel=1, bias=False)
    case("conv", nn.Conv2d(4, 6, (5, 3)), MAP, channels=6, kernel=(5, 3))
    case("conv", nn.Conv2d(4, 6, 3, stride=(2, 3)), MAP, channels=6, kernel=3, stride=(2, 3))
    case("conv", nn.Conv2d(4, 6, 3, padding=(2, 1)), MAP, channels=6, kernel=3, padding=(2, 1))
    case("conv", around((0, 3, 1, 2), nn.Conv2d(4, 6, 3)), MAP, channels=6, kernel=3, padding=(1, 2, 0, 3))
    case("conv", nn.Conv2d(4, 6, (2, 4), padding="same", dilation=(3, 1)), MAP, channels=6, kernel=(2, 4), padding="same", dilation=(3, 1))
    case("conv", nn.Conv2d(4, 6, 3, padding="valid"), MAP, channels=6, kernel=3, padding="valid")
    case("conv", around((0, 1, 1, 1), nn.Conv2d(4, 6, 3, stride=2)), MAP, channels=6, kernel=3, stride=2, padding="same_tf")
    case("conv", nn.Conv2d(4, 6, 3, dilation=(2, 1), stride=2, padding=2), MAP, channels=6, kernel=3, dilation=(2, 1), stride=2, padding=2)
    case("conv", nn.Conv2d(4, 6, 3, groups=2), MAP, channels=6, kernel=3, groups=2)
    case("conv", nn.Conv2d(4, 4, 3, groups=4, padding=1), MAP, channels=4, kernel=3, groups=4, padding=1)
    case("conv", nn.Conv2d(4, 12, 3, groups=4, stride=2), MAP, channels=12, kernel=3, groups=4, stride=2)
    case("conv", nn.Conv3d(4, 5, 2), VOLUME, channels=5, kernel=2)
    case("conv", nn.Conv3d(4, 5, (3, 2, 1), stride=(1, 2, 2), padding=(1, 1, 0)), VOLUME, channels=5, kernel=(3, 2, 1), stride=(1, 2, 2), padding=(1, 1, 0))
    case("conv", nn.Conv3d(4, 6, 2, dilation=(2, 1, 2), groups=2, bias=False), VOLUME, channels=6, kernel=2, dilation=(2, 1, 2), groups=2, bias=False)
    case("conv", around((0, 1, 2, 0, 1, 0), nn.Conv3d(4, 3, 2)), VOLUME, channels=3, kernel=2, padding=(1, 0, 2, 0, 0, 1))
    case("conv", nn.Conv3d(4, 3, 3, padding="same"), VOLUME, channels=3, kernel=3, padding="same")
    for mode in ("reflect", "replicate", "circular"):
        case("conv", nn.Conv1d(4, 6, 3, padding=2, padding_mode=mode), SEQUENCE, channels=6, kernel=3, padding=2, padding_mode=mode)
        case("conv", nn.Conv2d(4, 6, 3, padding=(2, 1), stride=2, groups=2, padding_mode=mode), MAP, channels=6, kernel=3, padding=(2, 1), stride=2, groups=2, padding_mode=mode)
        case("conv", nn.Conv2d(4, 6, (2, 3), padding="same", padding_mode=mode), MAP, channels=6, kernel=(2, 3), padding="same", padding_mode=mode)
        case("conv", nn.Conv3d(4, 2, 3, padding=(1, 2, 0), padding_mode=mode), VOLUME, channels=2, kernel=3, padding=(1, 2, 0), padding_mode=mode)
    case("conv", nn.Conv2d(4, 6, 3, padding=1, padding_mode="zeros"), MAP, channels=6, kernel=3, padding=1, padding_mode="zeros")

    case("conv_transpose", nn.ConvTranspose1d(4, 6, 3), SEQUENCE, channels=6, kernel=3)
    case("conv_transpose", nn.ConvTranspose1d(4, 6, 3, stride=3, padding=1, output_padding=2, dilation=2), SEQUENCE, channels=6, kernel=3, stride=3, padding=1, output_padding=2, dilation=2)
    case("conv_transpose", nn.ConvTranspose1d(4, 6, 2, stride=2, groups=2, bias=False), SEQUENCE, channels=6, kernel=2, stride=2, groups=2, bias=False)
    case("conv_transpose", nn.ConvTranspose2d(4, 3, 3), MAP, channels=3, kernel=3)
    case("conv_transpose", nn.ConvTranspose2d(4, 3, 2, stride=2), MAP, channels=3, kernel=2, stride=2)
    case("conv_transpose", nn.ConvTranspose2d(4, 3, (2, 3), stride=(3, 1), bias=False), MAP, channels=3, kernel=(2, 3), stride=(3, 1), bias=False)
    case("conv_transpose", nn.ConvTranspose2d(4, 3, 3, stride=2, padding=1, output_padding=1), MAP, channels=3, kernel=3, stride=2, padding=1, output_padding=1)
    case("conv_transpose", nn.ConvTranspose2d(4, 3, 3, padding=(3, 2), dilation=2, output_padding=(1, 0)), MAP, channels=3, kernel=3, padding=(3, 2), dilation=2, output_padding=(1, 0))
    case("conv_transpose", nn.ConvTranspose2d(4, 6, 3, groups=2, stride=(1, 2)), MAP, channels=6, kernel=3, groups=2, stride=(1, 2))
    case("conv_transpose", cut(nn.ConvTranspose2d(4, 3, 3), slice(1, -2), slice(0, -1)), MAP, channels=3, kernel=3, padding=(1, 2, 0, 1))
    case("conv_transpose", nn.ConvTranspose3d(4, 3, 2), VOLUME, channels=3, kernel=2)
    case("conv_transpose", nn.ConvTranspose3d(4, 2, (1, 2, 3), stride=(2, 2, 1), padding=(0, 1, 2), output_padding=(1, 0, 0)), VOLUME, channels=2, kernel=(1, 2, 3), stride=(2, 2, 1), padding=(0, 1, 2), output_padding=(1, 0, 0))
    case("conv_transpose", nn.ConvTranspose3d(4, 4, 2, groups=2, dilation=(1, 2, 1), bias=False), VOLUME, channels=4, kernel=2, groups=2, dilation=(1, 2, 1), bias=False)

    case("dense", nn.Linear(9, 5), (9,), features=5)
    case("dense", nn.Linear(9, 1, bias=False), (9,), features=1, bias=False)


def pools():
    for axes, shape in ((1, SEQUENCE), (2, MAP), (3, VOLUME)):
        maximum = lambda *a, **k: (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)[axes - 1](*a, **k)
        mean = lambda *a, **k: (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)[axes - 1](*a, **k)
        case("max_pool", maximum(2), shape, kernel=2)
        case("max_pool", maximum(3, stride=2, padding=1), shape, kernel=3, stride=2, padding=1)
        case("max_pool", maximum(2, dilation=2, stride=1), shape, kernel=2, dilation=2, stride=1)
        case("max_pool", maximum(3, stride=2, padding=1, ceil_mode=True), shape, kernel=3, stride=2, padding=1, ceil_mode=True)
        case("max_pool", maximum(2, stride=2, ceil_mode=True), shape, kernel=2, stride=2, ceil_mode=True)
        case("max_pool", maximum(2, padding=1), shape, kernel=2, padding=1, special=HOLE)
        case("avg_pool", mean(2), shape, kernel=2)
        case("avg_pool", mean(3, stride=1, padding=1), shape, kernel=3, stride=1, padding=1)
        case("avg_pool", mean(3, stride=2, padding=1, count_include_pad=False), shape, kernel=3, stride=2, padding=1, count_include_pad=False)
        case("avg_pool", mean(2, ceil_mode=True), shape, kernel=2, ceil_mode=True)
        case("avg_pool", mean(3, stride=2, padding=1, ceil_mode=True), shape, kernel=3, stride=2, padding=1, ceil_mode=True)
        case("avg_pool", mean(3, stride=2, padding=1, ceil_mode=True, count_include_pad=False), shape, kernel=3, stride=2, padding=1, ceil_mode=True, count_include_pad=False)
        if axes > 1:
            case("avg_pool", mean(3, stride=1, padding=1, divisor_override=5), shape, kernel=3, stride=1, padding=1, divisor_override=5)
        case("adaptive_avg_pool", lambda x: (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)[axes - 1](x, 3), shape, size=3)
        case("adaptive_max_pool", lambda x: (F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d)[axes - 1](x, 2), shape, size=2)
        case("adaptive_max_pool", lambda x: (F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d)[axes - 1](x, 2), shape, size=2, special=HOLE)
        case("global_avg_pool", lambda x: (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)[axes - 1](x, 1), shape)
        case("global_max_pool", lambda x: (F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d)[axes - 1](x, 1), shape)
    case("max_pool", nn.MaxPool2d((2, 3), stride=(1, 2), padding=(0, 1)), MAP, kernel=(2, 3), stride=(1, 2), padding=(0, 1))
    case("max_pool", around((1, 0, 0, 1), nn.MaxPool2d(2, stride=2)), MAP, kernel=2, stride=2, padding=(0, 1, 1, 0), special=[3.0, 1.0, 2.0, 5.0, 4.0])
    case("max_pool", nn.MaxPool3d((1, 3, 2), stride=(2, 2, 1), dilation=(1, 2, 1)), VOLUME, kernel=(1, 3, 2), stride=(2, 2, 1), dilation=(1, 2, 1))
    case("avg_pool", nn.AvgPool2d((3, 2), stride=(2, 1), padding=(1, 0)), MAP, kernel=(3, 2), stride=(2, 1), padding=(1, 0))
    case("avg_pool", around((1, 0, 0, 1), nn.AvgPool2d(2, stride=2)), MAP, kernel=2, stride=2, padding=(0, 1, 1, 0))
    case("avg_pool", nn.AvgPool2d(2, ceil_mode=True, divisor_override=3), MAP, kernel=2, ceil_mode=True, divisor_override=3)
    case("avg_pool", nn.AvgPool3d((1, 3, 2), stride=(2, 2, 1), padding=(0, 1, 1)), VOLUME, kernel=(1, 3, 2), stride=(2, 2, 1), padding=(0, 1, 1))
    case("adaptive_avg_pool", nn.AdaptiveAvgPool2d((9, 4)), MAP, size=(9, 4))
    case("adaptive_avg_pool", nn.AdaptiveAvgPool2d((None, 4)), MAP, size=("none", 4))
    case("adaptive_avg_pool", nn.AdaptiveAvgPool3d((2, None, 5)), VOLUME, size=(2, "none", 5))
    case("adaptive_max_pool", nn.AdaptiveMaxPool2d((3, None)), MAP, size=(3, "none"))
    case("adaptive_max_pool", nn.AdaptiveMaxPool3d((None, 2, 4)), VOLUME, size=("none", 2, 4))
    def fractional(axes, seed, *a, **k):
        module = (nn.FractionalMaxPool2d, nn.FractionalMaxPool3d)[axes - 2](*a, **k, _random_samples=samples(4, axes, seed))
        return lambda x: module(x)
    flat = (4, 13, 11)
    case("fractional_max_pool", fractional(2, 0, 2, output_size=5), flat, kernel=2, output_size=5, f32=True)
    case("fractional_max_pool", fractional(2, 7, (2, 3), output_size=(6, 4)), flat, kernel=(2, 3), output_size=(6, 4), seed=7, f32=True)
    case("fractional_max_pool", fractional(2, 1, 2, output_ratio=(0.6, 0.75)), flat, kernel=2, output_ratio=(0.6, 0.75), seed=1, f32=True)
    case("fractional_max_pool", fractional(2, 2, 3, output_ratio=(0.5, 0.5)), flat, kernel=3, output_ratio=0.5, seed=2, f32=True)
    case("fractional_max_pool", fractional(2, 3, 1, output_size=(1, 11)), flat, kernel=1, output_size=(1, 11), seed=3, f32=True)
    case("fractional_max_pool", fractional(3, 0, 2, output_size=(3, 2, 3)), (4, 7, 5, 6), kernel=2, output_size=(3, 2, 3), f32=True)
    case("fractional_max_pool", fractional(3, 5, (1, 3, 2), output_ratio=(0.7, 0.6, 0.5)), (4, 7, 6, 8), kernel=(1, 3, 2), output_ratio=(0.7, 0.6, 0.5), seed=5, f32=True)


def norms():
    case("batch_norm", nn.BatchNorm1d(5), (5,))
    case("batch_norm", nn.BatchNorm1d(4), SEQUENCE)
    case("batch_norm", nn.BatchNorm2d(4), MAP)
    case("batch_norm", nn.BatchNorm3d(4), VOLUME)
    case("batch_norm", nn.BatchNorm2d(4, eps=0.25, momentum=0.5, affine=False), MAP, eps=0.25, momentum=0.5, affine=False)
    case("group_norm", nn.GroupNorm(2, 4), SEQUENCE, groups=2)
    case("group_norm", nn.GroupNorm(4, 4), MAP, groups=4)
    case("group_norm", nn.GroupNorm(1, 4, eps=0.25), VOLUME, groups=1, eps=0.25)
    case("group_norm", nn.GroupNorm(2, 4, affine=False), MAP, groups=2, affine=False)
    case("group_norm", nn.GroupNorm(3, 6), (6,), groups=3)
    case("instance_norm", nn.InstanceNorm1d(4), SEQUENCE)
    case("instance_norm", nn.InstanceNorm2d(4, eps=0.25, affine=True), MAP, eps=0.25, affine=True)
    case("instance_norm", nn.InstanceNorm3d(4), VOLUME)
    case("layer_norm", nn.LayerNorm(9), (9,))
    case("layer_norm", nn.LayerNorm(MAP), MAP)
    case("layer_norm", nn.LayerNorm(6), MAP, axes=1)
    case("layer_norm", nn.LayerNorm((5, 6), eps=0.25, bias=False), MAP, axes=2, eps=0.25, bias=False)
    case("layer_norm", nn.LayerNorm((5, 3), elementwise_affine=False), VOLUME, axes=2, affine=False)
    case("local_response_norm", nn.LocalResponseNorm(2), MAP, size=2)
    case("local_response_norm", nn.LocalResponseNorm(3, alpha=0.5, beta=0.5, k=2.0), MAP, size=3, alpha=0.5, beta=0.5, k=2.0)
    case("local_response_norm", nn.LocalResponseNorm(5, alpha=0.5), SEQUENCE, size=5, alpha=0.5)
    case("local_response_norm", nn.LocalResponseNorm(9, alpha=0.5), VOLUME, size=9, alpha=0.5)


def activations():
    # What becomes NaN from an infinite number differs between PyTorch's own float32 and float64.
    finite = [v for v in LINE if math.isfinite(v)]
    for call, module, arguments in (
        ("identity", nn.Identity(), {}),
        ("relu", nn.ReLU(), {}),
        ("relu6", nn.ReLU6(), {}),
        ("leaky_relu", nn.LeakyReLU(), {}),
        ("leaky_relu", nn.LeakyReLU(0.25), {"slope": 0.25}),
        ("elu", nn.ELU(), {}),
        ("elu", nn.ELU(0.25), {"alpha": 0.25}),
        ("silu", nn.SiLU(), {}),
        ("gelu", nn.GELU(), {}),
        ("gelu", nn.GELU("none"), {"approximate": "none"}),
        ("gelu", nn.GELU("tanh"), {"approximate": "tanh"}),
        ("sigmoid", nn.Sigmoid(), {}),
        ("hard_sigmoid", nn.Hardsigmoid(), {}),
        ("hard_swish", nn.Hardswish(), {}),
        ("tanh", nn.Tanh(), {}),
    ):
        case(call, module, (4, 5), **arguments)
        case(call, module, (17,), special=finite, **arguments)
    for call, module in (("relu", nn.ReLU()), ("relu6", nn.ReLU6()), ("leaky_relu", nn.LeakyReLU()), ("elu", nn.ELU()),
                         ("sigmoid", nn.Sigmoid()), ("tanh", nn.Tanh()), ("hard_sigmoid", nn.Hardsigmoid())):
        case(call, module, (17,), special=LINE)
    case("prelu", nn.PReLU(), MAP)
    case("prelu", nn.PReLU(4), MAP, num_parameters=4)
    case("prelu", nn.PReLU(4, init=0.5), (4,), num_parameters=4, init=0.5)
    for call, module in (("softmax", nn.Softmax), ("log_softmax", nn.LogSoftmax)):
        case(call, module(dim=1), (7,))
        case(call, module(dim=1), MAP)
        case(call, module(dim=2), MAP, dim=2)
        case(call, module(dim=-1), SEQUENCE, dim=-1)
        case(call, module(dim=1), (4,), special=[1000.0, 1001.0, -1000.0, 990.0])
    case("dropout", nn.Dropout(), SEQUENCE)
    case("dropout", nn.Dropout(0.25), MAP, p=0.25)


def geometry():
    case("flatten", nn.Flatten(), MAP)
    case("flatten", nn.Flatten(2), MAP, start_dim=2)
    case("flatten", nn.Flatten(1, -2), VOLUME, end_dim=-2)
    case("reshape", lambda x: x.reshape(BATCH, 2, -1, 3), MAP, shape=(2, -1, 3))
    case("slice", lambda x: x[:, 1:], SEQUENCE, start=1)
    case("slice", lambda x: x[:, -3:-1], MAP, start=-3, end=-1)
    case("channel_shuffle", nn.ChannelShuffle(2), MAP, groups=2)
    case("channel_shuffle", nn.ChannelShuffle(3), (6, 2, 2, 2), groups=3)
    sequence, image, volume = (2, 11), (2, 5, 6), (2, 3, 5, 3)
    case("pad", lambda x: F.pad(x, (2, 1)), sequence, sides=(2, 1))
    case("pad", lambda x: F.pad(x, (2, 2)), sequence, sides=2)
    case("pad", lambda x: F.pad(x, (2, 2, 1, 1)), image, sides=(1, 2))
    case("pad", lambda x: F.pad(x, (0, 3, 1, 2)), image, sides=(1, 2, 0, 3), mode="zeros")
    case("pad", lambda x: F.pad(x, (0, 3, 1, 2), value=-1.5), image, sides=(1, 2, 0, 3), value=-1.5)
    case("pad", lambda x: F.pad(x, (1, 1, 0, 0, 2, 2), value=0.5), volume, sides=(2, 0, 1), value=0.5)
    for mode in ("reflect", "replicate", "circular"):
        case("pad", lambda x: F.pad(x, (4, 3), mode=mode), sequence, sides=(4, 3), mode=mode)
        case("pad", lambda x: F.pad(x, (5, 1, 0, 4), mode=mode), image, sides=(0, 4, 5, 1), mode=mode)
        case("pad", lambda x: F.pad(x, (2, 0, 1, 3, 2, 1), mode=mode), volume, sides=(2, 1, 1, 3, 2, 0), mode=mode)
    case("crop", lambda x: x[..., 2:-1], SEQUENCE, sides=(2, 1))
    case("crop", lambda x: F.pad(x, (-1, -1, -2, -2)), MAP, sides=(2, 1))
    case("crop", lambda x: F.pad(x, (0, -2, -1, 0)), MAP, sides=(1, 0, 0, 2))
    case("crop", lambda x: x[..., 1:, 2:-1, :-2], VOLUME, sides=(1, 0, 2, 1, 0, 2))
    linear = {1: "linear", 2: "bilinear", 3: "trilinear"}
    for axes, shape in ((1, sequence), (2, image), (3, (2, 3, 4, 2))):
        for scale in (2, 1.7, 0.6):
            case("upsample", nn.Upsample(scale_factor=scale), shape, scale=scale, f32=True)
            case("upsample", nn.Upsample(scale_factor=scale, mode=linear[axes]), shape, scale=scale, mode=linear[axes])
        size = (5, 9, 4)[-axes:]
        case("upsample", nn.Upsample(size=size), shape, size=size, mode="nearest", f32=True)
        case("upsample", nn.Upsample(size=size, mode="nearest-exact"), shape, size=size, mode="nearest_exact", f32=True)
        case("upsample", nn.Upsample(scale_factor=1.7, mode="nearest-exact"), shape, scale=1.7, mode="nearest_exact", f32=True)
        case("upsample", nn.Upsample(size=size, mode=linear[axes]), shape, size=size, mode=linear[axes])
        case("upsample", nn.Upsample(size=size, mode=linear[axes], align_corners=True), shape, size=size, mode=linear[axes], align_corners=True)
        case("upsample", nn.Upsample(scale_factor=1.7, mode=linear[axes], align_corners=True), shape, scale=1.7, mode=linear[axes], align_corners=True)
    case("upsample", nn.Upsample(scale_factor=(1.5, 2)), MAP, scale=(1.5, 2), f32=True)
    case("upsample", nn.Upsample(size=1, mode="bilinear", align_corners=True), MAP, size=1, mode="bilinear", align_corners=True)


def joins():
    case("add", lambda *x: x[0] + x[1] + x[2], MAP, MAP, MAP)
    case("mul", lambda a, b: a * b, (5,), (5,))
    case("mul", lambda a, b: a * b, MAP, (4, 1, 1))
    case("concat", lambda *x: torch.cat(x, 1), (4, 3), (1, 3), (2, 3))
    case("concat", lambda *x: torch.cat(x, 3), MAP, (4, 5, 2), dim=3)


for table in (convolutions, pools, norms, activations, geometry, joins):
    table()
print("[\n" + ",\n".join(json.dumps(line, separators=(",", ":")) for line in CASES) + "\n]")
