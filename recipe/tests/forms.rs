//! The call form: what is written is read back, and what is wrong is explained.

#![allow(clippy::unwrap_used)]

use cnn_recipe::*;
use proptest::prelude::*;
use std::fmt::{Debug, Display};
use std::str::FromStr;

fn share() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), 0.0..1.0, 1e-12..1e-3]
}

fn positive() -> impl Strategy<Value = f64> {
    prop_oneof![Just(1.0), 1e-300..1e300, 1e-9..1e-3, 0.1..100.0]
}

fn weights() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(prop_oneof![Just(0.0), positive()], 0..4)
}

fn reduction() -> impl Strategy<Value = Reduction> {
    prop_oneof![Just(Reduction::Mean), Just(Reduction::Sum)]
}

fn optimizer() -> impl Strategy<Value = Optimizer> {
    prop_oneof![
        (share(), any::<bool>()).prop_map(|(momentum, nesterov)| {
            Sgd { momentum, nesterov: nesterov && momentum > 0.0, ..Sgd::default() }.into()
        }),
        (share(), share()).prop_map(|(momentum, dampening)| Sgd { momentum, dampening, nesterov: false }.into()),
        (share(), share(), positive()).prop_map(|(a, b, eps)| Adam { betas: (a, b), eps }.into()),
        (share(), share(), positive()).prop_map(|(a, b, eps)| AdamW { betas: (a, b), eps }.into()),
        (share(), positive(), share(), any::<bool>()).prop_map(|(alpha, eps, momentum, centered)| RmsProp {
            alpha,
            eps,
            momentum,
            centered
        }
        .into()),
        (positive(), positive(), share()).prop_map(|(lr_decay, eps, initial_accumulator_value)| {
            Adagrad { lr_decay, eps, initial_accumulator_value }.into()
        }),
    ]
}

fn curve() -> impl Strategy<Value = Curve> {
    let count = || prop_oneof![1..100u64, 1..1u64 << 53];
    let anneal = prop_oneof![Just(Anneal::Cos), Just(Anneal::Linear)];
    let mode = prop_oneof![Just(Mode::Min), Just(Mode::Max)];
    let threshold_mode = prop_oneof![Just(ThresholdMode::Rel), Just(ThresholdMode::Abs)];
    prop_oneof![
        Just(Constant {}.into()),
        (count(), positive()).prop_map(|(step_size, gamma)| Step { step_size, gamma }.into()),
        (prop::collection::vec(count(), 0..4), positive()).prop_map(|(milestones, gamma)| MultiStep {
            milestones,
            gamma
        }
        .into()),
        positive().prop_map(|gamma| Exponential { gamma }.into()),
        (count(), share()).prop_map(|(total, min)| Cosine { total, min }.into()),
        (count(), prop::option::of(positive()), share(), positive(), positive(), anneal).prop_map(
            |(total, max_rate, pct_start, div_factor, final_div_factor, anneal)| {
                OneCycle { total, max_rate, pct_start, div_factor, final_div_factor, anneal }.into()
            }
        ),
        (share(), count(), share(), mode, threshold_mode, count(), share(), share()).prop_map(
            |(factor, patience, threshold, mode, threshold_mode, cooldown, min, eps)| {
                ReduceOnPlateau { factor, patience, threshold, mode, threshold_mode, cooldown, min, eps }.into()
            }
        ),
    ]
}

fn schedule() -> impl Strategy<Value = Schedule> {
    let warmup = (1..1000u64, 0.001..=1.0).prop_map(|(steps, start_factor)| Warmup { steps, start_factor });
    (prop::option::of(warmup), curve()).prop_map(|(warmup, curve)| Schedule { warmup, curve })
}

fn loss() -> impl Strategy<Value = Loss> {
    let index = -(1i64 << 53)..1 << 53;
    prop_oneof![
        (share(), weights(), index.clone(), reduction()).prop_map(
            |(label_smoothing, weight, ignore_index, reduction)| {
                CrossEntropy { label_smoothing, weight, ignore_index, reduction }.into()
            }
        ),
        (weights(), index, reduction()).prop_map(|(weight, ignore_index, reduction)| Nll {
            weight,
            ignore_index,
            reduction
        }
        .into()),
        reduction().prop_map(|reduction| Mse { reduction }.into()),
        reduction().prop_map(|reduction| L1 { reduction }.into()),
        (share(), reduction()).prop_map(|(beta, reduction)| SmoothL1 { beta, reduction }.into()),
        (weights(), reduction()).prop_map(|(pos_weight, reduction)| BceWithLogits { pos_weight, reduction }.into()),
    ]
}

fn objective() -> impl Strategy<Value = Objective> {
    let term = (prop::option::of("[a-z_][a-z0-9_]{0,6}(\\.[a-z0-9]{1,3})?"), positive(), loss());
    let term = term.prop_map(|(output, weight, loss)| Term { output, weight, loss });
    prop::collection::vec(term, 1..4).prop_map(|terms| Objective { terms })
}

fn initialiser() -> impl Strategy<Value = Initialiser> {
    let mode = || prop_oneof![Just(FanMode::In), Just(FanMode::Out)];
    let nonlinearity = || prop_oneof![Just(Nonlinearity::Linear), Just(Nonlinearity::Selu), Just(Nonlinearity::Relu)];
    prop_oneof![
        Just(PyTorch {}.into()),
        (-1e9..1e9).prop_map(|value| ConstantValue { value }.into()),
        positive().prop_map(|gain| XavierUniform { gain }.into()),
        positive().prop_map(|gain| XavierNormal { gain }.into()),
        (mode(), nonlinearity(), share())
            .prop_map(|(mode, nonlinearity, a)| KaimingUniform { mode, nonlinearity, a }.into()),
        (mode(), nonlinearity(), share())
            .prop_map(|(mode, nonlinearity, a)| KaimingNormal { mode, nonlinearity, a }.into()),
    ]
}

fn clip() -> impl Strategy<Value = Clip> {
    prop_oneof![positive().prop_map(|max| ClipNorm { max }.into()), positive().prop_map(|max| ClipValue { max }.into())]
}

fn weight_decay() -> impl Strategy<Value = WeightDecay> {
    (share(), any::<bool>()).prop_map(|(rate, exclude_norms_and_biases)| WeightDecay { rate, exclude_norms_and_biases })
}

/// Text and serde's formats give back what they were made of.
fn assert_round_trip<T>(made: &T)
where
    T: Display + FromStr<Err = Error> + Debug + PartialEq + serde::Serialize + serde::de::DeserializeOwned,
{
    let text = made.to_string();
    assert_eq!(&text.parse::<T>().unwrap(), made, "{text}");
    let value = serde_json::to_value(made).unwrap();
    assert_eq!(&serde_json::from_value::<T>(value).unwrap(), made);
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        optimizer in optimizer(),
        schedule in schedule(),
        objective in objective(),
        initialiser in initialiser(),
        clip in clip(),
        weight_decay in weight_decay(),
    ) {
        assert_round_trip(&optimizer);
        assert_round_trip(&schedule);
        assert_round_trip(&objective);
        assert_round_trip(&initialiser);
        assert_round_trip(&clip);
        assert_round_trip(&weight_decay);
    }

    /// Whatever is written, there is an answer.
    #[test]
    fn any_text_is_read_or_explained(
        text in "(adam|sgd|cosine|mse|warmup)?[-(]{0,2}[a-z_=,.*+0-9\\[\\]() e>é∞-]{0,24}",
    ) {
        let answers = [
            text.parse::<Optimizer>().err(),
            text.parse::<Schedule>().err(),
            text.parse::<Objective>().err(),
        ];
        prop_assert!(answers.iter().flatten().all(|error| !error.to_string().is_empty()));
    }
}

/// What is read, and how it is written.
#[test]
fn forms_have_a_shortest_text() {
    fn canonical<T: FromStr<Err = Error> + Display>(text: &str) -> String {
        text.parse::<T>().unwrap().to_string()
    }
    for (found, expected) in [
        (canonical::<Optimizer>("adam()"), "adam"),
        (canonical::<Optimizer>(" adam ( betas=[0.5,0.999,] , eps=1e-8 ) "), "adam(betas = (0.5, 0.999))"),
        (canonical::<Optimizer>("sgd(0.9, nesterov = true)"), "sgd(momentum = 0.9, nesterov = true)"),
        (canonical::<Schedule>("cosine(30)"), "cosine(total = 30)"),
        (canonical::<Schedule>("warmup(5)->constant"), "warmup(steps = 5) -> constant"),
        (canonical::<Schedule>("one_cycle(10, max_rate = none)"), "one_cycle(total = 10)"),
        (canonical::<Loss>("cross_entropy(0.1)"), "cross_entropy(label_smoothing = 0.1)"),
        (canonical::<Objective>("mse+.3*mse(output=aux.1)"), "mse + 0.3 * mse(output = aux.1)"),
        (canonical::<Initialiser>("kaiming_normal(mode = fan_out)"), "kaiming_normal(mode = fan_out)"),
        (canonical::<Clip>("norm"), "norm"),
    ] {
        assert_eq!(found, expected);
    }
}

#[test]
fn what_is_wrong_is_explained() {
    fn error<T: FromStr<Err = Error> + Debug>(text: &str) -> String {
        text.parse::<T>().unwrap_err().to_string()
    }
    for (found, expected) in [
        (error::<Optimizer>("adan"), "there is no optimizer `adan`; did you mean `adam`?"),
        (
            error::<Optimizer>("lion"),
            "there is no optimizer `lion`; there are `sgd`, `adam`, `adamw`, `rmsprop`, `adagrad`",
        ),
        (error::<Optimizer>("adam(beta = 1)"), "`adam` has no parameter `beta`; did you mean `betas`?"),
        (
            error::<Optimizer>("adam(betas = (0.9, 1))"),
            "`betas` of `adam` must be two numbers from 0 to below 1, not (0.9, 1.0)",
        ),
        (error::<Optimizer>("adam(betas = 0.9)"), "`betas` of `adam` must be a pair of numbers, not 0.9"),
        (error::<Optimizer>("adam(eps = nan)"), "`eps` of `adam` must be a number, not nan"),
        (error::<Optimizer>("sgd(9)"), "`momentum` of `sgd` must be from 0 to below 1, not 9.0"),
        (
            error::<Optimizer>("sgd(nesterov = true)"),
            "`nesterov` of `sgd` must be false without momentum, or with dampening, not true",
        ),
        (error::<Optimizer>("sgd(0.9, momentum = 0.8)"), "`sgd` is given `momentum` twice"),
        (error::<Optimizer>("adam((0.9, 0.99), 0, 1)"), "`adam` has 2 parameters, not 3"),
        (error::<Schedule>("constant(1)"), "`constant` has 0 parameters, not 1"),
        (error::<Schedule>("constant(a = 1)"), "`constant` has no parameter `a`; it has none"),
        (error::<Schedule>("cosine"), "`total` of `cosine` must be given, as a whole number from 1, not 0"),
        (error::<Schedule>("one_cycle"), "`total` of `one_cycle` must be given, as a whole number from 1, not 0"),
        (error::<Schedule>("cosine(2.5)"), "`total` of `cosine` must be a whole number from 0, not 2.5"),
        (error::<Schedule>("step(3, gamma = 0)"), "`gamma` of `step` must be a number above 0, not 0.0"),
        (
            error::<Schedule>("one_cycle(9, anneal = cosine)"),
            "`anneal` of `one_cycle` must be cos or linear, not cosine",
        ),
        (
            error::<Schedule>("warmup(5)"),
            "`warmup(5)`: expected `->` and the schedule that follows at character 10, like \
             `adam(betas = (0.9, 0.999))`",
        ),
        (error::<Objective>("-1 * mse"), "`weight` of `objective` must be a number above 0, not -1.0"),
        (error::<Objective>("mse(output = 3)"), "`output` of `mse` must be the name of an output, not 3.0"),
        (error::<Loss>("mse("), "`mse(`: expected a value at character 5, like `adam(betas = (0.9, 0.999))`"),
        (error::<Loss>("nll(ignore_index = -1e300)"), "`ignore_index` of `nll` must be a whole number, not -1e300"),
        (error::<Loss>("nll(weight = [-1])"), "`weight` of `nll` must be a number from 0, not -1.0"),
    ] {
        assert_eq!(found, expected);
    }
}

#[test]
fn serde_refuses_what_the_text_refuses() {
    fn error<T: serde::de::DeserializeOwned + Debug>(json: &str) -> String {
        serde_json::from_str::<T>(json).unwrap_err().to_string()
    }
    assert!(error::<Optimizer>(r#"{"adam": {"beta": 1}}"#).contains("unknown field `beta`"));
    assert!(error::<Optimizer>(r#"{"adam": {"eps": -1}}"#).contains("`eps` of `adam` must be a number from 0"));
    assert!(error::<Schedule>(r#"{"curve": {"constant": {}}, "warm": 1}"#).contains("unknown field `warm`"));
    assert!(error::<Objective>(r#"{"terms": []}"#).contains("at least one loss"));
    assert!(error::<Plateau>(r#"{"best": 1, "worst": 2}"#).contains("unknown field `worst`"));
    assert_eq!(serde_json::from_str::<Optimizer>(r#"{"adam": {}}"#).unwrap(), Adam::default().into());
}
