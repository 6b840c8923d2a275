//! Mermaid: blocks are subgraphs. Markdown on many sites shows it as a picture.

use super::kind::Kind;
use super::model::{Content, Drawing, Level};
use super::outline::{Outline, kind, words};
use std::fmt::{self, Write};

/// A drawing as a Mermaid flowchart.
pub fn mermaid(drawing: &Drawing) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write_chart(&mut out, drawing);
    out
}

/// The kinds with the names of their classes.
const CLASSES: &[(Kind, &str)] = &[
    (Kind::Conv, "conv"),
    (Kind::Dense, "dense"),
    (Kind::Pool, "pool"),
    (Kind::Norm, "norm"),
    (Kind::Activation, "activation"),
    (Kind::Dropout, "dropout"),
    (Kind::Join, "join"),
    (Kind::Shape, "shape"),
    (Kind::Block, "block"),
    (Kind::Other, "other"),
];

fn write_chart(out: &mut String, drawing: &Drawing) -> fmt::Result {
    let title = format!("{}, {}", drawing.title, drawing.caption);
    // A double-quoted scalar of YAML; JSON's strings are such.
    writeln!(out, "---\ntitle: {}\n---\nflowchart TB", serde_json::Value::from(title))?;
    let outline = Outline::new(drawing);
    write_level(out, &drawing.root, &outline, 1)?;
    for edge in &outline.edges {
        let arrow = if edge.train_only { "-.->" } else { "-->" };
        let shape = if edge.shape.is_empty() { String::new() } else { format!("|{}|", quoted(&edge.shape)) };
        writeln!(out, "  n{} {arrow}{shape} n{}", edge.from, edge.to)?;
    }
    for (kind, name) in CLASSES {
        writeln!(out, "  classDef k_{name} fill:{},stroke:#4a5260,color:#2f3542", kind.fill())?;
    }
    Ok(())
}

fn write_level(out: &mut String, level: &Level, outline: &Outline, depth: usize) -> fmt::Result {
    for node in level.flow.nodes().into_iter().map(|index| &level.nodes[index]) {
        let indent = "  ".repeat(depth);
        let Some(id) = outline.id(node) else { continue };
        let label = quoted(&words(node).join("\n"));
        match &node.content {
            Content::Group(group) => {
                writeln!(out, "{indent}subgraph n{id}[{label}]")?;
                writeln!(out, "{indent}  direction TB")?;
                write_level(out, &group.level, outline, depth + 1)?;
                writeln!(out, "{indent}end")?;
                if group.is_run() || node.train_only {
                    writeln!(out, "{indent}style n{id} stroke-dasharray: 4 3")?;
                }
                continue;
            }
            Content::Circle(_) => write!(out, "{indent}n{id}(({label}))")?,
            Content::Terminal(_) => write!(out, "{indent}n{id}([{label}])")?,
            _ => write!(out, "{indent}n{id}[{label}]")?,
        }
        let kind = kind(node);
        let class = CLASSES.iter().find(|(other, _)| *other == kind).map_or("other", |(_, name)| name);
        writeln!(out, ":::k_{class}")?;
        if node.train_only {
            writeln!(out, "{indent}style n{id} stroke-dasharray: 4 3")?;
        }
    }
    Ok(())
}

/// A quoted string of Mermaid: everything that could mean something in it is written as a number.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '\n' => quoted.push_str("<br>"),
            ' ' | '.' | ',' | ':' | '_' | '-' | '×' | '·' | '–' | '…' => quoted.push(c),
            c if c.is_alphanumeric() => quoted.push(c),
            c if c.is_control() => quoted.push('\u{fffd}'),
            c => quoted.push_str(&format!("#{};", u32::from(c))),
        }
    }
    quoted.push('"');
    quoted
}
