//! The transforms against torchvision's values, and what holds for all of them.

use super::*;
use proptest::prelude::*;
use serde_json::Value;

/// What `tests/golden/generate.py` printed.
const GOLDEN: &str = include_str!("../../tests/golden/transforms.json");

/// On values from 0 to 1; torchvision's places and weights are in `f32`, ours in `f64`.
const TOLERANCE: f32 = 3e-6;

fn pipeline(text: &str) -> Pipeline {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

fn shape(value: &Value) -> [usize; 3] {
    let sizes: Vec<usize> = numbers(value).into_iter().map(|size| size as usize).collect();
    sizes.try_into().unwrap()
}

fn picture(value: &Value) -> Picture {
    let mut picture = Picture::default();
    picture.set_values(shape(&value["shape"]), &numbers(&value["values"])).unwrap();
    picture
}

fn apply(text: &str, picture: &Picture, seed: u64) -> Picture {
    let mut picture = picture.clone();
    pipeline(text).apply(&mut picture, &mut Random::new(seed), &mut Scratch::default()).unwrap();
    picture
}

fn difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn values_are_torchvisions() {
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    let input = picture(&golden["picture"]);
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 40);
    for case in cases {
        let text = case["transform"].as_str().unwrap();
        let output = apply(text, &input, 1);
        assert_eq!(output.shape(), shape(&case["shape"]), "{text}");
        let worst = difference(&output.values, &numbers(&case["values"]));
        assert!(worst <= TOLERANCE, "{text}: {worst:e}");
    }
}

#[test]
fn colour_jitter_takes_every_order() {
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    let (input, text) = (picture(&golden["small"]), golden["jitter"].as_str().unwrap());
    let orders: Vec<Vec<f32>> = golden["orders"].as_array().unwrap().iter().map(numbers).collect();
    let mut seen = vec![false; orders.len()];
    for seed in 0..300 {
        let output = apply(text, &input, seed);
        let near = |order: &Vec<f32>| difference(order, &output.values) <= TOLERANCE;
        assert!(orders.iter().any(near), "seed {seed}: {:?}", output.values);
        orders.iter().zip(&mut seen).for_each(|(order, seen)| *seen |= near(order));
    }
    assert_eq!(seen, [true; 24]);
}

#[test]
fn flips_turn_single_pixels() {
    let mut input = Picture::default();
    input.set_values([1, 2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
    for (text, values) in [
        ("horizontal_flip(1)", [3.0, 2.0, 1.0, 6.0, 5.0, 4.0]),
        ("vertical_flip(1)", [4.0, 5.0, 6.0, 1.0, 2.0, 3.0]),
        ("vertical_flip(0) -> horizontal_flip(0)", [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
        ("rotation([180, 180])", [6.0, 5.0, 4.0, 3.0, 2.0, 1.0]),
    ] {
        assert_eq!(apply(text, &input, 0).values, values, "{text}");
    }
}

/// Although the factors of the colours do not quite sum to 1.
#[test]
fn grey_of_grey_is_the_same() {
    let mut input = Picture::default();
    input.set_values([1, 1, 3], &[0.1, 0.7, 1.0]).unwrap();
    assert_eq!(apply("rgb -> grayscale", &input, 0), input);
}

/// Every window of the padded picture comes up, and nothing else.
#[test]
fn random_crops_are_windows() {
    let mut input = Picture::default();
    input.set_values([1, 2, 2], &[1.0, 2.0, 3.0, 4.0]).unwrap();
    let padded = [[9.0; 4], [9.0, 1.0, 2.0, 9.0], [9.0, 3.0, 4.0, 9.0], [9.0; 4]];
    let mut windows: Vec<Vec<f32>> = Vec::new();
    for (top, left) in (0..9).map(|at| (at / 3, at % 3)) {
        windows.push((0..4).map(|at| padded[top + at / 2][left + at % 2]).collect());
    }
    let mut seen = [false; 9];
    for seed in 0..200 {
        let output = apply("random_crop(2, padding = 1, fill = 9)", &input, seed).values;
        let at = windows.iter().position(|window| *window == output).unwrap_or_else(|| panic!("{output:?}"));
        seen[at] = true;
    }
    assert_eq!(seen, [true; 9]);
}

#[test]
fn erasing_fills_one_rectangle_of_the_area() {
    let mut input = Picture::default();
    input.set_values([2, 20, 20], &[0.5; 800]).unwrap();
    for seed in 0..100 {
        let output = apply("random_erasing(1, scale = [0.1, 0.3], value = [0.25, 0.75])", &input, seed);
        let (first, second) = output.values.split_at(400);
        let erased: Vec<usize> = (0..400).filter(|&at| first[at] == 0.25).collect();
        assert!(second.iter().enumerate().all(|(at, &value)| value == if erased.contains(&at) { 0.75 } else { 0.5 }));
        let rows: Vec<usize> = erased.iter().map(|at| at / 20).collect();
        let columns: Vec<usize> = erased.iter().map(|at| at % 20).collect();
        let extent = |places: &[usize]| places.iter().max().unwrap() - places.iter().min().unwrap() + 1;
        assert_eq!(extent(&rows) * extent(&columns), erased.len(), "seed {seed}");
        // Rounded sides may be half a pixel off in each direction.
        assert!((25..=140).contains(&erased.len()), "seed {seed}: {}", erased.len());
    }
    assert_eq!(apply("random_erasing(0)", &input, 0), input);
    // A rectangle as large as the picture is none.
    assert_eq!(apply("random_erasing(1, scale = [1, 1], ratio = [1, 1])", &input, 0), input);
    let noise = apply("random_erasing(1, scale = [0.3, 0.3], value = random)", &input, 3).values;
    assert!(noise.iter().filter(|value| **value != 0.5).any(|value| *value < 0.0));
}

#[test]
fn text_has_names_defaults_and_aliases() {
    for (text, shown) in [
        ("", ""),
        ("  ", ""),
        ("resize(size=256)->center_crop(224)", "resize(256) -> center_crop(224)"),
        ("resize([32, 32])", "resize([32, 32])"),
        ("center_crop([32, 32])", "center_crop(32)"),
        ("random_crop(32, 4)", "random_crop(32, padding = 4)"),
        ("random_crop(32, fill = 0, padding = 0,)", "random_crop(32)"),
        ("random_resized_crop([8, 9], scale = [0.08, 1])", "random_resized_crop([8, 9])"),
        ("random_horizontal_flip", "horizontal_flip(0.5)"),
        ("random_rotation([-5, 10])", "rotation([-5, 10])"),
        ("rotation(15, bilinear, [0, 0.5, 1])", "rotation(15, interpolation = bilinear, fill = [0, 0.5, 1])"),
        ("color_jitter(0.4, hue = [-0.1, 0.2])", "color_jitter(brightness = 0.4, hue = [-0.1, 0.2])"),
        ("random_erasing(value = random)", "random_erasing(0.5, value = random)"),
        ("normalize([0.5], 2.5e-1)", "normalize(0.5, 0.25)"),
        ("grayscale() -> rgb", "grayscale -> rgb"),
    ] {
        let read = pipeline(text);
        assert_eq!(read.to_string(), shown);
        assert_eq!(pipeline(shown), read);
    }
}

#[test]
fn wrong_text_says_where_and_what_to_do() {
    for (text, message) in [
        ("rezise(3)", "character 1: there is no transform `rezise`; did you mean `resize`?"),
        ("rgb -> whatever", "character 8: there is no transform `whatever`; there are resize, center_crop"),
        ("resize", "character 1: `resize` lacks its parameter `size`; `size` takes the shorter side"),
        ("resize(2.5)", "`size` of `resize` cannot be 2.5"),
        ("resize(-1)", "`size` of `resize` cannot be -1"),
        ("resize([1, 2, 3])", "`size` of `resize` cannot be [1, 2, 3]; it takes the shorter side in pixels or [height"),
        ("resize(3, 4)", "character 11: `resize` has fewer parameters; it has size"),
        ("resize(3, size = 4)", "character 11: `size` is given twice"),
        ("rgb(1)", "`rgb` has fewer parameters; it has none"),
        ("random_crop(3, paddin = 1)", "`random_crop` has no parameter `paddin`; it has size, padding, fill"),
        ("rotation(5, cubic)", "`interpolation` of `rotation` cannot be cubic; it takes `nearest` or `bilinear`"),
        ("normalize(0, 1e99)", "`std` of `normalize` cannot be 1e99"),
        ("normalize(0, 1-2)", "`-` is unexpected"),
        ("normalize(0, .)", "`.` is unexpected here; values are numbers such as 0.5"),
        ("normalize(0, 0)", "`normalize`: `std` takes positive numbers"),
        ("normalize([], 1)", "`mean` takes a finite number"),
        ("resize(0)", "`resize`: `size` is from 1 to 16384 pixels"),
        ("resize([1, 99999])", "`size` is from 1 to 16384"),
        ("random_crop(3, padding = 99999)", "`padding` is at most"),
        ("horizontal_flip(1.5)", "`p` is a probability"),
        ("rotation(-5)", "`degrees` takes a number that is not negative"),
        ("rotation([5, -5])", "`degrees` takes a number that is not negative, or a range"),
        ("color_jitter(hue = 0.6)", "`hue` is at most 0.5"),
        ("color_jitter(contrast = [-1, 1])", "the factors of `contrast` are not negative"),
        ("random_erasing(scale = [0.5, 0.1])", "`scale` is a range of shares"),
        ("random_resized_crop(3, ratio = [0, 1])", "`ratio` is a range of positive numbers"),
        ("grayscale(2)", "`num_output_channels` is 1 or 3"),
    ] {
        let error = text.parse::<Pipeline>().unwrap_err().to_string();
        assert!(error.contains(message), "{text}: {error}");
    }
}

#[test]
fn shapes_are_checked_before_the_first_picture() {
    for (text, input, expected) in [
        ("", [3, 40, 28], Ok([3, 40, 28])),
        ("resize(32)", [3, 40, 28], Ok([3, 45, 32])),
        ("resize(32)", [1, 28, 40], Ok([1, 32, 45])),
        ("resize([8, 9]) -> grayscale", [3, 40, 28], Ok([1, 8, 9])),
        ("rgb -> random_crop(32, padding = 4)", [1, 28, 28], Ok([3, 32, 32])),
        (
            "random_crop(32)",
            [1, 28, 28],
            Err("transform 1, `random_crop(32)`: it cuts out 32×32, and the picture is 28×28"),
        ),
        ("normalize([1, 2, 3], 1)", [1, 5, 5], Err("`mean` has 3 values, and the picture has 1 channel; give 1 or 1")),
        ("rgb -> normalize([1, 2], 1)", [1, 5, 5], Err("transform 2, `normalize([1, 2], 1)`: `mean` has 2 values")),
        ("random_erasing(value = [1, 2, 3])", [1, 5, 5], Err("`value` has 3 values")),
        ("rotation(5, fill = [1, 2])", [3, 5, 5], Err("`fill` has 2 values")),
        ("grayscale", [4, 5, 5], Err("the picture has 4 channels; this is for grey (1) and RGB (3) ones")),
        ("color_jitter(0.1)", [2, 5, 5], Err("the picture has 2 channels")),
        ("resize(16384)", [3, 10, 20], Err("the result would be [3, 16384, 32768]")),
        ("resize([16384, 16384])", [3, 10, 20], Err("it has at most 268435456 values")),
        ("rgb", [3, 0, 5], Err("the picture is [3, 0, 5]")),
        ("random_crop(3, padding = 1)", [usize::MAX; 3], Err("sides are from 1 to 16384 pixels")),
    ] {
        match (pipeline(text).shape(input), expected) {
            (Ok(shape), Ok(expected)) => assert_eq!(shape, expected, "{text}"),
            (Err(error), Err(message)) => assert!(error.to_string().contains(message), "{text}: {error}"),
            (found, _) => panic!("{text}: {found:?}"),
        }
    }
    // Parameters that no text could have given.
    let made = Pipeline(vec![Normalize { mean: vec![f32::NAN], std: vec![1.0] }.into()]);
    assert!(made.shape([1, 1, 1]).unwrap_err().to_string().contains("`mean` takes a finite number"));
    let mut broken = Picture { channels: 1, height: 2, width: 2, values: vec![0.0; 3] };
    let error = Pipeline::default().apply(&mut broken, &mut Random::new(0), &mut Scratch::default()).unwrap_err();
    assert!(error.to_string().contains("has 3 values"), "{error}");
}

#[test]
fn evaluation_leaves_out_what_is_random() {
    for (training, evaluation) in [
        ("random_crop(32, padding = 4, fill = 1)", "center_crop(32)"),
        ("random_resized_crop(224)", "resize(256) -> center_crop(224)"),
        ("random_resized_crop([10, 20])", "resize(23) -> center_crop([10, 20])"),
        ("horizontal_flip(1) -> vertical_flip(1) -> rotation([5, 5]) -> color_jitter(0.1) -> random_erasing(1)", ""),
        (
            "resize(9) -> center_crop(8) -> normalize(1, 2) -> grayscale -> rgb",
            "resize(9) -> center_crop(8) -> normalize(1, 2) -> grayscale -> rgb",
        ),
    ] {
        assert_eq!(pipeline(training).evaluation().to_string(), evaluation);
    }
}

fn number() -> impl Strategy<Value = f32> {
    prop_oneof![(-2000i32..2000).prop_map(|n| n as f32 / 1000.0), any::<f32>().prop_filter("finite", |n| n.is_finite())]
}

fn unit() -> impl Strategy<Value = f32> {
    prop_oneof![Just(0.0f32), Just(1.0), Just(0.5), 0.0f32..1.0]
}

fn range(values: std::ops::Range<f32>) -> impl Strategy<Value = [f32; 2]> {
    (values.clone(), values).prop_map(|(a, b)| [a.min(b), a.max(b)])
}

fn spread(most: f32) -> impl Strategy<Value = Spread> {
    prop_oneof![
        (0.0..most).prop_map(Spread::By),
        range(0.0..most).prop_map(|[min, max]| Spread::Between(min, max)),
        Just(Spread::By(0.0))
    ]
}

fn size() -> impl Strategy<Value = Size> {
    (1usize..24, 1usize..24).prop_map(|(height, width)| Size { height, width })
}

fn values(value: impl Strategy<Value = f32>) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(value, 1..=3).prop_map(|values| if values.len() == 2 { vec![values[0]] } else { values })
}

fn transform() -> impl Strategy<Value = Transform> {
    prop_oneof![
        size().prop_map(|size| Resize { size: ResizeSize::Exact(size) }.into()),
        (1usize..24).prop_map(|side| Resize { size: ResizeSize::Shorter(side) }.into()),
        size().prop_map(|size| CenterCrop { size }.into()),
        (size(), 0usize..30, values(number()))
            .prop_map(|(size, padding, fill)| RandomCrop { size, padding, fill }.into()),
        (size(), range(0.0..1.0), range(0.1..4.0)).prop_map(|(size, scale, ratio)| RandomResizedCrop {
            size,
            scale,
            ratio
        }
        .into()),
        unit().prop_map(|p| HorizontalFlip { p }.into()),
        unit().prop_map(|p| VerticalFlip { p }.into()),
        (spread(360.0), any::<bool>(), values(number())).prop_map(|(degrees, bilinear, fill)| {
            let interpolation = if bilinear { Interpolation::Bilinear } else { Interpolation::Nearest };
            Rotation { degrees, interpolation, fill }.into()
        }),
        (spread(2.0), spread(2.0), spread(2.0), spread(0.5)).prop_map(|(brightness, contrast, saturation, hue)| {
            ColorJitter { brightness, contrast, saturation, hue }.into()
        }),
        (unit(), range(0.0..1.0), range(0.1..4.0), prop::option::of(values(number()))).prop_map(
            |(p, scale, ratio, value)| {
                RandomErasing { p, scale, ratio, value: value.map_or(Erase::Random, Erase::Value) }.into()
            }
        ),
        (values(number()), values(0.001f32..1e6)).prop_map(|(mean, std)| Normalize { mean, std }.into()),
        prop_oneof![Just(1), Just(3)].prop_map(|num_output_channels| Grayscale { num_output_channels }.into()),
        Just(Rgb.into()),
    ]
}

proptest! {
    #[test]
    fn text_gives_back_the_pipeline(transforms in prop::collection::vec(transform(), 0..5)) {
        let pipeline = Pipeline(transforms);
        let text = pipeline.to_string();
        let read: Pipeline = text.parse().unwrap();
        prop_assert_eq!(&read, &pipeline);
        prop_assert_eq!(read.to_string(), text);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[a-z_]{0,4}(resize|normalize|rotation)?[ -~\u{e0}-\u{ff}]{0,24}") {
        if let Ok(pipeline) = text.parse::<Pipeline>() {
            prop_assert_eq!(pipeline.to_string().parse::<Pipeline>().unwrap(), pipeline);
        }
    }

    #[test]
    fn what_comes_out_has_the_shape_that_was_said(
        transforms in prop::collection::vec(transform(), 0..5),
        input in (prop_oneof![Just(1usize), Just(3)], 1usize..20, 1usize..20),
        seed in any::<u64>(),
    ) {
        let (channels, height, width) = input;
        let pipeline = Pipeline(transforms);
        let pixels: Vec<u8> = (0..channels * height * width).map(|at| (at * 37 % 256) as u8).collect();
        let mut picture = Picture::default();
        picture.set_bytes([channels, height, width], &pixels).unwrap();
        let mut again = picture.clone();
        let mut scratch = Scratch::default();
        let said = pipeline.shape(picture.shape());
        let done = pipeline.apply(&mut picture, &mut Random::new(seed), &mut scratch);
        prop_assert_eq!(said.is_ok(), done.is_ok());
        let Ok(said) = said else { return Ok(()) };
        prop_assert_eq!(picture.shape(), said);
        prop_assert_eq!(picture.values.len(), elements(said));
        // The memory that was worked in before changes nothing.
        pipeline.apply(&mut again, &mut Random::new(seed), &mut scratch).unwrap();
        prop_assert_eq!(again.values.iter().map(|v| v.to_bits()).collect::<Vec<_>>(), picture.values.iter().map(|v| v.to_bits()).collect::<Vec<_>>());
        let evaluation = pipeline.evaluation();
        prop_assert_eq!(evaluation.shape([channels, height, width]).unwrap(), said);
        prop_assert_eq!(evaluation.evaluation(), evaluation);
    }

    #[test]
    fn a_second_flip_undoes_the_first(height in 1usize..9, width in 1usize..9) {
        let mut picture = Picture::default();
        let values: Vec<f32> = (0..2 * height * width).map(|at| at as f32).collect();
        picture.set_values([2, height, width], &values).unwrap();
        for text in ["horizontal_flip(1)", "vertical_flip(1)"] {
            let once = apply(text, &picture, 0);
            prop_assert_eq!(&apply(text, &once, 0), &picture);
            let reversed = if text.starts_with('h') { width } else { height } > 1;
            prop_assert_eq!(once != picture, reversed);
        }
    }
}
