//! The files of a run's record, and how they go on after an interruption.

use super::{EventWriter, Phase, RecordError, Row};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

const JSON_LINES: &str = "metrics.jsonl";
const CSV: &str = "metrics.csv";
const CSV_HEADER: &str = "step,epoch,phase,loss,accuracy,rate,examples_per_second,seconds\n";
/// What the names of TensorBoard's files begin with; the rest are ten digits of seconds.
const EVENTS: &str = "events.out.tfevents.";

/// The record of a run in its folder. Every row is in the files when [`add`](Self::add) returns.
///
/// ```
/// use cnn_train::record::{Phase, Record, Row, read_rows};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let folder = folder.path();
/// let row = Row {
///     step: 235,
///     epoch: 1.0,
///     phase: Phase::Validation,
///     loss: 0.7,
///     accuracy: Some(0.74),
///     rate: None,
///     examples_per_second: None,
///     seconds: 8.5,
/// };
/// Record::create(folder)?.add(&row)?;
///
/// // The run was interrupted; it goes on from the state after step 235.
/// let mut record = Record::resume(folder, 235)?;
/// record.add(&Row { step: 470, epoch: 2.0, ..row.clone() })?;
/// assert_eq!(read_rows(folder)?.len(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Record {
    folder: PathBuf,
    json_lines: File,
    csv: File,
    events: EventWriter<File>,
    events_name: String,
}

impl Record {
    /// Begins the record of a run in a folder that exists.
    ///
    /// # Errors
    /// When the folder has a record already, or a file cannot be written.
    pub fn create(folder: &Path) -> Result<Self, RecordError> {
        let new = |name: &str| OpenOptions::new().append(true).create_new(true).open(folder.join(name));
        let json_lines = new(JSON_LINES).map_err(cannot("write", folder.join(JSON_LINES)))?;
        let mut csv = new(CSV).map_err(cannot("write", folder.join(CSV)))?;
        csv.write_all(CSV_HEADER.as_bytes()).map_err(cannot("write", folder.join(CSV)))?;
        let (events, events_name) = new_events(folder)?;
        Ok(Self { folder: folder.to_owned(), json_lines, csv, events, events_name })
    }

    /// Goes on with the record of a run whose state is that after `step` steps: rows of later steps, and a last line that
    /// was not written to its end, are dropped; TensorBoard gets a new file that makes it forget those steps.
    ///
    /// A row of `step` itself stays, so rows are added before the state of their step is saved. What is missing begins anew.
    ///
    /// # Errors
    /// When a line is no row, or a file cannot be read or written. The files are replaced one by one, each at once, the
    /// one that counts first.
    pub fn resume(folder: &Path, step: u64) -> Result<Self, RecordError> {
        let has = |name: &str| folder.join(name).exists();
        if !has(JSON_LINES) && !has(CSV) {
            return Self::create(folder);
        }
        let mut rows = if has(JSON_LINES) { read_rows(folder)? } else { Vec::new() };
        rows.retain(|row| row.step <= step);
        let json_lines: String = rows.iter().map(json_line).collect();
        let lines = if has(JSON_LINES) { rows.iter().map(csv_line).collect() } else { kept_lines(folder, step)? };
        let csv = CSV_HEADER.to_owned() + &lines;
        let json_lines = replace(&folder.join(JSON_LINES), &json_lines)?;
        let csv = replace(&folder.join(CSV), &csv)?;
        let (mut events, events_name) = new_events(folder)?;
        events.restart(now(), step.saturating_add(1)).map_err(cannot("write", folder.join(&events_name)))?;
        Ok(Self { folder: folder.to_owned(), json_lines, csv, events, events_name })
    }

    /// Adds a row to every file.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn add(&mut self, row: &Row) -> Result<(), RecordError> {
        self.csv.write_all(csv_line(row).as_bytes()).map_err(cannot("write", self.folder.join(CSV)))?;
        let file = self.folder.join(JSON_LINES);
        self.json_lines.write_all(json_line(row).as_bytes()).map_err(cannot("write", file))?;
        let phase = row.phase.name();
        let (loss, accuracy) = (format!("loss/{phase}"), format!("accuracy/{phase}"));
        let mut scalars = vec![(loss.as_str(), row.loss as f32)];
        scalars.extend(row.accuracy.map(|value| (accuracy.as_str(), value as f32)));
        if row.phase == Phase::Train {
            scalars.push(("epoch", row.epoch as f32));
            scalars.extend(row.rate.map(|value| ("rate", value as f32)));
            scalars.extend(row.examples_per_second.map(|value| ("examples_per_second", value as f32)));
        }
        self.events.scalars(now(), row.step, &scalars).map_err(cannot("write", self.folder.join(&self.events_name)))
    }

    /// Returns when all rows are on the disk.
    ///
    /// # Errors
    /// When the system cannot say so.
    pub fn sync(&self) -> Result<(), RecordError> {
        let files = [(JSON_LINES, &self.json_lines), (CSV, &self.csv), (&self.events_name, self.events.get_ref())];
        files.into_iter().try_for_each(|(name, file)| file.sync_data().map_err(cannot("write", self.folder.join(name))))
    }
}

/// The rows of a run's folder, or of a file `metrics.jsonl`, in their order. A last line that was not written to its end
/// is left out.
///
/// # Errors
/// When the file cannot be read or a line is no row.
pub fn read_rows(path: &Path) -> Result<Vec<Row>, RecordError> {
    let path = if path.is_dir() { path.join(JSON_LINES) } else { path.to_owned() };
    let text = fs::read(&path).map_err(cannot("read", path.clone()))?;
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let lines = text[..whole].split(|byte| *byte == b'\n').enumerate();
    lines
        .filter(|(_, line)| !line.trim_ascii().is_empty())
        .map(|(index, line)| {
            serde_json::from_slice(line).map_err(|error| RecordError::Row {
                path: path.clone(),
                line: index + 1,
                problem: error.to_string(),
            })
        })
        .collect()
}

fn json_line(row: &Row) -> String {
    // A row has neither maps nor types that could fail.
    let mut line = serde_json::to_string(row).unwrap_or_default();
    line.push('\n');
    line
}

fn csv_line(row: &Row) -> String {
    let cell = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    format!(
        "{},{},{},{},{},{},{},{}\n",
        row.step,
        row.epoch,
        row.phase.name(),
        row.loss,
        cell(row.accuracy),
        cell(row.rate),
        cell(row.examples_per_second),
        row.seconds
    )
}

/// The lines of `metrics.csv` up to a step, for a folder that has nothing else.
fn kept_lines(folder: &Path, step: u64) -> Result<String, RecordError> {
    let text = fs::read_to_string(folder.join(CSV)).map_err(cannot("read", folder.join(CSV)))?;
    let is_kept = |line: &&str| {
        let first = line.split(',').next().and_then(|cell| cell.parse::<u64>().ok());
        line.ends_with('\n') && first.is_some_and(|first| first <= step)
    };
    Ok(text.split_inclusive('\n').filter(is_kept).collect())
}

/// Puts a text in a file's place at once, and opens it for more.
fn replace(path: &Path, text: &str) -> Result<File, RecordError> {
    let new = path.with_added_extension("new");
    let write = || {
        let mut file = File::create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        OpenOptions::new().append(true).open(path)
    };
    write().map_err(cannot("write", path.to_owned()))
}

/// A new file for TensorBoard, which reads the files of a folder in the order of their names: the name is later than all
/// that are there, even when the clock is not.
fn new_events(folder: &Path) -> Result<(EventWriter<File>, String), RecordError> {
    let mut seconds = now() as u64;
    for entry in fs::read_dir(folder).map_err(cannot("read", folder.to_owned()))? {
        let name = entry.map_err(cannot("read", folder.to_owned()))?.file_name();
        let time = name.to_str().and_then(|name| name.strip_prefix(EVENTS)).and_then(|time| time.parse::<u64>().ok());
        seconds = seconds.max(time.map_or(0, |time| time.saturating_add(1)));
    }
    let name = format!("{EVENTS}{seconds:010}");
    let path = folder.join(&name);
    let open = || EventWriter::new(OpenOptions::new().append(true).create_new(true).open(&path)?, now());
    Ok((open().map_err(cannot("write", path.clone()))?, name))
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

fn cannot(action: &'static str, path: PathBuf) -> impl FnOnce(io::Error) -> RecordError {
    move |source| RecordError::Io { action, path, source }
}
