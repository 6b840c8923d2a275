use super::picture::{Anchor, Mark, Turn};
use super::{
    Chart, CurveOptions, FeatureMaps, Panel, Picture, PlotError, Run, Series, confusion, curves, features, filters,
    font, scatter,
};
use crate::metrics::Confusion;
use crate::plot::Colour;
use crate::record::{Phase, Row};

fn run(name: &str, losses: &[f64]) -> Run {
    let rows = losses.iter().enumerate().flat_map(|(index, loss)| {
        let row = |phase| Row {
            step: 10 * index as u64,
            epoch: index as f64,
            phase,
            loss: *loss,
            accuracy: Some(0.5),
            rate: None,
            examples_per_second: None,
            seconds: 1.0,
        };
        [row(Phase::Train), row(Phase::Validation)]
    });
    Run { name: name.into(), rows: rows.collect() }
}

fn diagonal(classes: usize) -> Confusion {
    let mut confusion = Confusion::new(classes);
    for class in 0..classes {
        let logits: Vec<f32> = (0..classes).map(|other| f32::from(u8::from(other == class))).collect();
        confusion.add(class, &logits).unwrap();
        confusion.add((class + 1) % classes, &logits).unwrap();
    }
    confusion
}

fn line(points: Vec<[f64; 2]>) -> Picture {
    let series = Series { points, colour: Colour::of(0, 1), dashed: false };
    Chart { panels: vec![Panel { series: vec![series], ..Panel::default() }], ..Chart::default() }.picture()
}

/// Ordinary pictures and difficult ones.
fn pictures() -> Vec<(&'static str, Picture)> {
    let long: Vec<String> =
        (0..100).map(|class| format!("<{class}> & a \"very\" long\u{1} name of a class 漢字")).collect();
    let map = FeatureMaps { name: "conv".into(), values: vec![1.0; 27], shape: [3, 3, 3], rgb: false };
    let options = CurveOptions { log_loss: true, ..Default::default() };
    let logits: Vec<f32> = (0..60).map(|value| if value == 7 { f32::NAN } else { value as f32 }).collect();
    let points: Vec<[f32; 2]> = (0..100).map(|point| [point as f32, f32::NAN]).collect();
    let labels: Vec<usize> = (0..100).collect();
    vec![
        ("no run", curves(&[], &options)),
        ("one row", curves(&[run("one", &[1.0])], &options)),
        ("losses that cannot be shown", curves(&[run("bad", &[f64::NAN, f64::INFINITY, -1.0, 1e300])], &options)),
        ("several runs", curves(&[run("a", &[2.0, 1.0]), run(&long[0], &[3.0, 2.0]), run("", &[])], &options)),
        ("a constant loss", curves(&[run("c", &[0.0; 5])], &CurveOptions::default())),
        ("very large and small", line(vec![[0.0, 1e99], [1e-99, -1e99], [1e99, 1e-300]])),
        ("no classes", confusion(&Confusion::new(0), &[])),
        ("no examples", confusion(&Confusion::new(3), &[])),
        ("one class", confusion(&diagonal(1), &long)),
        ("ten classes with long names", confusion(&diagonal(10), &long)),
        ("a hundred classes", confusion(&diagonal(100), &long)),
        ("no filters", filters("conv", &[], [0, 1, 3, 3]).unwrap()),
        ("grey filters", filters("conv", &logits, [15, 1, 2, 2]).unwrap()),
        ("coloured filters", filters("conv", &logits, [5, 3, 2, 2]).unwrap()),
        ("filters of pairs", filters("conv", &logits, [2, 30, 1, 1]).unwrap()),
        ("no layers", features("none", &[]).unwrap()),
        ("layers", features(&long[1], &[map.clone(), FeatureMaps { rgb: true, ..map }]).unwrap()),
        ("no points", scatter("none", &[], &[], &[]).unwrap()),
        ("one point", scatter("one", &[[3.0, 3.0]], &[usize::MAX], &long).unwrap()),
        ("many classes", scatter("many", &points, &labels, &long).unwrap()),
    ]
}

#[test]
fn every_picture_is_xml_and_png() {
    for (name, picture) in pictures() {
        let svg = picture.svg();
        let document = roxmltree::Document::parse(&svg).unwrap_or_else(|error| panic!("{name}: {error}\n{svg}"));
        assert_eq!(document.root_element().tag_name().name(), "svg");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{name}");
        let png = picture.png(0.25).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"), "{name}");
        assert_eq!(picture.svg(), svg, "{name}");
    }
}

/// The corners of a text, along and across its direction.
fn extent(mark: &Mark) -> Option<(Turn, [f64; 4])> {
    let Mark::Text { at: [x, y], text, size, anchor, turn, .. } = mark else { return None };
    let (sin, cos) = f64::from(turn.degrees()).to_radians().sin_cos();
    let (along, across) = (x * cos + y * sin, y * cos - x * sin);
    let width = font::width(text, *size);
    let start = along - anchor.part() * width;
    Some((*turn, [start, start + width, across - 0.72 * size, across]))
}

#[test]
fn texts_do_not_overlap_and_stay_inside() {
    for (name, picture) in pictures() {
        let texts: Vec<_> = picture.marks.iter().filter_map(|mark| Some((mark, extent(mark)?))).collect();
        for (index, (mark, (turn, a))) in texts.iter().enumerate() {
            if *turn == Turn::None {
                let inside = a[0] >= 0.0 && a[1] <= picture.width && a[2] >= 0.0 && a[3] <= picture.height;
                assert!(inside, "{name}: {mark:?} is not inside of {}×{}", picture.width, picture.height);
            }
            for (other, (turn_of_other, b)) in &texts[index + 1..] {
                let apart = a[1] <= b[0] || b[1] <= a[0] || a[3] <= b[2] || b[3] <= a[2];
                assert!(apart || turn != turn_of_other, "{name}: {mark:?} overlaps {other:?}");
            }
        }
    }
}

#[test]
fn lines_have_gaps_where_values_are_not_finite() {
    for (values, lines, dots) in [
        (vec![1.0, 2.0, 3.0], 1, 3),
        (vec![1.0, 2.0, f64::NAN, 3.0, 4.0], 2, 4),
        (vec![1.0, f64::INFINITY, 3.0], 0, 2),
        (vec![f64::NAN], 0, 0),
    ] {
        let picture = line(values.iter().enumerate().map(|(x, y)| [x as f64, *y]).collect());
        let colour = Colour::of(0, 1);
        let found = picture.marks.iter().filter(|mark| matches!(mark, Mark::Line { colour: of, .. } if *of == colour));
        assert_eq!(found.count(), lines, "{values:?}");
        assert_eq!(picture.marks.iter().filter(|mark| matches!(mark, Mark::Dot { .. })).count(), dots, "{values:?}");
    }
}

#[test]
fn many_points_are_thinned_to_what_is_seen() {
    let mut points: Vec<[f64; 2]> = (0..100_000).map(|x| [f64::from(x), f64::from(x % 7)]).collect();
    points[54_321][1] = 100.0;
    let svg = line(points).svg();
    assert!(svg.len() < 40_000, "{}", svg.len());
    // The peak reaches up to the margin: 5 % of the range above it.
    let heights = svg.split(['"', ' ']).filter_map(|point| point.split_once(',')?.1.parse::<f64>().ok());
    let top = heights.fold(f64::INFINITY, f64::min);
    assert!(top < 60.0, "{top}");
}

#[test]
fn text_stands_at_its_anchor_in_both_forms() {
    // A picture whose only mark is a text; the columns of dark pixels say where it is.
    for (anchor, turn, want) in [
        (Anchor::Start, Turn::None, [50, 69]),
        (Anchor::Middle, Turn::None, [40, 60]),
        (Anchor::End, Turn::None, [31, 50]),
        (Anchor::Start, Turn::Upward, [42, 50]),
    ] {
        let mut picture = Picture::new(100.0, 100.0, "");
        picture.turned([50.0, 50.0], "HHH", 10.0 * 20.0 / 21.66, anchor, turn, Colour(0, 0, 0));
        let bytes = picture.png(1.0).unwrap();
        let image = tiny_skia::Pixmap::decode_png(&bytes).unwrap();
        let dark: Vec<usize> = (0..100 * 100).filter(|at| image.pixels()[*at].red() < 128).map(|at| at % 100).collect();
        let found = [*dark.iter().min().unwrap(), *dark.iter().max().unwrap()];
        assert!(found[0].abs_diff(want[0]) <= 2 && found[1].abs_diff(want[1]) <= 2, "{anchor:?} {turn:?}: {found:?}");
    }
}

#[test]
fn pixels_are_scaled_to_their_range() {
    let picture = filters("edge", &[-1.0, 0.0, 1.0, f32::NAN], [1, 1, 2, 2]).unwrap();
    let pixels = picture.marks.iter().find_map(|mark| match mark {
        Mark::Image { pixels, .. } => Some(pixels.clone()),
        _ => None,
    });
    let want = [Colour(0, 0, 0), Colour(128, 128, 128), Colour(255, 255, 255), super::colour::NOT_A_NUMBER];
    assert_eq!(pixels.unwrap(), want);
}

#[test]
fn bad_values_are_named() {
    let shape = |values, shape: &[usize]| PlotError::Shape { what: "conv".into(), values, shape: shape.to_vec() };
    let map = FeatureMaps { name: "conv".into(), values: vec![0.0; 3], shape: [1, 2, 2], rgb: false };
    for (result, want) in [
        (filters("conv", &[0.0; 5], [1, 1, 2, 2]), shape(5, &[1, 1, 2, 2])),
        (filters("conv", &[], [usize::MAX, 3, 2, 2]), shape(0, &[usize::MAX, 3, 2, 2])),
        (features("f", &[map]), shape(3, &[1, 2, 2])),
        (scatter("s", &[[0.0; 2]], &[], &[]), PlotError::Labels { points: 1, labels: 0 }),
    ] {
        let error = result.unwrap_err();
        assert_eq!(error, want);
        assert!(!error.to_string().is_empty());
    }
    let picture = scatter("s", &[], &[], &[]).unwrap();
    for scale in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e6] {
        assert!(matches!(picture.png(scale), Err(PlotError::TooLarge { .. })), "{scale}");
    }
}
