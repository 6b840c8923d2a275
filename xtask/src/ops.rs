//! Every op in the list has its test case and its decomposition.

use std::fs;
use std::path::Path;

macro_rules! list {
    ($($file:ident: $($variant:ident $spec:ident),+;)*) => {
        /// File and specs of every op.
        const OPS: &[(&str, &[&str])] = &[$((stringify!($file), &[$(stringify!($spec)),+])),*];
    };
}
cnn_ir::for_each_op!(list);

/// The folder of the one problem suite.
const SUITE: &str = "runtime/tests/suite";

/// The table of values that PyTorch computed.
const TABLE: &str = "runtime/tests/pytorch/values.json";

/// Ops without a case in the problem suite.
pub fn check(root: &Path) -> Vec<String> {
    let suite = match read_folder(&root.join(SUITE)) {
        Ok(text) => text,
        Err(error) => return vec![format!("{SUITE}: {error}")],
    };
    let table = match fs::read_to_string(root.join(TABLE)) {
        Ok(text) => text,
        Err(error) => return vec![format!("{TABLE}: {error}")],
    };
    let mut problems = Vec::new();
    for (op, specs) in OPS {
        for spec in *specs {
            // Whole words: `AvgPool2dSpec` is also the end of `GlobalAvgPool2dSpec`.
            if !suite.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == *spec) {
                problems.push(format!("the op `{op}` has no problem in {SUITE}: nothing there names `{spec}`"));
            }
        }
        let decomposition = format!("runtime/src/decompose/{op}.rs");
        if !root.join(&decomposition).is_file() {
            problems.push(format!("the op `{op}` has no {decomposition}"));
        }
    }
    for op in cnn_ir::ops::OPS.iter().map(|def| def.name) {
        if !table.contains(&format!("{{\"op\":\"{op}\"")) {
            problems.push(format!("the op `{op}` has no case in {TABLE}"));
        }
    }
    problems
}

/// The text of all files of a folder.
fn read_folder(folder: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() {
            text.push_str(&fs::read_to_string(path)?);
        }
    }
    Ok(text)
}
