//! What text formats need: a number for each node, the words on it, and the edges between boxes.

use super::kind::Kind;
use super::model::{Content, Drawing, Level, Node, Value};
use super::text::cross;
use std::collections::HashMap;

/// Numbers and edges.
pub struct Outline {
    /// The number of each node, by its address: nodes do not move while a drawing is written.
    ids: HashMap<*const Node, usize>,
    /// The edges between boxes, in the order of what they lead to.
    pub edges: Vec<Edge>,
}

/// An edge between two boxes.
pub struct Edge {
    /// The box that gives the value.
    pub from: usize,
    /// The box that takes it.
    pub to: usize,
    /// The value's shape, if the box changed it.
    pub shape: String,
    /// Whether it exists in training only.
    pub train_only: bool,
}

/// Who gives a value, and its shape, if that is shown.
#[derive(Clone)]
struct Giver {
    id: usize,
    shape: String,
    train_only: bool,
}

impl Outline {
    /// Numbers the nodes of a drawing and finds its edges.
    pub fn new(drawing: &Drawing) -> Self {
        let mut outline = Self { ids: HashMap::new(), edges: Vec::new() };
        outline.visit(&drawing.root, &mut HashMap::new());
        outline
    }

    /// The number of a node; none for the places where values come into a block or leave it.
    pub fn id(&self, node: &Node) -> Option<usize> {
        self.ids.get(&std::ptr::from_ref(node)).copied()
    }

    fn visit(&mut self, level: &Level, givers: &mut HashMap<Value, Giver>) {
        for node in level.flow.nodes().into_iter().map(|index| &level.nodes[index]) {
            if matches!(node.content, Content::Entry | Content::Exit) {
                continue;
            }
            let id = self.ids.len();
            self.ids.insert(std::ptr::from_ref(node), id);
            let shape = if node.shows_shape { cross(&node.shape) } else { String::new() };
            if let Content::Group(group) = &node.content {
                // Values of a folded block are its first instance's inside, and its last one's outside.
                let mut inside = givers.clone();
                self.visit(&group.level, &mut inside);
                for (inner, outer) in group.exits.iter().zip(&node.gives) {
                    if let Some(giver) = inside.get(inner).cloned() {
                        let shape = if shape.is_empty() { giver.shape } else { shape.clone() };
                        givers.insert(*outer, Giver { shape, ..giver });
                    }
                }
                continue;
            }
            for giver in node.takes.iter().filter_map(|value| givers.get(value)) {
                let train_only = giver.train_only || node.train_only;
                self.edges.push(Edge { from: giver.id, to: id, shape: giver.shape.clone(), train_only });
            }
            for value in &node.gives {
                givers.insert(*value, Giver { id, shape: shape.clone(), train_only: node.train_only });
            }
        }
    }
}

/// The lines of words on a node.
pub fn words(node: &Node) -> Vec<String> {
    let mut lines: Vec<String> = match &node.content {
        Content::Entry | Content::Exit => Vec::new(),
        Content::Terminal(name) => vec![name.clone()],
        Content::Circle(sign) => vec![(*sign).to_owned()],
        Content::Bar(words) => vec![words.clone()],
        Content::Rows(rows) => {
            let words =
                |text: &str, label: &str| if label.is_empty() { text.into() } else { format!("{label}: {text}") };
            rows.iter().map(|row| words(&row.text, &row.label)).collect()
        }
        Content::Group(group) => {
            let head = [group.name.as_str(), &group.definition, &group.note];
            vec![head.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" · ")]
        }
    };
    if node.repeat > 1 {
        let times = format!("×{}", node.repeat);
        match lines.last_mut() {
            Some(last) if last.is_empty() => *last = times,
            Some(last) => last.push_str(&format!("  {times}")),
            None => lines.push(times),
        }
    }
    lines
}

/// The kind that colours a node.
pub fn kind(node: &Node) -> Kind {
    match &node.content {
        Content::Rows(rows) => {
            let head = rows.iter().find(|row| row.kind.heads_a_box() && !row.remark).or(rows.first());
            head.map_or(Kind::Other, |row| row.kind)
        }
        _ => Kind::Join,
    }
}
