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
        let is_receiver = line.trim_start() == "net" || line.ends_with("= net");
        if is_receiver && lines.peek().is_some_and(|next| next.trim_start().starts_with('.')) {
            result.pop();
            let call = indent(line) + 4;
            for line in lines.by_ref() {
                let is_call = line.trim_start().starts_with('.') && !line.trim_start().starts_with("..");
                result.push_str(if is_call { line.trim_start() } else { line.strip_prefix("    ").unwrap_or(line) });
                result.push('\n');
                previous = line;
                if indent(line) == call && (!is_call || line.ends_with([')', ';'])) {
                    break;
                }
            }
        }
    }
    result
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn starts_item(line: &str) -> bool {
    let line = line.trim_start();
    ["///", "#[", "pub ", "impl ", "fn "].iter().any(|start| line.starts_with(start))
}

fn ends_item(line: &str) -> bool {
    let line = line.trim();
    line == "}" || (line.ends_with(';') && !line.starts_with('#'))
}
