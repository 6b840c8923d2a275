//! What `cnn bench --json` prints. The names of the fields stay as they are; new ones may come.

use super::Times;
use serde::Serialize;

/// One model, measured.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    pub model: String,
    pub batch: usize,
    /// Where the weights are from; a fixed seed when there is none.
    pub weights: Option<String>,
    pub isa: String,
    pub threads: usize,
    /// Of one run, which is one batch.
    pub seconds: Times,
    pub examples_per_second: f64,
    /// Multiply-accumulates of one run: convolutions and dense layers.
    pub macs: u128,
    /// Two operations for each multiply-accumulate.
    pub flops_per_second: f64,
    /// What one core does at most with this instruction set, measured at the same time.
    pub peak_flops_per_second: f64,
    pub limit: Limits,
    pub start: Start,
    pub weight_bytes: u64,
    /// Values between layers, outputs and the kernels' scratch memory, for this batch.
    pub arena_bytes: usize,
    /// The most memory that the process had until after the runs, where the system says so.
    pub peak_memory_bytes: Option<u64>,
    /// Times and kernels of every step, with `--layers`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<Vec<Step>>,
}

/// Seconds from the command's start to the first result.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Start {
    /// Reading and checking the text.
    pub read: f64,
    /// Opening the weights, or making them up.
    pub weights: f64,
    /// Choosing kernels and packing weights.
    pub compile: f64,
    /// The first run, which takes the memory.
    pub first_run: f64,
}

impl Start {
    /// All of it, without the making up of weights.
    pub fn total(&self, has_weights: bool) -> f64 {
        self.read + self.compile + self.first_run + if has_weights { self.weights } else { 0.0 }
    }
}

/// Seconds that a run takes at least on this machine, by the threads that it has: sums over the steps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Limits {
    /// Of each step the longer of arithmetic and bytes.
    pub seconds: f64,
    /// Multiplications of the algorithms that can be fastest, at the peak.
    pub arithmetic: f64,
    /// The same of the direct algorithms.
    pub direct: f64,
    /// Weights, inputs and outputs of each step, at the rates at which so many bytes can be read.
    pub bytes: f64,
    /// The rate at which weights are read, bytes per second.
    pub weights_per_second: f64,
}

/// A step of the program.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// The layer's full name, as in the names of its parameters.
    pub name: String,
    pub kernel: String,
    /// Without the batch.
    pub shape: Vec<usize>,
    /// The median.
    pub seconds: f64,
    /// Multiply-accumulates of one run.
    pub macs: u128,
    /// The least time on this machine.
    pub limit_seconds: f64,
    /// The kernels that could run it, the chosen one first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Choice>,
}

/// A kernel that could run a step.
#[derive(Debug, Clone, Serialize)]
pub struct Choice {
    pub algorithm: &'static str,
    /// What the choice went by, for one example.
    pub seconds: f64,
    /// Whether `cnn tune` has measured them; the cost model's otherwise.
    pub measured: bool,
}

impl From<cnn::Choice> for Choice {
    fn from(choice: cnn::Choice) -> Self {
        Self { algorithm: choice.algorithm, seconds: choice.seconds, measured: choice.is_measured }
    }
}

impl Figures {
    /// A rate as a part of the peak of the cores that the threads can use.
    pub fn of_peak(&self, flops_per_second: f64) -> f64 {
        flops_per_second / (self.peak_flops_per_second * self.threads as f64).max(1.0)
    }
}

impl Limits {
    /// The sums over these steps.
    pub fn of(steps: impl IntoIterator<Item = cnn::Limit>, weights_per_second: f64) -> Self {
        steps.into_iter().fold(Self { weights_per_second, ..Self::default() }, |sum, step| Self {
            seconds: sum.seconds + step.seconds(),
            arithmetic: sum.arithmetic + step.arithmetic,
            direct: sum.direct + step.direct,
            bytes: sum.bytes + step.bytes,
            ..sum
        })
    }
}

impl Step {
    /// Zero for steps that have no multiply-accumulates.
    pub fn flops_per_second(&self) -> f64 {
        if self.seconds > 0.0 { 2.0 * self.macs as f64 / self.seconds } else { 0.0 }
    }
}

/// The most memory that this process has had, in bytes: Linux's `VmHWM`.
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_sum_up_step_by_step() {
        let steps = [(3.0, 2.0, 1.0), (0.5, 0.5, 4.0)];
        let steps = steps.map(|(direct, arithmetic, bytes)| cnn::Limit { direct, arithmetic, bytes });
        let expected = Limits { seconds: 6.0, arithmetic: 2.5, direct: 3.5, bytes: 5.0, weights_per_second: 7.0 };
        assert_eq!(Limits::of(steps, 7.0), expected);
    }
}
