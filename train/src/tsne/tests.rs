use super::{MAX_TSNE_POINTS, TsneError, TsneOptions, affinities, tsne};
use cnn_data::Random;

/// Normal distributions of 8 values around `groups` centres that are far apart, in turn.
fn groups(points: usize, groups: usize) -> Vec<f32> {
    let mut random = Random::new(4);
    let mut values = Vec::new();
    for point in 0..points {
        values.extend((0..8).map(|index| if index == point % groups { 9.0 } else { 0.0 } + random.normal()));
    }
    values
}

fn squared_distance(a: [f32; 2], b: [f32; 2]) -> f32 {
    (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)
}

#[test]
fn neighbours_stay_neighbours() {
    let places = tsne(&groups(150, 5), 8, &TsneOptions { perplexity: 10.0, ..Default::default() }).unwrap();
    for (point, place) in places.iter().enumerate() {
        let others = places.iter().enumerate().filter(|(other, _)| *other != point);
        let nearest = others.min_by(|a, b| squared_distance(*place, *a.1).total_cmp(&squared_distance(*place, *b.1)));
        assert_eq!(nearest.unwrap().0 % 5, point % 5, "the neighbour of {point}");
    }
}

#[test]
fn places_depend_on_the_seed_and_not_on_threads() {
    let values = groups(300, 3);
    let places =
        |seed, threads| tsne(&values, 8, &TsneOptions { seed, threads, iterations: 60, ..Default::default() }).unwrap();
    let one = places(1, 1);
    assert_eq!(one, places(1, 1));
    assert_eq!(one, places(1, 3));
    assert_ne!(one, places(2, 1));
}

#[test]
fn every_row_of_affinities_has_the_perplexity() {
    let values = groups(60, 3);
    for perplexity in [2.0, 5.0, 15.0] {
        let rows = affinities::conditional(&values, 8, perplexity, 1);
        for row in rows.chunks_exact(60) {
            let entropy: f64 = row.iter().map(|p| f64::from(*p)).filter(|p| *p > 0.0).map(|p| -p * p.ln()).sum();
            assert!((entropy.exp() - f64::from(perplexity)).abs() < 1e-3, "{}", entropy.exp());
        }
        let sum: f32 = affinities::joint(&values, 8, perplexity, 1).iter().sum();
        assert!((sum - 1.0).abs() < 1e-4, "{sum}");
    }
}

#[test]
fn few_and_equal_points_have_finite_places() {
    for (values, width, points) in [
        (vec![], 3, 0),
        (vec![1.0], 1, 1),
        (vec![1.0, 2.0], 1, 2),
        (vec![1.0; 12], 2, 6),
        (vec![1e15, -1e15, 0.0], 1, 3),
    ] {
        let places = tsne(&values, width, &TsneOptions { iterations: 300, ..Default::default() }).unwrap();
        assert_eq!(places.len(), points);
        assert!(places.iter().flatten().all(|place| place.is_finite()), "{values:?}: {places:?}");
    }
}

#[test]
fn bad_values_are_named() {
    let options = TsneOptions::default();
    let low = TsneOptions { perplexity: 0.5, ..options.clone() };
    for (values, width, options, want) in [
        (vec![0.0; 5], 2, &options, TsneError::Rows { values: 5, width: 2 }),
        (vec![0.0; 5], 0, &options, TsneError::Rows { values: 5, width: 0 }),
        (vec![0.0; MAX_TSNE_POINTS + 1], 1, &options, TsneError::Points { points: MAX_TSNE_POINTS + 1 }),
        (
            vec![0.0, 1.0, 2.0, f32::INFINITY],
            2,
            &options,
            TsneError::Value { point: 1, index: 1, value: f32::INFINITY },
        ),
        (vec![0.0; 4], 2, &low, TsneError::Perplexity(0.5)),
    ] {
        assert_eq!(tsne(&values, width, options), Err(want));
    }
    assert!(matches!(tsne(&[f32::NAN], 1, &options), Err(TsneError::Value { .. })));
}
