//! Boxes of several rows: a convolution with the norm and the activation that follow it.

use super::kind::{Kind, words};
use super::model::{Content, Node};
use super::text;
use cnn::Op;
use std::hash::{DefaultHasher, Hash, Hasher};

/// One layer in a box, or words about the box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The kind.
    pub kind: Kind,
    /// The words.
    pub text: String,
    /// The label someone wrote; empty without one.
    pub label: String,
    /// Whether it is a remark and no layer.
    pub remark: bool,
    /// For a whole block in one box: a digest of its layers' words, which tells it from others of its definition.
    pub inside: u64,
}

/// What is in a block.
#[derive(Debug, Default)]
pub struct Size {
    /// The number of layers.
    pub layers: usize,
    /// Their parameters.
    pub params: u64,
    /// A digest of their words, in order.
    pub digest: u64,
}

impl Size {
    /// Counts a layer.
    pub fn add(&mut self, op: &Op, params: u64) {
        let mut hasher = DefaultHasher::new();
        (self.digest, words(op)).hash(&mut hasher);
        self.digest = hasher.finish();
        self.layers += 1;
        self.params = self.params.saturating_add(params);
    }
}

/// The most characters of a row's words or label.
const MOST: usize = 48;

/// The most rows of a box.
const MOST_ROWS: usize = 12;

impl Row {
    fn new(kind: Kind, text: &str, label: &str) -> Self {
        Self {
            kind,
            text: text::shortened(text, MOST).into(),
            label: text::shortened(label, MOST).into(),
            remark: false,
            inside: 0,
        }
    }

    fn remark(words: &str) -> Self {
        Self { remark: true, ..Self::new(Kind::Other, words, "") }
    }
}

/// Whether a name is only a position.
pub fn is_position(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_digit())
}

/// What a layer alone looks like.
pub fn content(op: &Op, label: &str, shared: &str, inputs: usize) -> Content {
    match op.def().name {
        "add" if inputs > 1 => Content::Circle("+"),
        "mul" if inputs > 1 => Content::Circle("×"),
        "concat" if inputs > 1 => Content::Bar(words(op)),
        _ => {
            let mut rows = vec![Row::new(Kind::of(op), &words(op), label)];
            if !shared.is_empty() {
                rows.push(Row::remark(&format!("shared with {shared}")));
            }
            Content::Rows(rows)
        }
    }
}

/// The box that stands for a whole block.
pub fn folded(position: &str, name: &str, definition: &str, note: &str, size: &Size) -> Vec<Row> {
    let words = [definition, name, position].into_iter().find(|word| !word.is_empty()).unwrap_or_default();
    let label = if name == words { "" } else { name };
    let layers = size.layers;
    let plural = if layers == 1 { "" } else { "s" };
    let mut rows = vec![Row { inside: size.digest, ..Row::new(Kind::Block, words, label) }];
    rows.push(Row::remark(&match size.params {
        0 => format!("{layers} layer{plural}"),
        params => format!("{layers} layer{plural}, {} parameters", text::count(params)),
    }));
    if !note.is_empty() {
        rows.push(Row::remark(note));
    }
    rows
}

/// Whether it is a box that stands for itself, so that a frame around it alone would say nothing.
pub fn is_box(node: &Node) -> bool {
    matches!(node.content, Content::Rows(_)) && node.repeat == 1
}

/// Gives a box the name of the block it is all of.
pub fn rename(content: &mut Content, name: &str, note: &str) {
    let Content::Rows(rows) = content else { return };
    if !name.is_empty() {
        rows.iter_mut().for_each(|row| row.label.clear());
        if let Some(first) = rows.first_mut() {
            first.label = text::shortened(name, MOST).into();
        }
    }
    if !note.is_empty() {
        rows.retain(|row| !row.remark);
        rows.push(Row::remark(note));
    }
}

/// Whether a layer is one more row of the box before it, whose only use it is.
///
/// A box has one layer that does the work. Norms and activations follow it; where the chain starts with a norm or a
/// dropout, as in networks with activations before the convolutions, they lead it.
pub fn continues(before: &Node, node: &Node) -> bool {
    let (Content::Rows(rows), Content::Rows(next)) = (&before.content, &node.content) else { return false };
    let (Some(first), Some(next)) = (rows.first(), next.first()) else { return false };
    if before.train_only != node.train_only || rows.len() >= MOST_ROWS {
        return false;
    }
    let has_head = rows.iter().any(|row| row.kind.heads_a_box() && !row.remark);
    if next.kind.heads_a_box() {
        return !has_head && matches!(first.kind, Kind::Norm | Kind::Dropout | Kind::Shape);
    }
    let starts_again = has_head && !first.kind.heads_a_box() && first.kind == next.kind && first.kind != Kind::Shape;
    !starts_again
}

/// Adds a layer's row to the box before it.
pub fn append(before: &mut Node, node: Node) {
    if let (Content::Rows(rows), Content::Rows(next)) = (&mut before.content, node.content) {
        rows.extend(next);
    }
    before.gives = node.gives;
    before.shape = node.shape;
    before.shows_shape = before.from != before.shape;
}
