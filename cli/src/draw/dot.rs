//! Graphviz DOT: blocks are clusters.

use super::model::{Content, Drawing, Level};
use super::outline::{Outline, kind, words};
use std::fmt::{self, Write};

/// A drawing for Graphviz: `dot -Tsvg`.
pub fn dot(drawing: &Drawing) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write_graph(&mut out, drawing);
    out
}

fn write_graph(out: &mut String, drawing: &Drawing) -> fmt::Result {
    let label = format!("{}\n{}", drawing.title, drawing.caption);
    writeln!(out, "digraph {} {{", quoted(&drawing.title))?;
    writeln!(out, "  label={}; labelloc=t; labeljust=l; compound=true;", quoted(&label))?;
    writeln!(out, "  node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica\", fontsize=11, height=0.3];")?;
    writeln!(out, "  edge [fontname=\"Helvetica\", fontsize=9, arrowsize=0.7]; fontname=\"Helvetica\"; fontsize=11;")?;
    let outline = Outline::new(drawing);
    write_level(out, &drawing.root, &outline, 1)?;
    for edge in &outline.edges {
        let shape = if edge.shape.is_empty() { String::new() } else { format!("label={}", quoted(&edge.shape)) };
        let style = if edge.train_only { "style=dashed" } else { "" };
        let attributes: Vec<&str> = [shape.as_str(), style].into_iter().filter(|text| !text.is_empty()).collect();
        let attributes = if attributes.is_empty() { String::new() } else { format!(" [{}]", attributes.join(", ")) };
        writeln!(out, "  n{} -> n{}{attributes};", edge.from, edge.to)?;
    }
    writeln!(out, "}}")
}

fn write_level(out: &mut String, level: &Level, outline: &Outline, depth: usize) -> fmt::Result {
    for node in level.flow.nodes().into_iter().map(|index| &level.nodes[index]) {
        let indent = "  ".repeat(depth);
        let Some(id) = outline.id(node) else { continue };
        let dashed = if node.train_only { "dashed" } else { "solid" };
        match &node.content {
            Content::Group(group) => {
                writeln!(out, "{indent}subgraph cluster_{id} {{")?;
                let style = if group.is_run() || node.train_only { "dashed" } else { "solid" };
                let label = quoted(&words(node).join("\n"));
                writeln!(out, "{indent}  label={label}; labeljust=l; style=\"rounded,{style}\"; color=\"#a9b1bf\";")?;
                write_level(out, &group.level, outline, depth + 1)?;
                writeln!(out, "{indent}}}")?;
            }
            Content::Circle(sign) => {
                let style = format!("filled,{dashed}");
                let label = if node.repeat > 1 { format!("{sign} ×{}", node.repeat) } else { (*sign).to_owned() };
                writeln!(
                    out,
                    "{indent}n{id} [label={}, shape=circle, style=\"{style}\", fillcolor=\"#ffffff\", width=0.3];",
                    quoted(&label)
                )?;
            }
            _ => {
                let label = quoted(&words(node).join("\n"));
                let fill = kind(node).fill();
                writeln!(
                    out,
                    "{indent}n{id} [label={label}, style=\"rounded,filled,{dashed}\", fillcolor=\"{fill}\"];"
                )?;
            }
        }
    }
    Ok(())
}

/// A string of DOT: only quotes and backslashes mean something in it, and line breaks are written.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            c if c.is_control() => quoted.push('\u{fffd}'),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
