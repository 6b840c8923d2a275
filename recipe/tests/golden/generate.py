"""Writes values.json: what PyTorch computes for every configuration of this crate.

    python generate.py

A row pairs the call form, which the Rust test parses, with the same thing in PyTorch. Optimizers run in float32, as they do
in training; schedules are Python floats; losses and clipping run in float64 on inputs that float32 holds.
"""

import json
import math
import pathlib

import torch
from torch import nn, optim
from torch.nn import functional as F
from torch.optim import lr_scheduler

STEPS = 12


def numbers(count, seed, scale=1.0):
    """Numbers that look random, the same everywhere, and that float32 holds exactly."""
    return [scale * round(math.sin(1.7 * i * i + 2.3 * i + seed) * 64) / 64 for i in range(count)]


START = numbers(7, 1, 2.0)
GRADIENTS = [numbers(7, 10 + step, 1.5) for step in range(STEPS)]

# Call form, rate, decay, PyTorch's optimizer.
OPTIMIZERS = [
    ("sgd", 0.1, 0.0, lambda p: optim.SGD(p, lr=0.1)),
    ("sgd", 0.1, 0.05, lambda p: optim.SGD(p, lr=0.1, weight_decay=0.05)),
    ("sgd(momentum = 0.9)", 0.05, 0.01, lambda p: optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.01)),
    ("sgd(momentum = 0.8, dampening = 0.3)", 0.05, 0.0, lambda p: optim.SGD(p, lr=0.05, momentum=0.8, dampening=0.3)),
    ("sgd(momentum = 0.9, nesterov = true)", 0.05, 0.01,
     lambda p: optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01)),
    ("adam", 0.01, 0.0, lambda p: optim.Adam(p, lr=0.01)),
    ("adam(betas = (0.8, 0.95), eps = 1e-3)", 0.02, 0.1,
     lambda p: optim.Adam(p, lr=0.02, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1)),
    ("adam(betas = (0.0, 0.9))", 0.02, 0.0, lambda p: optim.Adam(p, lr=0.02, betas=(0.0, 0.9))),
    ("adamw", 0.01, 0.01, lambda p: optim.AdamW(p, lr=0.01)),
    ("adamw(betas = (0.85, 0.99), eps = 1e-6)", 0.02, 0.3,
     lambda p: optim.AdamW(p, lr=0.02, betas=(0.85, 0.99), eps=1e-6, weight_decay=0.3)),
    ("rmsprop", 0.01, 0.0, lambda p: optim.RMSprop(p)),
    ("rmsprop(alpha = 0.9, eps = 1e-4, momentum = 0.8)", 0.01, 0.02,
     lambda p: optim.RMSprop(p, lr=0.01, alpha=0.9, eps=1e-4, momentum=0.8, weight_decay=0.02)),
    ("rmsprop(alpha = 0.9, eps = 0.01, centered = true)", 0.01, 0.0,
     lambda p: optim.RMSprop(p, lr=0.01, alpha=0.9, eps=0.01, centered=True)),
    ("rmsprop(alpha = 0.8, eps = 0.01, momentum = 0.5, centered = true)", 0.01, 0.02,
     lambda p: optim.RMSprop(p, lr=0.01, alpha=0.8, eps=0.01, momentum=0.5, centered=True, weight_decay=0.02)),
    ("adagrad", 0.01, 0.0, lambda p: optim.Adagrad(p)),
    ("adagrad(lr_decay = 0.1, eps = 1e-6, initial_accumulator_value = 0.2)", 0.1, 0.02,
     lambda p: optim.Adagrad(p, lr=0.1, lr_decay=0.1, eps=1e-6, initial_accumulator_value=0.2, weight_decay=0.02)),
]


def warm(optimizer, steps, factor, rest):
    first = lr_scheduler.LinearLR(optimizer, start_factor=factor, total_iters=steps)
    return lr_scheduler.SequentialLR(optimizer, [first, rest], milestones=[steps])


# Call form, base rate, PyTorch's schedule.
SCHEDULES = [
    ("constant", 0.1, lambda o: lr_scheduler.LambdaLR(o, lambda step: 1.0)),
    ("step(7)", 0.1, lambda o: lr_scheduler.StepLR(o, 7)),
    ("step(step_size = 3, gamma = 0.7)", 0.3, lambda o: lr_scheduler.StepLR(o, 3, gamma=0.7)),
    ("multi_step([5, 20, 21], gamma = 0.5)", 0.1, lambda o: lr_scheduler.MultiStepLR(o, [5, 20, 21], gamma=0.5)),
    ("multi_step(milestones = [30, 4, 4])", 0.1, lambda o: lr_scheduler.MultiStepLR(o, [30, 4, 4])),
    ("exponential(0.93)", 0.2, lambda o: lr_scheduler.ExponentialLR(o, 0.93)),
    ("cosine(39)", 0.1, lambda o: lr_scheduler.CosineAnnealingLR(o, 39)),
    ("cosine(total = 15, min = 0.01)", 0.1, lambda o: lr_scheduler.CosineAnnealingLR(o, 15, eta_min=0.01)),
    ("one_cycle(total = 40, max_rate = 0.5)", 0.1,
     lambda o: lr_scheduler.OneCycleLR(o, 0.5, total_steps=40, cycle_momentum=False)),
    ("one_cycle(40, pct_start = 0.45, div_factor = 10, final_div_factor = 100, anneal = linear)", 0.2,
     lambda o: lr_scheduler.OneCycleLR(o, 0.2, total_steps=40, pct_start=0.45, div_factor=10, final_div_factor=100,
                                       anneal_strategy="linear", cycle_momentum=False)),
    ("warmup(5) -> constant", 0.1, lambda o: warm(o, 5, 1 / 3, lr_scheduler.LambdaLR(o, lambda step: 1.0))),
    ("warmup(8, start_factor = 0.1) -> cosine(32)", 0.1,
     lambda o: warm(o, 8, 0.1, lr_scheduler.CosineAnnealingLR(o, 32))),
    ("warmup(4, start_factor = 0.5) -> step(10, gamma = 0.3)", 0.1,
     lambda o: warm(o, 4, 0.5, lr_scheduler.StepLR(o, 10, gamma=0.3))),
]

METRICS = [round(1 / (1 + 0.4 * min(i, 9)) + 0.03 * math.sin(5 * i), 4) for i in range(39)]
PLATEAUS = [
    ("reduce_on_plateau(patience = 2)", {"patience": 2}),
    ("reduce_on_plateau(factor = 0.5, patience = 1, cooldown = 3, min = 0.02)",
     {"factor": 0.5, "patience": 1, "cooldown": 3, "min_lr": 0.02}),
    ("reduce_on_plateau(factor = 0.3, patience = 0, threshold = 0.05, threshold_mode = abs, eps = 1e-4)",
     {"factor": 0.3, "patience": 0, "threshold": 0.05, "threshold_mode": "abs", "eps": 1e-4}),
    ("reduce_on_plateau(factor = 0.7, patience = 3, mode = max)", {"factor": 0.7, "patience": 3, "mode": "max"}),
    ("reduce_on_plateau(factor = 0.7, patience = 4, mode = max, threshold_mode = abs, threshold = 0.2)",
     {"factor": 0.7, "patience": 4, "mode": "max", "threshold_mode": "abs", "threshold": 0.2}),
]

WEIGHTS = [0.5, 2.0, 1.0, 0.25]
LABELS = [1, 3, 0, 2, 1, 0]
FEW = [1, 3, -100, 2, -100, 0]

# Call form, shape, labels (None: targets of the output's shape), PyTorch's function.
LOSSES = [
    ("cross_entropy", [6, 4], LABELS, F.cross_entropy),
    ("cross_entropy(reduction = sum)", [6, 4], LABELS, lambda x, t: F.cross_entropy(x, t, reduction="sum")),
    ("cross_entropy(label_smoothing = 0.1)", [6, 4], FEW, lambda x, t: F.cross_entropy(x, t, label_smoothing=0.1)),
    ("cross_entropy(weight = [0.5, 2, 1, 0.25])", [6, 4], FEW,
     lambda x, t: F.cross_entropy(x, t, weight=torch.tensor(WEIGHTS, dtype=x.dtype))),
    ("cross_entropy(label_smoothing = 0.2, weight = [0.5, 2, 1, 0.25], ignore_index = 2)", [2, 4, 3], LABELS,
     lambda x, t: F.cross_entropy(x, t, label_smoothing=0.2, weight=torch.tensor(WEIGHTS, dtype=x.dtype), ignore_index=2)),
    ("cross_entropy(label_smoothing = 0.2, weight = [0.5, 2, 1, 0.25], reduction = sum)", [2, 4, 3], FEW,
     lambda x, t: F.cross_entropy(x, t, label_smoothing=0.2, weight=torch.tensor(WEIGHTS, dtype=x.dtype), reduction="sum")),
    ("cross_entropy", [1, 4, 2, 3], FEW, F.cross_entropy),
    ("nll", [6, 4], LABELS, F.nll_loss),
    ("nll(weight = [0.5, 2, 1, 0.25])", [1, 4, 3, 2], FEW,
     lambda x, t: F.nll_loss(x, t, weight=torch.tensor(WEIGHTS, dtype=x.dtype))),
    ("nll(ignore_index = 0, reduction = sum)", [3, 4, 2], LABELS,
     lambda x, t: F.nll_loss(x, t, ignore_index=0, reduction="sum")),
    ("mse", [3, 4], None, F.mse_loss),
    ("mse(reduction = sum)", [2, 3, 2], None, lambda x, t: F.mse_loss(x, t, reduction="sum")),
    ("l1", [3, 4], None, F.l1_loss),
    ("l1(reduction = sum)", [5], None, lambda x, t: F.l1_loss(x, t, reduction="sum")),
    ("smooth_l1", [3, 4], None, F.smooth_l1_loss),
    ("smooth_l1(beta = 0.3)", [3, 4], None, lambda x, t: F.smooth_l1_loss(x, t, beta=0.3)),
    ("smooth_l1(beta = 0, reduction = sum)", [3, 4], None, lambda x, t: F.smooth_l1_loss(x, t, beta=0.0, reduction="sum")),
    ("bce_with_logits", [3, 4], None, F.binary_cross_entropy_with_logits),
    ("bce_with_logits(pos_weight = 3)", [3, 4], None,
     lambda x, t: F.binary_cross_entropy_with_logits(x, t, pos_weight=torch.tensor(3.0, dtype=x.dtype))),
    ("bce_with_logits(pos_weight = [0.5, 2, 1, 0.25])", [2, 4, 2], None,
     lambda x, t: F.binary_cross_entropy_with_logits(x, t, pos_weight=torch.tensor(WEIGHTS, dtype=x.dtype)[:, None])),
    ("bce_with_logits(reduction = sum)", [12], None,
     lambda x, t: F.binary_cross_entropy_with_logits(x, t, reduction="sum")),
]

# Call form, gradients, PyTorch's clipping of a tensor.
CLIPS = [
    ("norm(1)", numbers(9, 3), lambda p: nn.utils.clip_grad_norm_([p], 1.0)),
    ("norm(max = 50)", numbers(9, 3), lambda p: nn.utils.clip_grad_norm_([p], 50.0)),
    ("norm(max = 1e-4)", numbers(9, 3, 2.0**-12), lambda p: nn.utils.clip_grad_norm_([p], 1e-4)),
    ("value(max = 0.4)", numbers(9, 3), lambda p: nn.utils.clip_grad_value_([p], 0.4)),
]

# Call form, shape, PyTorch's initialiser.
INITIALISERS = [
    ("constant(0.3)", [4], lambda w: nn.init.constant_(w, 0.3)),
    ("xavier_uniform", [8, 3, 5, 5], nn.init.xavier_uniform_),
    ("xavier_uniform(gain = 1.5)", [10, 20], lambda w: nn.init.xavier_uniform_(w, gain=1.5)),
    ("xavier_normal", [8, 3, 5], nn.init.xavier_normal_),
    ("xavier_normal(2)", [10, 20], lambda w: nn.init.xavier_normal_(w, gain=2.0)),
    ("kaiming_uniform", [8, 3, 5, 5], nn.init.kaiming_uniform_),
    ("kaiming_uniform(mode = fan_out, nonlinearity = relu)", [8, 3, 5, 5],
     lambda w: nn.init.kaiming_uniform_(w, mode="fan_out", nonlinearity="relu")),
    ("kaiming_uniform(a = 0.2)", [8, 3, 2, 5, 5], lambda w: nn.init.kaiming_uniform_(w, a=0.2)),
    ("kaiming_normal", [8, 3, 5, 5], nn.init.kaiming_normal_),
    ("kaiming_normal(mode = fan_out, nonlinearity = tanh)", [10, 20],
     lambda w: nn.init.kaiming_normal_(w, mode="fan_out", nonlinearity="tanh")),
    ("kaiming_normal(nonlinearity = selu)", [10, 20], lambda w: nn.init.kaiming_normal_(w, nonlinearity="selu")),
    ("kaiming_normal(nonlinearity = sigmoid)", [10, 20], lambda w: nn.init.kaiming_normal_(w, nonlinearity="sigmoid")),
    ("kaiming_normal(nonlinearity = linear)", [10, 20], lambda w: nn.init.kaiming_normal_(w, nonlinearity="linear")),
]

LAYERS = [
    lambda: nn.Conv2d(3, 8, 5),
    lambda: nn.Conv2d(8, 16, 3, groups=4),
    lambda: nn.Conv1d(3, 8, 5),
    lambda: nn.Conv3d(3, 8, 2),
    lambda: nn.ConvTranspose2d(6, 4, 3),
    lambda: nn.Linear(20, 10),
]


def nine_digits(tensor):
    """What float32 needs to be read back to the same bits."""
    return [float(f"{x:.9g}") for x in tensor.flatten().tolist()]


def run_optimizer(make, rate):
    parameter = nn.Parameter(torch.tensor(START))
    optimizer = make([parameter])
    assert optimizer.param_groups[0]["lr"] == rate
    steps = []
    for gradient in GRADIENTS:
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
        steps.append(nine_digits(parameter))
    state = {name: nine_digits(slot) for name, slot in optimizer.state[parameter].items() if name != "step" and slot is not None}
    return {"parameters": steps, "state": state}


def run_schedule(make, base, metrics=None):
    optimizer = optim.SGD([nn.Parameter(torch.zeros(1))], lr=base)
    schedule = make(optimizer)
    rates = []
    for step in range(40):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if metrics is None and step < 39:
            schedule.step()
        elif step < 39:
            schedule.step(metrics[step])
    return rates


def run_loss(form, shape, labels, function):
    count = math.prod(shape)
    output = numbers(count, 5, 3.0)
    if form.startswith("bce"):
        target = [abs(x) for x in numbers(count, 8)]
        target[:2] = [0.0, 1.0]
    else:
        target = labels or numbers(count, 8, 2.0)
    if labels is None and not form.startswith("bce"):
        target[0] = output[0]
    x = torch.tensor(output, dtype=torch.float64).reshape(shape).requires_grad_()
    if labels is None:
        t = torch.tensor(target, dtype=torch.float64).reshape(shape)
    else:
        t = torch.tensor(target).reshape([shape[0], *shape[2:]])
    value = function(x, t)
    value.backward()
    value = {"value": value.item(), "gradient": nine_digits(x.grad)}
    return {"form": form, "shape": shape, "output": output, "target": target, **value}


def run_clip(form, gradients, clip):
    p = nn.Parameter(torch.zeros(len(gradients), dtype=torch.float64))
    p.grad = torch.tensor(gradients, dtype=torch.float64)
    norm = p.grad.norm().item()
    clip(p)
    return {"form": form, "gradients": gradients, "norm": norm, "clipped": p.grad.tolist()}


class Draws:
    """Records how tensors are filled, instead of filling them at random."""

    def __enter__(self):
        self.calls, self.kept = [], {}
        for name in ("uniform_", "normal_", "fill_"):
            self.kept[name] = getattr(torch.Tensor, name)
            setattr(torch.Tensor, name, self.record(name))
        return self.calls

    def record(self, name):
        def method(tensor, *arguments, **_):
            self.calls.append([name.rstrip("_"), list(tensor.shape), arguments[-1]])
            return tensor
        return method

    def __exit__(self, *_):
        for name, method in self.kept.items():
            setattr(torch.Tensor, name, method)


def run_initialiser(form, shape, fill):
    with Draws() as calls:
        fill(torch.empty(shape))
    [[kind, _, value]] = calls
    return {"form": form, "shape": shape, "kind": kind, "value": value}


def run_layer(make):
    with Draws() as calls:
        make()
    [weight, bias] = calls
    return {"weight": weight, "bias": bias}


values = {
    "torch": torch.__version__,
    "start": START,
    "gradients": GRADIENTS,
    "optimizers": [
        {"form": form, "rate": rate, "decay": decay, **run_optimizer(make, rate)}
        for form, rate, decay, make in OPTIMIZERS
    ],
    "schedules": [{"form": form, "base": base, "rates": run_schedule(make, base)} for form, base, make in SCHEDULES],
    "metrics": METRICS,
    "plateaus": [
        {"form": form, "rates": run_schedule(lambda o: lr_scheduler.ReduceLROnPlateau(o, **options), 0.1, METRICS)}
        for form, options in PLATEAUS
    ],
    "losses": [run_loss(*row) for row in LOSSES],
    "clips": [run_clip(*row) for row in CLIPS],
    "initialisers": [run_initialiser(*row) for row in INITIALISERS],
    "layers": [run_layer(make) for make in LAYERS],
}
path = pathlib.Path(__file__).with_name("values.json")
path.write_text("{\n" + ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in values.items()) + "\n}\n")
print(path.stat().st_size, "bytes")
