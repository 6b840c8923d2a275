"""One training step of each network of generate.py and of EfficientNet-Lite0, computed with PyTorch in float64.

Usage: python training.py OUT_DIR [NAME ...]      (needs: pip install torch numpy efficientnet-lite-pytorch==0.1.0; the
latter with --no-deps)

Parameters come from the formula of generate.py (for EfficientNet-Lite0 keyed by its names, as in
efficientnet_lite0.py), rounded to float32; so does the input of BATCH examples. Labels are 3·i modulo the classes. The
networks are in training mode; dropout and stochastic depth have the probability 0, so that nothing is random. The
momentum of batch norms is PyTorch's default, 0.1. The loss is the mean cross-entropy of the logits.

One line of JSON per network: the loss; the norm of the gradient of all parameters together; the gradient of the input;
of every parameter, in data-flow order, the norm of its gradient and of what one step changes, once of SGD (learning rate
0.01, momentum 0.9) and once, from the same start, of Adam (learning rate 1e-3); and of every running statistic its norm
after the step. `samples` have the flat index and the values there: of a parameter the gradient, and what SGD and Adam
change; of the input the gradient; of a statistic itself. Gradients are sampled where they are largest in each quarter of
the tensor: Adam's first step is nearly the gradient's sign, which says nothing where the gradient is rounding alone.

`vanishing` parameters have no gradient but rounding, such as the bias of a convolution before a batch norm: their norm
is below VANISHING of all. They have no samples.

Kinks: where the input of a ReLU is nearly 0, or two candidates of a maximum are nearly equal, float32 may take the
other side, and gradients jump: one of twelve million such elements changes VGG's by a thousandth. So where PyTorch's
own float32 is not within SMOOTH of float64, three times, twice with noise of NOISE in the input, parameters
are moved a little before anything is computed: the bias before a ReLU, one weight of the convolution before a
maximum, of each channel that has an element nearer to its kink than MARGIN times the rms. `moved` has them: flat
index and value. `float32_error` is how far float32 is off in the end: the largest error of a norm, relative, and of a
sample, relative to the larger of the element and the rms of its tensor. A norm below LEAST of all is what is left of
larger terms, as with the scale of a norm before others: there the error is relative to LEAST.
"""
import json
import math
import os
import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from generate import NETS, NORMS, fill, values

BATCH = 4
VANISHING = 1e-10
LEAST = 3e-3
SMOOTH = 5e-5
# As much as Winograd's algorithm adds to rounding.
NOISE = 2**-20
MARGIN = 3e-5
KINKS = {nn.ReLU: [0.0], nn.ReLU6: [0.0, 6.0]}
OPTIMIZERS = {"sgd": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9), "adam": lambda p: torch.optim.Adam(p, lr=1e-3)}


def classic(make):
    """A network of generate.py, and its tensors' owners by their number."""
    shape, net = make()
    owners = [m for m in net.modules() if not list(m.children()) and len(m.state_dict())]
    with torch.no_grad():
        fill(owners)
    return shape, net, [(str(i), module) for i, module in enumerate(owners)]


def efficientnet_lite0():
    from efficientnet_lite_pytorch import EfficientNet

    net = EfficientNet.from_name("efficientnet-lite0")
    net._global_params = net._global_params._replace(drop_connect_rate=0.0)
    owners = [(path, m) for path, m in net.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear, *NORMS))]
    with torch.no_grad():
        for path, module in owners:
            # One formula, keyed by the full name.
            for kind, tensor in module.state_dict().items():
                if kind == "num_batches_tracked":
                    continue
                value = values(f"{path}.{kind}", tensor.numel())
                if isinstance(module, NORMS) and kind in ("weight", "running_var"):
                    value = 1 + 0.5 * value
                else:
                    value = value * np.sqrt(3 / tensor[0].numel()) if kind == "weight" else 0.1 * value
                tensor.copy_(torch.from_numpy(value.astype(np.float32)).reshape(tensor.shape))
    return (3, 224, 224), net, owners


def rounded(value):
    return float(f"{float(value):.9g}")


def spread(gradient):
    """Where the gradient is largest in each quarter of the tensor."""
    flat = gradient.flatten().abs()
    bounds = [len(flat) * i // 4 for i in range(5)]
    return [a + int(flat[a:b].argmax()) for a, b in zip(bounds, bounds[1:]) if a < b]


def step(net, x, labels, optimizer):
    """One step from the network's start, which is there again afterwards."""
    start = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    x = x.clone().requires_grad_()
    optimizer = OPTIMIZERS[optimizer](net.parameters())
    optimizer.zero_grad()
    loss = F.cross_entropy(net(x), labels)
    loss.backward()
    optimizer.step()
    after = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    gradients = {name: parameter.grad.clone() for name, parameter in net.named_parameters()}
    net.load_state_dict(start)
    return loss.item(), x.grad, gradients, {name: after[name] - start[name] for name in gradients}, after


def off(expected, actual):
    """How far gradients are off: the norms, relative, and the samples, relative to the larger of element and rms."""
    total, errors = norm_of(expected), [0.0]
    for name, gradient in expected.items():
        norm, near, flat = float(gradient.norm()), actual[name].double().flatten(), gradient.flatten()
        if norm >= VANISHING * total:
            usual = max(norm, LEAST * total)
            errors.append(abs(float(near.norm()) - norm) / usual)
            rms = usual / math.sqrt(len(flat))
            errors += [abs(float(near[i] - flat[i])) / max(abs(float(flat[i])), rms) for i in spread(flat)]
    return max(errors)


def norm_of(gradients):
    return math.sqrt(sum(float(gradient.norm()) ** 2 for gradient in gradients.values()))


class Moved(Exception):
    """A weight was moved: what follows is to be computed again."""


def move_off_kinks(net, x):
    """Moves parameters before ReLUs and maxima; gives those that were moved, by their modules and kinds."""
    moved, before, sources, rounds, hooks = {}, [None], [], [0], []

    def set_to(module, kind, index, value):
        getattr(module, kind).detach().view(-1)[index] = value
        moved.setdefault((module, kind), {})[index] = rounded(value)

    def remember(module, _, output):
        before[0] = module
        if isinstance(module, nn.Conv2d):
            sources.append((output, [(module, channel) for channel in range(output.shape[1])]))

    def source(values):
        """The convolution and its channel that a channel comes from, through a ReLU, a pool or a concatenation."""
        for output, channels in reversed(sources):
            if output.shape[2:] == values.shape[1:]:
                same = (output.relu() == values[:, None]).flatten(2).all(2).all(0).nonzero()
                if len(same):
                    return channels[int(same[0])]

    def pooled(module, inputs, output):
        sources.append((output, [source(inputs[0][:, channel]) for channel in range(output.shape[1])]))

    def relu(module, inputs):
        channels = inputs[0].transpose(0, 1).flatten(1)
        margin, kinks = MARGIN * float(channels.pow(2).mean().sqrt()), KINKS[type(module)]
        shifts = torch.zeros(len(channels), dtype=channels.dtype)
        for channel, values in enumerate(channels):
            near = torch.cat([values[(values - kink).abs() < 1000 * margin] - kink for kink in kinks])
            old = float(before[0].bias[channel])
            # 0, 2, -2, 4, -4, ... margins.
            tries = (float(np.float32(old + (k + 1) // 2 * 2 * (-1) ** k * margin)) if k else old for k in range(800))
            new = next(new for new in tries if not len(near) or float((near + (new - old)).abs().min()) > margin)
            if new != old:
                shifts[channel] = new - old
                set_to(before[0], "bias", channel, new)
        return (inputs[0] + shifts.reshape(1, -1, *[1] * (inputs[0].dim() - 2)),)

    def maximum(module, inputs):
        margin = MARGIN * float(inputs[0].pow(2).mean().sqrt())
        shape = dict(kernel_size=module.kernel_size, stride=module.stride, padding=module.padding)
        near = []
        for channel in range(inputs[0].shape[1]):
            largest = F.unfold(inputs[0][:, channel:channel + 1], **shape).topk(2, dim=1).values
            # What is equal is one element that an earlier pool has chosen twice.
            distance = largest[:, 0] - largest[:, 1]
            if bool(((largest[:, 0] > 0) & (distance > 0) & (distance <= margin)).any()):
                near.append(channel)
        for channel in near:
            found = source(inputs[0][:, channel])
            if not found:
                raise Moved  # Its ReLU's bias was moved in this pass.
            convolution, own_channel = found
            own = convolution.weight.detach()
            # A middle one meets no padding; another input each time, as some are 0 everywhere.
            rounds[0] += 1
            index = own_channel * own[0].numel() + rounds[0] % own.shape[1] * own[0, 0].numel() + own[0, 0].numel() // 2
            new = float(own.view(-1)[index]) + 2**-10 * float(own[own_channel].abs().max())
            set_to(convolution, "weight", index, float(np.float32(new)))
        if near:
            print(f"maximum on {tuple(inputs[0].shape)}: {len(near)} channels", flush=True)
            raise Moved

    for module in net.modules():
        if type(module) in KINKS:
            hooks.append(module.register_forward_pre_hook(relu))
        elif isinstance(module, nn.MaxPool2d):
            hooks.append(module.register_forward_pre_hook(maximum))
            hooks.append(module.register_forward_hook(pooled))
        elif getattr(module, "bias", None) is not None:
            hooks.append(module.register_forward_hook(remember))
    start = {name: tensor.clone() for name, tensor in net.state_dict().items() if "running" in name}
    is_done = False
    while not is_done:
        sources.clear()
        try:
            with torch.no_grad():
                net(x)
            is_done = True
        except Moved:
            pass
        net.load_state_dict(start, strict=False)
    for hook in hooks:
        hook.remove()
    return moved


def float32_error(net, x, labels):
    """How far float32 is from float64, also with noise of its own rounding."""
    noise = torch.Generator().manual_seed(0)
    near = [x, *(x * (1 + NOISE * torch.randn(x.shape, generator=noise)) for _ in range(2))]
    found = [step(net.float(), n, labels, "sgd")[2] for n in near]
    expected = step(net.double(), x.double(), labels, "sgd")
    error = max(off(expected[2], f) for f in found)
    print(f"off by {error:.1e}", flush=True)
    return error, expected


def golden(name, shape, net, owners):
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = 0.1
        if type(module) in KINKS:
            module.inplace = False
    net.train()
    classes = owners[-1][1].weight.shape[0]
    labels = torch.arange(BATCH) * 3 % classes
    count = BATCH * int(np.prod(shape))
    x = torch.from_numpy(values("input", count).astype(np.float32)).reshape(BATCH, *shape)
    moved, (error, expected) = {}, float32_error(net, x, labels)
    if error > SMOOTH:
        moved = move_off_kinks(net, x.double())
        error, expected = float32_error(net, x, labels)
    loss, input_gradient, gradients, sgd, after = expected
    adam = step(net, x.double(), labels, "adam")[3]
    total = norm_of(gradients)
    paths, names = ({module: name for name, module in list} for list in (net.named_modules(), owners))
    parameters, statistics = [], []
    for number, owner in owners:
        for kind, tensor in owner.state_dict().items():
            if kind == "num_batches_tracked":
                continue
            own, entry = f"{paths[owner]}.{kind}", dict(name=f"{number}.{kind}", shape=list(tensor.shape))
            if own not in gradients:
                flat = after[own].flatten()
                places = [len(flat) * i // 4 for i in range(4)] if len(flat) > 3 else range(len(flat))
                samples = [[i, rounded(flat[i])] for i in places]
                statistics.append(dict(entry, norm=rounded(flat.norm()), samples=samples))
                continue
            gradient, by_sgd, by_adam = (step[own].flatten() for step in (gradients, sgd, adam))
            norm = float(gradient.norm())
            vanishing = norm < VANISHING * total
            places = [] if vanishing else spread(gradient)
            parameters.append(dict(
                entry, vanishing=vanishing, gradient_norm=rounded(norm),
                sgd_norm=rounded(by_sgd.norm()), adam_norm=rounded(by_adam.norm()),
                samples=[[i, *(rounded(v[i]) for v in (gradient, by_sgd, by_adam))] for i in places],
            ))
    flat = input_gradient.flatten()
    smallest = min(p["gradient_norm"] for p in parameters if not p["vanishing"])
    print(f"{name:18} loss {loss:.6f}  gradient {total:.3e}  least {smallest:.1e}  vanishing "
          f"{sum(p['vanishing'] for p in parameters)} of {len(parameters)}", flush=True)
    return dict(
        name=name, input=[BATCH, *shape], float32_error=float(f"{error:.1e}"), labels=labels.tolist(),
        moved={f"{names[module]}.{kind}": sorted(places.items()) for (module, kind), places in moved.items()},
        loss=rounded(loss), gradient_norm=rounded(total),
        input_gradient=dict(norm=rounded(flat.norm()), samples=[[i, rounded(flat[i])] for i in spread(flat)]),
        parameters=parameters, statistics=statistics,
    )


def main(folder, only):
    os.makedirs(folder, exist_ok=True)
    torch.manual_seed(0)
    makers = {make.__name__: lambda make=make: classic(make) for make in NETS}
    makers["efficientnet_lite0"] = efficientnet_lite0
    for name in only or makers:
        document = golden(name, *makers[name]())
        with open(os.path.join(folder, name + ".json"), "w") as file:
            json.dump(document, file, separators=(",", ":"))
            file.write("\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
