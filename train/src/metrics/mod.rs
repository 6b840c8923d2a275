//! How well a classifier does: the confusion matrix, and what follows from it.

mod report;
#[cfg(test)]
mod tests;

pub use report::{ClassScores, Report};

/// How many of the highest logits top-5 accuracy looks at.
const TOP: usize = 5;

/// What is wrong with predictions or labels.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetricsError {
    /// A label that is no class.
    #[error(
        "example {example} of the batch has the label {label}, and there are {classes} classes, counted from 0; give the \
         network as many outputs as there are classes, or mend the labels"
    )]
    Label {
        /// The example's place in the batch.
        example: usize,
        /// Its label.
        label: usize,
        /// How many classes there are.
        classes: usize,
    },

    /// Logits that are not one row of all classes for every label.
    #[error("{values} logits for {examples} examples of {classes} classes; give {} of them", examples.saturating_mul(*classes))]
    Logits {
        /// How many logits there are.
        values: usize,
        /// How many labels there are.
        examples: usize,
        /// How many classes there are.
        classes: usize,
    },
}

/// Which classes were taken for which: counted from logits and labels, batch after batch.
///
/// The prediction is the class of the highest logit, of several equal ones the first. An example with a logit that is
/// not a number has no prediction: it counts as wrong, for top-5 accuracy too, and in no column of the matrix.
///
/// ```
/// use cnn_train::Confusion;
///
/// # fn main() -> Result<(), cnn_train::MetricsError> {
/// let mut confusion = Confusion::new(3);
/// confusion.add(2, &[0.1, 0.2, 0.7])?;
/// // Two rows of three logits, and their labels.
/// confusion.add_batch(&[9.0, 0.0, 1.0, 0.0, 0.0, 5.0], &[0, 1])?;
/// assert_eq!(confusion.accuracy(), Some(2.0 / 3.0));
/// assert_eq!(confusion.count(1, 2), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    /// `[true][predicted]`, row after row.
    counts: Vec<u64>,
    /// The examples of every class that have a logit that is not a number.
    unpredicted: Vec<u64>,
    right_in_top: u64,
}

impl Confusion {
    /// No examples yet, of so many classes.
    pub fn new(classes: usize) -> Self {
        Self { classes, counts: vec![0; classes * classes], unpredicted: vec![0; classes], right_in_top: 0 }
    }

    /// Counts one example.
    ///
    /// # Errors
    /// When the label is no class, or there is not one logit for every class; nothing is counted then.
    pub fn add(&mut self, label: usize, logits: &[f32]) -> Result<(), MetricsError> {
        self.add_batch(logits, &[label])
    }

    /// Counts the examples of a batch: `logits` has a row of all classes for every label.
    ///
    /// # Errors
    /// When a label is no class, or there are more or fewer logits; nothing is counted then.
    pub fn add_batch(&mut self, logits: &[f32], labels: &[usize]) -> Result<(), MetricsError> {
        let classes = self.classes;
        if let Some(example) = labels.iter().position(|label| *label >= classes) {
            return Err(MetricsError::Label { example, label: labels[example], classes });
        }
        if labels.len().checked_mul(classes) != Some(logits.len()) {
            return Err(MetricsError::Logits { values: logits.len(), examples: labels.len(), classes });
        }
        // There are no rows of no classes: then there are no labels.
        for (row, &label) in logits.chunks_exact(classes.max(1)).zip(labels) {
            self.count_row(label, row);
        }
        Ok(())
    }

    fn count_row(&mut self, label: usize, row: &[f32]) {
        if row.iter().any(|logit| logit.is_nan()) {
            self.unpredicted[label] += 1;
            return;
        }
        let mut predicted = 0;
        for (class, logit) in row.iter().enumerate() {
            if *logit > row[predicted] {
                predicted = class;
            }
        }
        let own = row[label];
        let before = row[..label].iter().filter(|logit| **logit >= own).count();
        let after = row[label..].iter().filter(|logit| **logit > own).count();
        self.counts[label * self.classes + predicted] += 1;
        self.right_in_top += u64::from(before + after < TOP);
    }

    /// How many classes there are.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// How many examples of class `label` were taken for class `predicted`; 0 for what is no class.
    pub fn count(&self, label: usize, predicted: usize) -> u64 {
        self.row(label).get(predicted).copied().unwrap_or(0)
    }

    /// What the examples of one class were taken for: a count for every class; empty for what is no class.
    pub fn row(&self, label: usize) -> &[u64] {
        let start = label.saturating_mul(self.classes);
        self.counts.get(start..start.saturating_add(self.classes)).unwrap_or(&[])
    }

    /// How many examples were counted.
    pub fn examples(&self) -> u64 {
        self.counts.iter().sum::<u64>() + self.unpredicted()
    }

    /// How many of them have no prediction, because a logit is not a number.
    pub fn unpredicted(&self) -> u64 {
        self.unpredicted.iter().sum()
    }

    /// How many examples were taken for what they are.
    pub fn right(&self) -> u64 {
        (0..self.classes).map(|class| self.count(class, class)).sum()
    }

    /// The part of the examples that were taken for what they are, from 0 to 1; none without examples.
    pub fn accuracy(&self) -> Option<f64> {
        ratio(self.right(), self.examples())
    }

    /// The part of the examples whose class is among the five of the highest logits; none without examples.
    pub fn top5_accuracy(&self) -> Option<f64> {
        ratio(self.right_in_top, self.examples())
    }

    /// How many examples a class has.
    pub fn support(&self, label: usize) -> u64 {
        self.row(label).iter().sum::<u64>() + self.unpredicted.get(label).copied().unwrap_or(0)
    }

    /// How many examples were taken for a class.
    pub fn predictions(&self, predicted: usize) -> u64 {
        (0..self.classes).map(|label| self.count(label, predicted)).sum()
    }

    /// Everything that the matrix says, with the classes' names; classes without a name have their number.
    ///
    /// ```
    /// # fn main() -> Result<(), cnn_train::MetricsError> {
    /// let mut confusion = cnn_train::Confusion::new(2);
    /// confusion.add(1, &[0.0, 1.0])?;
    /// let report = confusion.report(&["cat".into(), "dog".into()]);
    /// assert_eq!(report.classes[1].recall, 1.0);
    /// println!("{report}\n{}", report.matrix());
    /// # Ok(())
    /// # }
    /// ```
    pub fn report(&self, names: &[String]) -> Report {
        Report::new(self, names)
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
