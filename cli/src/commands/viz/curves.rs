//! `cnn viz curves`

use super::save;
use crate::args::viz::Curves;
use crate::failure::Failure;
use cnn_train::plot::{self, Against, CurveOptions, Run};
use cnn_train::record::read_rows;
use std::path::Path;

/// Draws the loss and the accuracy of runs.
pub fn run(args: &Curves) -> Result<(), Failure> {
    let mut runs = Vec::new();
    for path in &args.runs {
        let rows = read_rows(path).map_err(Failure::new)?;
        if rows.is_empty() {
            return Err(Failure::Message(format!("the run `{}` has no metrics yet", path.display())));
        }
        runs.push(Run { name: name(path), rows });
    }
    let against = if args.steps { Against::Step } else { Against::Epoch };
    let options = CurveOptions { title: args.title.clone(), against, log_loss: args.log };
    let what = match runs.as_slice() {
        [run] => format!("loss and accuracy of {}", run.name),
        runs => format!("loss and accuracy of {} runs", runs.len()),
    };
    save(&args.file, &plot::curves(&runs, &options), &what)
}

/// A run's name: that of its folder, also where the folder is `.` or the path is that of the metrics.
fn name(path: &Path) -> String {
    let folder = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = if folder.is_dir() { folder.as_path() } else { folder.parent().unwrap_or(path) };
    folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned()
}
