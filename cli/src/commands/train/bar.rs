//! The line that shows how far an epoch is, fitted to the terminal.

/// The longest bar.
const LONGEST: usize = 24;
/// A bar that is shorter says too little.
const SHORTEST: usize = 8;

/// What the line says.
pub struct Line {
    /// `3/10`
    pub epoch: String,
    /// Steps of the epoch: done, and all.
    pub steps: [u64; 2],
    /// Loss, accuracy and the like, the most important first: in full, and for a narrow terminal.
    pub facts: Vec<[String; 2]>,
}

impl Line {
    /// In `width` characters: the bar gets shorter, words do, the bar goes, the steps go, and only then what is last.
    pub fn fitted(&self, width: usize) -> String {
        let [done, all] = self.steps;
        let text = |form: usize, facts: usize, has_steps: bool| {
            let steps = if has_steps { format!("{done}/{all}") } else { String::new() };
            let facts = self.facts.iter().take(facts).map(|fact| fact[form].clone());
            std::iter::once(steps).chain(facts).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ")
        };
        let all_facts = self.facts.len();
        for (form, epoch) in [(0, format!("epoch {} ", self.epoch)), (1, format!("{} ", self.epoch))] {
            let text = text(form, all_facts, true);
            let room = width.saturating_sub(length(&epoch) + length(&text) + 1);
            if room >= SHORTEST {
                return format!("{epoch}{} {text}", bar(done, all, room.min(LONGEST)));
            }
        }
        let without_bar = std::iter::once((all_facts, true)).chain((1..=all_facts).rev().map(|facts| (facts, false)));
        let lines = without_bar.map(|(facts, has_steps)| format!("{}  {}", self.epoch, text(1, facts, has_steps)));
        lines.into_iter().find(|line| length(line) <= width).unwrap_or_default()
    }
}

/// `━━━━╸───`
fn bar(done: u64, all: u64, width: usize) -> String {
    let filled = (done.min(all) as f64 / all.max(1) as f64 * width as f64) as usize;
    let tip = if filled < width { "╸" } else { "" };
    format!("{}{tip}{}", "━".repeat(filled), "─".repeat(width.saturating_sub(filled + 1)))
}

fn length(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_fits_and_says_what_it_can() {
        let fact = |long: &str, short: &str| [long.to_owned(), short.to_owned()];
        let line = Line {
            epoch: "3/10".into(),
            steps: [117, 235],
            facts: vec![
                fact("loss 0.4321", "loss 0.4321"),
                fact("accuracy 84.3 %", "acc 84.3 %"),
                fact("12 345 images/s", "12 345/s"),
                fact("1 min 05 s left", "1 min 05 s left"),
            ],
        };
        let full = "117/235  loss 0.4321  accuracy 84.3 %  12 345 images/s  1 min 05 s left";
        let short = "loss 0.4321  acc 84.3 %  12 345/s  1 min 05 s left";
        for (width, expected) in [
            (120, format!("epoch 3/10 ━━━━━━━━━━━╸──────────── {full}")),
            (95, format!("epoch 3/10 ━━━━━╸────── {full}")),
            (80, format!("3/10 ━━━━━━━╸─────── 117/235  {short}")),
            (66, format!("3/10  117/235  {short}")),
            (60, format!("3/10  {short}")),
            (40, "3/10  loss 0.4321  acc 84.3 %  12 345/s".into()),
            (20, "3/10  loss 0.4321".into()),
            (5, String::new()),
        ] {
            assert_eq!(line.fitted(width), expected, "{width}");
            assert!(length(&expected) <= width, "{width}");
        }
    }

    #[test]
    fn a_bar_is_full_at_the_end() {
        for (done, all, expected) in [(0, 10, "╸───"), (5, 10, "━━╸─"), (10, 10, "━━━━"), (3, 0, "╸───")]
        {
            assert_eq!(bar(done, all, 4), expected);
        }
    }
}
