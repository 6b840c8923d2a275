//! The figures for people.

use super::{Choice, Figures, Limits, Step};
use crate::number::{grouped, percent, size};

const COLUMNS: usize = 9;
const HEADER: [&str; COLUMNS] =
    ["layer", "kernel", "output", "ms", "share", "GFLOP/s", "of peak", "of limit", "chosen for"];
/// The columns of words, which begin at the left; numbers end at the right.
const WORDS: usize = 3;
const REASON: usize = COLUMNS - 1;

/// Longer names of kernels are cut.
const KERNEL: usize = 44;

/// A line for each figure, and the table of steps if there is one.
pub fn text(figures: &Figures) -> String {
    let Figures { seconds, start, .. } = figures;
    let batch = match figures.batch {
        1 => String::new(),
        batch => format!(" for a batch of {batch}"),
    };
    let weights = match &figures.weights {
        Some(file) => format!("weights of {file}"),
        None => "random weights".to_owned(),
    };
    let has_weights = figures.weights.is_some();
    let opened = if has_weights { format!(", weights {}", ms(start.weights)) } else { String::new() };
    let memory = figures
        .peak_memory_bytes
        .map_or(String::new(), |bytes| format!("; the process had at most {}", size(bytes.into())));
    let rows = [
        (
            "time",
            format!(
                "{} median{batch} of {} runs; least {}, nine of ten under {}",
                ms(seconds.median),
                grouped(seconds.runs as u128),
                ms(seconds.min),
                ms(seconds.p90)
            ),
        ),
        ("rate", format!("{:.1} examples per second", figures.examples_per_second)),
        (
            "work",
            format!(
                "{:.1} GFLOP/s, {} of the {:.1} that a loop of multiply-adds does on {} ({})",
                figures.flops_per_second / 1e9,
                percent(figures.of_peak(figures.flops_per_second)),
                figures.peak_flops_per_second * figures.threads as f64 / 1e9,
                if figures.threads == 1 { "one core".to_owned() } else { format!("{} cores", figures.threads) },
                figures.isa
            ),
        ),
        ("limit", limit(figures)),
        (
            "start",
            format!(
                "{} to the first result: reading {}{opened}, compiling {}, first run {}",
                ms(start.total(has_weights)),
                ms(start.read),
                ms(start.compile),
                ms(start.first_run)
            ),
        ),
        (
            "memory",
            format!(
                "weights {}, values and scratch {}{memory}",
                size(figures.weight_bytes.into()),
                size(figures.arena_bytes as u128)
            ),
        ),
    ];
    let threads = if figures.threads == 1 { "1 thread".to_owned() } else { format!("{} threads", figures.threads) };
    let mut text = format!("{}, {weights}, {threads}\n\n", figures.model);
    text.extend(rows.iter().map(|(name, value)| format!("{name:6}  {value}\n")));
    if !seconds.are_steady() {
        let drift = percent(seconds.drift);
        text +=
            &format!("\nnote: the halves of the runs differ by {drift}: this machine is busy, or its clock changes\n");
    }
    if let Some(steps) = &figures.layers {
        text += &format!("\n{}", layers(figures, steps));
    }
    text
}

/// What the machine allows, and how much of it is reached.
fn limit(figures: &Figures) -> String {
    let Limits { seconds, arithmetic, direct, bytes, weights_per_second } = figures.limit;
    format!(
        "{} on this machine, {} of the time: arithmetic {} (direct {}), bytes {} with weights at {:.1} GB/s",
        ms(seconds),
        share(seconds, figures.seconds.median),
        ms(arithmetic),
        ms(direct),
        ms(bytes),
        weights_per_second / 1e9
    )
}

/// A row per step, in the order in which they run, and their sum.
fn layers(figures: &Figures, steps: &[Step]) -> String {
    let total = Step {
        name: "total".into(),
        kernel: String::new(),
        shape: Vec::new(),
        seconds: steps.iter().map(|step| step.seconds).sum(),
        macs: steps.iter().map(|step| step.macs).sum(),
        limit_seconds: steps.iter().map(|step| step.limit_seconds).sum(),
        choices: Vec::new(),
    };
    let cells = |step: &Step| {
        let rate = step.flops_per_second();
        let of_work = |text: String| if step.macs == 0 { "–".into() } else { text };
        [
            step.name.clone(),
            cut(&step.kernel),
            step.shape.iter().map(usize::to_string).collect::<Vec<_>>().join("×"),
            format!("{:.3}", 1e3 * step.seconds),
            share(step.seconds, total.seconds),
            of_work(format!("{:.1}", rate / 1e9)),
            of_work(percent(figures.of_peak(rate))),
            if step.limit_seconds > 0.0 { share(step.limit_seconds, step.seconds) } else { "–".into() },
            reason(step),
        ]
    };
    let mut rows = vec![HEADER.map(str::to_owned)];
    rows.extend(steps.iter().map(cells));
    rows.push(cells(&total));
    let widths: [usize; COLUMNS] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let rule = "─".repeat(widths.iter().sum::<usize>() + 2 * (COLUMNS - 1)) + "\n";
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        if index == 1 || index + 1 == rows.len() {
            text += &rule;
        }
        let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| match column {
            0..WORDS | REASON => format!("{cell:width$}"),
            _ => format!("{cell:>width$}"),
        });
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    text
}

/// What the choice of the kernel went by: `0.62 ms, blocked 2.01`, where a `~` marks the cost model's times.
fn reason(step: &Step) -> String {
    let Some((chosen, others)) = step.choices.split_first() else { return String::new() };
    let time = |choice: &Choice| format!("{}{:.3}", if choice.measured { "" } else { "~" }, 1e3 * choice.seconds);
    let others = others.iter().take(2).map(|choice| format!(", {} {}", choice.algorithm, time(choice)));
    format!("{} {}{}", chosen.algorithm, time(chosen), others.collect::<String>())
}

/// A part of a whole that may be nothing.
fn share(part: f64, whole: f64) -> String {
    percent(if whole > 0.0 { part / whole } else { 0.0 })
}

fn cut(kernel: &str) -> String {
    match kernel.char_indices().nth(KERNEL) {
        Some((end, _)) => format!("{}…", kernel[..end].trim_end()),
        None => kernel.to_owned(),
    }
}

/// Three digits or more: `0.0412 ms`, `3.21 ms`, `54.3 ms`.
fn ms(seconds: f64) -> String {
    let value = 1e3 * seconds;
    let decimals = match value {
        ..0.1 => 4,
        ..1.0 => 3,
        ..10.0 => 2,
        _ => 1,
    };
    format!("{value:.decimals$} ms")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Start, Times};

    fn figures() -> Figures {
        let step = |name: &str, kernel: &str, shape: &[usize], seconds, macs, limit_seconds| Step {
            name: name.into(),
            kernel: kernel.into(),
            shape: shape.to_vec(),
            seconds,
            macs,
            limit_seconds,
            choices: Vec::new(),
        };
        Figures {
            model: "Net".into(),
            batch: 1,
            weights: None,
            isa: "avx2".into(),
            threads: 1,
            seconds: Times { median: 0.004, min: 0.003_9, p90: 0.012_3, runs: 1200, drift: 0.01 },
            examples_per_second: 250.0,
            macs: 100_000_000,
            flops_per_second: 50e9,
            peak_flops_per_second: 80e9,
            limit: Limits {
                seconds: 0.002_1,
                arithmetic: 0.001_9,
                direct: 0.002_5,
                bytes: 0.000_4,
                weights_per_second: 25e9,
            },
            start: Start { read: 0.000_05, weights: 0.5, compile: 0.002, first_run: 0.005 },
            weight_bytes: 1_200_000,
            arena_bytes: 3_000,
            peak_memory_bytes: Some(9_000_000),
            layers: Some(vec![
                step("features.0", "conv2d_gemm + Relu", &[64, 112, 112], 0.003, 100_000_000, 0.002_1),
                step(
                    "pool",
                    "a kernel that tells a great deal more of itself than a table holds",
                    &[64, 56, 56],
                    0.001,
                    0,
                    0.0,
                ),
            ]),
        }
    }

    #[test]
    fn the_table_is_aligned_and_sums_up() {
        insta::assert_snapshot!(text(&figures()));
    }

    #[test]
    fn unsteady_times_and_files_and_batches_are_told() {
        let mut figures = Figures { layers: None, batch: 8, weights: Some("w.safetensors".into()), ..figures() };
        figures.seconds.drift = 0.5;
        let text = text(&figures);
        for part in [
            "differ by 50.0 %",
            "for a batch of 8",
            "weights of w.safetensors",
            "507.1 ms to the first",
            "weights 500.0 ms",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn milliseconds_have_three_digits() {
        for (seconds, text) in
            [(0.000_041_2, "0.0412 ms"), (0.000_36, "0.360 ms"), (0.003_214, "3.21 ms"), (1.5, "1500.0 ms")]
        {
            assert_eq!(ms(seconds), text);
        }
    }
}
