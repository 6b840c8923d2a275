"""What torchvision makes of two small pictures, transform by transform.

Usage: python generate.py > transforms.json        (needs: pip install torch torchvision)

A case is one line of the table: the transform as `cnn` writes it, and torchvision's. What is random in it is fixed by
ranges of one value. `src/transforms/tests.rs` reads the file. `orders` has colour jitter in all 24 orders of its four changes.
"""
import itertools, json
import torch
from torchvision import transforms as T
from torchvision.transforms import functional as F
from torchvision.transforms import InterpolationMode as Mode


def picture(height, width, seed):
    generator = torch.Generator().manual_seed(seed)
    # Rounded, so that the file holds the very numbers.
    return torch.randint(0, 256, (3, height, width), generator=generator).double().div(255).float()


def turn(degrees, mode=Mode.NEAREST, fill=0):
    return T.RandomRotation((degrees, degrees), interpolation=mode, fill=fill)


def jitter(name, value):
    return T.ColorJitter(**{name: (value, value)})


CASES = [
    ("resize([6, 7])", T.Resize((6, 7))),
    ("resize([3, 7])", T.Resize((3, 7))),
    ("resize([6, 4])", T.Resize((6, 4))),
    ("resize([4, 5])", T.Resize((4, 5))),
    ("resize([1, 1])", T.Resize((1, 1))),
    ("resize([9, 13])", T.Resize((9, 13))),
    ("resize([2, 11])", T.Resize((2, 11))),
    ("resize(4)", T.Resize(4)),
    ("resize(8)", T.Resize(8)),
    ("center_crop(3)", T.CenterCrop(3)),
    ("center_crop([4, 2])", T.CenterCrop((4, 2))),
    ("center_crop(9)", T.CenterCrop(9)),
    ("center_crop([8, 4])", T.CenterCrop((8, 4))),
    ("random_crop([6, 7])", T.RandomCrop((6, 7))),
    ("random_crop([10, 11], padding = 2)", T.RandomCrop((10, 11), padding=2)),
    ("random_crop([8, 9], padding = 1, fill = 0.5)", T.RandomCrop((8, 9), padding=1, fill=0.5)),
    ("random_resized_crop([4, 5], scale = [1, 1], ratio = [0.2, 0.3])", T.RandomResizedCrop((4, 5), (1, 1), (0.2, 0.3))),
    ("random_resized_crop(5, scale = [1, 1], ratio = [3, 4])", T.RandomResizedCrop(5, (1, 1), (3, 4))),
    ("random_resized_crop(8, scale = [1, 1], ratio = [1.1666666, 1.1666666])", T.RandomResizedCrop(8, (1, 1), (7 / 6, 7 / 6))),
    ("horizontal_flip(1)", T.RandomHorizontalFlip(1)),
    ("vertical_flip(1)", T.RandomVerticalFlip(1)),
    ("rotation([30, 30])", turn(30)),
    ("rotation([-17, -17], fill = [0.1, 0.2, 0.3])", turn(-17, fill=(0.1, 0.2, 0.3))),
    ("rotation([180, 180])", turn(180)),
    ("rotation([0, 0], interpolation = bilinear)", turn(0, Mode.BILINEAR)),
    ("rotation([30, 30], interpolation = bilinear)", turn(30, Mode.BILINEAR)),
    ("rotation([-100, -100], interpolation = bilinear, fill = [0.1, 0.2, 0.3])", turn(-100, Mode.BILINEAR, (0.1, 0.2, 0.3))),
    ("color_jitter(brightness = [1.4, 1.4])", jitter("brightness", 1.4)),
    ("color_jitter(brightness = [0.3, 0.3])", jitter("brightness", 0.3)),
    ("color_jitter(contrast = [1.7, 1.7])", jitter("contrast", 1.7)),
    ("color_jitter(contrast = [0, 0])", jitter("contrast", 0.0)),
    ("color_jitter(saturation = [1.9, 1.9])", jitter("saturation", 1.9)),
    ("color_jitter(saturation = [0.4, 0.4])", jitter("saturation", 0.4)),
    ("color_jitter(hue = [0.1, 0.1])", jitter("hue", 0.1)),
    ("color_jitter(hue = [-0.5, -0.5])", jitter("hue", -0.5)),
    ("normalize([0.49, 0.48, 0.45], [0.25, 0.24, 0.26])", T.Normalize((0.49, 0.48, 0.45), (0.25, 0.24, 0.26))),
    ("grayscale", T.Grayscale()),
    ("grayscale(3)", T.Grayscale(3)),
    ("grayscale -> color_jitter(contrast = [1.7, 1.7])", T.Compose([T.Grayscale(), jitter("contrast", 1.7)])),
    ("grayscale -> color_jitter(saturation = [2, 2], hue = [0.3, 0.3])",
     T.Compose([T.Grayscale(), jitter("saturation", 2.0), jitter("hue", 0.3)])),
]

CHANGES = [(F.adjust_brightness, 1.3), (F.adjust_contrast, 0.6), (F.adjust_saturation, 1.8), (F.adjust_hue, 0.2)]


def numbers(tensor):
    return [float(f"{value:.7g}") for value in tensor.flatten().tolist()]


def result(tensor):
    return {"shape": list(tensor.shape), "values": numbers(tensor)}


def main():
    large, small = picture(6, 7, 1), picture(2, 3, 2)
    # A grey pixel, black and white: the corners of the colour space.
    small[:, 0, 0], small[:, 0, 1], small[:, 1, 2] = 0.4, 0.0, 1.0
    cases = [{"transform": text, **result(transform(large))} for text, transform in CASES]
    orders = []
    for order in itertools.permutations(CHANGES):
        changed = small
        for change, factor in order:
            changed = change(changed, factor)
        orders.append(numbers(changed))
    text = "color_jitter(brightness = [1.3, 1.3], contrast = [0.6, 0.6], saturation = [1.8, 1.8], hue = [0.2, 0.2])"
    golden = {"picture": result(large), "cases": cases, "small": result(small), "jitter": text, "orders": orders}
    print(json.dumps(golden).replace('{"transform"', '\n{"transform"'))


main()
