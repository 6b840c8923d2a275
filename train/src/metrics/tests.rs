use super::{Confusion, MetricsError};

const NAN: f32 = f32::NAN;
const INFINITY: f32 = f32::INFINITY;

/// The values are those of scikit-learn 1.9.1: `classification_report(labels, predictions, zero_division=0)`. The last
/// class does not occur and is no part of the average.
#[test]
fn scores_are_those_of_scikit_learn() {
    let matrix = [[7, 2, 0, 1, 0], [1, 5, 0, 0, 0], [0, 3, 0, 2, 0], [0, 0, 0, 9, 0], [0, 0, 0, 0, 0]];
    let mut confusion = Confusion::new(5);
    for (label, row) in matrix.iter().enumerate() {
        for (predicted, count) in row.iter().enumerate() {
            let logits: Vec<f32> = (0..5).map(|class| f32::from(u8::from(class == predicted))).collect();
            (0..*count).for_each(|_| confusion.add(label, &logits).unwrap());
        }
    }
    let report = confusion.report(&[]);
    let macro_average = std::iter::once(&report.macro_average);
    let want = [
        (0.875, 0.7, 0.7777777777777778, 10),
        (0.5, 0.8333333333333334, 0.625, 6),
        (0.0, 0.0, 0.0, 5),
        (0.75, 1.0, 0.8571428571428571, 9),
        (0.0, 0.0, 0.0, 0),
        (0.53125, 0.6333333333333333, 0.5649801587301587, 30),
    ];
    for (scores, want) in report.classes.iter().chain(macro_average).zip(want) {
        let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
        let fits = near(scores.precision, want.0) && near(scores.recall, want.1) && near(scores.f1, want.2);
        assert!(fits && scores.support == want.3, "{scores:?}, not {want:?}");
    }
    assert_eq!(confusion.accuracy(), Some(0.7));
}

/// scikit-learn 1.9.1's `top_k_accuracy_score` of the same logits and labels gives 0.66 and 0.06.
#[test]
fn top_five_accuracy_is_that_of_scikit_learn() {
    let mut state = 12345u64;
    let mut next = || {
        state = (state * 1_103_515_245 + 12345) % (1 << 31);
        (state >> 16) % 1000
    };
    let logits: Vec<f32> = (0..50 * 7).map(|_| next() as f32 / 1000.0).collect();
    let labels: Vec<usize> = (0..50).map(|_| (next() % 7) as usize).collect();
    let mut confusion = Confusion::new(7);
    confusion.add_batch(&logits, &labels).unwrap();
    assert_eq!((confusion.top5_accuracy(), confusion.accuracy()), (Some(0.66), Some(0.06)));
}

#[test]
fn every_row_has_one_prediction_or_none() {
    for (logits, want) in [
        ([1.0, 2.0, 0.0], Some(1)),
        ([1.0, 1.0, 1.0], Some(0)),
        ([0.0, INFINITY, INFINITY], Some(1)),
        ([-INFINITY, -INFINITY, -5.0], Some(2)),
        ([NAN, 1.0, 2.0], None),
        ([NAN, NAN, NAN], None),
        ([INFINITY, NAN, 0.0], None),
    ] {
        let mut confusion = Confusion::new(3);
        confusion.add(2, &logits).unwrap();
        let predicted = (0..3).find(|class| confusion.count(2, *class) == 1);
        assert_eq!(predicted, want, "{logits:?}");
        assert_eq!((confusion.examples(), confusion.support(2)), (1, 1));
        assert_eq!(confusion.unpredicted(), u64::from(want.is_none()));
        assert_eq!(confusion.accuracy(), Some(if want == Some(2) { 1.0 } else { 0.0 }));
    }
}

#[test]
fn a_batch_that_does_not_fit_counts_nothing() {
    let mut confusion = Confusion::new(2);
    for (logits, labels, want) in [
        (vec![0.0; 4], vec![0, 2], MetricsError::Label { example: 1, label: 2, classes: 2 }),
        (vec![0.0; 3], vec![0, 1], MetricsError::Logits { values: 3, examples: 2, classes: 2 }),
        (vec![], vec![0], MetricsError::Logits { values: 0, examples: 1, classes: 2 }),
    ] {
        assert_eq!(confusion.add_batch(&logits, &labels), Err(want));
        assert_eq!(confusion.examples(), 0);
    }
    let mut none = Confusion::new(0);
    assert_eq!(none.add_batch(&[], &[]), Ok(()));
    assert!(none.add_batch(&[1.0], &[]).is_err());
    assert_eq!((none.accuracy(), none.top5_accuracy()), (None, None));
    assert!(none.report(&[]).to_string().contains("top-1 accuracy – of 0 examples"));
}

#[test]
fn the_table_is_aligned() {
    let mut confusion = Confusion::new(6);
    for _ in 0..1200 {
        confusion.add(0, &[1.0, 0.0, 0.0, 0.0, 0.0, 0.0]).unwrap();
    }
    confusion.add_batch(&[0.0, 0.0, 3.0, 2.0, 1.0, 0.5, NAN, 0.0, 0.0, 0.0, 0.0, 0.0], &[1, 1]).unwrap();
    let names = ["cat", "a dog\nwith a name that is longer than the table's column", "hen"].map(str::to_owned);
    let report = confusion.report(&names);
    let want = "\
class                             precision  recall      F1  examples
cat                                  1.0000  1.0000  1.0000     1 200
a dog with a name that is longe…     0.0000  0.0000  0.0000         2
hen                                  0.0000  0.0000  0.0000         0
3                                         –       –       –         0
4                                         –       –       –         0
5                                         –       –       –         0
macro average                        0.3333  0.3333  0.3333     1 202

top-1 accuracy 99.83 % of 1 202 examples
top-5 accuracy 99.83 %
1 without a prediction: a logit is not a number
";
    assert_eq!(report.to_string(), want);
    let matrix = report.matrix();
    assert!(matrix.starts_with("true \\ predicted                       0  1  2  3  4  5\n"), "{matrix}");
    assert!(matrix.contains("0 cat                               1200  ·  ·  ·  ·  ·\n"), "{matrix}");
}
