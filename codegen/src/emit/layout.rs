//! What a person does to formatted code by hand: blank lines between items.

/// Adds blank lines between items, and keeps a call's name on the line of its receiver.
pub(super) fn lay_out(text: &str) -> String {
    let mut result = String::with_capacity(text.len() + 1024);
    let mut previous = "";
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if starts_item(line) && ends_item(previous) {
            result.push('\n');
        }
        result.push_str(line);
        result.push('\n');
        previous = line;
        // The formatter breaks `net.layer(…)` before the dot once the call does not fit into one line.
        if line.ends_with("= net") && lines.peek().is_some_and(|next| next.trim_start().starts_with(".layer(")) {
            result.pop();
            let indent = line.len() - line.trim_start().len();
            for line in lines.by_ref() {
                let is_call = line.trim_start().starts_with(".layer(");
                let line = if is_call { line.trim_start() } else { line.strip_prefix("    ").unwrap_or(line) };
                result.push_str(line);
                result.push('\n');
                previous = line;
                let ends = line.ends_with(';') && (is_call || line.len() - line.trim_start().len() == indent);
                if ends {
                    break;
                }
            }
        }
    }
    result
}

fn starts_item(line: &str) -> bool {
    let line = line.trim_start();
    ["///", "#[", "pub ", "impl ", "fn "].iter().any(|start| line.starts_with(start))
}

fn ends_item(line: &str) -> bool {
    let line = line.trim();
    line == "}" || (line.ends_with(';') && !line.starts_with('#'))
}
