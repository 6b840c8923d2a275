#!/usr/bin/env bash
# Trains the network of cifar10.cnn on pictures in the form of CIFAR-10's binary version.
#
#     bash models/examples/cifar10.sh [FOLDER] [OPTION OF `cnn train`]…        (needs python3)
#
# FOLDER with `data_batch_1.bin` … and `test_batch.bin`, the published files, is trained on as it is. Otherwise drawn pictures are
# written there: five shapes in warm and in cold colours, 2 000 for training and 400 for the test.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=${1:-$root/target/cifar10}
shift || true
mkdir -p "$folder"

test -e "$folder/test_batch.bin" || python3 - "$folder" <<'PYTHON'
import random, sys
from pathlib import Path

folder, chance = Path(sys.argv[1]), random.Random(0)
SHAPES = {
    "disc": lambda x, y: x * x + y * y < 1,
    "ring": lambda x, y: 0.4 < x * x + y * y < 1,
    "square": lambda x, y: max(abs(x), abs(y)) < 0.9,
    "rows": lambda x, y: int(3 * y + 9) % 2 == 0,
    "columns": lambda x, y: int(3 * x + 9) % 2 == 0,
}
COLOURS = {"warm": (210, 110, 60), "cold": (60, 110, 210)}
classes = [(shape, colour) for shape in SHAPES for colour in COLOURS]


def picture(shape, colour):
    center_x, center_y, radius = chance.uniform(11, 20), chance.uniform(11, 20), chance.uniform(7, 11)
    near = [value + chance.randint(-40, 40) for value in COLOURS[colour]]
    far = [chance.randint(0, 255)] * 3
    pixels = [
        near if SHAPES[shape]((x - center_x) / radius, (y - center_y) / radius) else far
        for y in range(32)
        for x in range(32)
    ]
    noisy = lambda value: min(max(value + chance.randint(-30, 30), 0), 255)
    return bytes(noisy(pixel[channel]) for channel in range(3) for pixel in pixels)


for name in [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]:
    labels = [index % 10 for index in range(400)]
    chance.shuffle(labels)
    records = (bytes([label]) + picture(*classes[label]) for label in labels)
    (folder / f"{name}.bin").write_bytes(b"".join(records))
names = "".join(f"{colour} {shape}\n" for shape, colour in classes)
(folder / "batches.meta.txt").write_text(names)
PYTHON

# CNN=cnn takes an installed command.
cnn() { command ${CNN:-cargo run --quiet --release --manifest-path "$root/Cargo.toml" -p cnn-cli --} "$@"; }
cnn train "$root/models/examples/cifar10.cnn" --data "cifar10:$folder" --runs "$folder/runs" "$@"
