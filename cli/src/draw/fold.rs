//! Folding equal neighbours: `×n`.

use super::chain::Row;
use super::flow::Flow;
use super::kind::Kind;
use super::model::{Content, Group, Level, Node, Value};
use std::collections::{HashMap, HashSet};

/// The longest run of nodes that is folded when it repeats.
const MAX_PERIOD: usize = 8;

/// Folds runs of equal nodes, and of equal sequences of nodes.
pub fn fold(level: &mut Level) {
    let flow = std::mem::take(&mut level.flow);
    level.flow = fold_flow(flow, &mut level.nodes);
}

fn fold_flow(flow: Flow, nodes: &mut Vec<Node>) -> Flow {
    match flow {
        Flow::Series(items) => {
            let mut looks = Looks::default();
            let folded = items.into_iter().map(|item| fold_flow(item, nodes)).collect::<Vec<_>>();
            let mut items: Vec<Item> = folded.into_iter().map(|item| looks.item(item, nodes)).collect();
            for period in 1..=MAX_PERIOD {
                items = fold_period(items, period, nodes, &mut looks);
            }
            Flow::Series(items.into_iter().map(|item| item.flow).collect())
        }
        Flow::Parallel(items) => Flow::Parallel(items.into_iter().map(|item| fold_flow(item, nodes)).collect()),
        other => other,
    }
}

/// An item of a series with the number of its look.
struct Item {
    flow: Flow,
    look: usize,
}

/// Looks that have been seen.
#[derive(Default)]
struct Looks(HashMap<String, usize>);

impl Looks {
    fn item(&mut self, flow: Flow, nodes: &[Node]) -> Item {
        let next = self.0.len();
        let look = *self.0.entry(look(&flow, nodes)).or_insert(next);
        Item { flow, look }
    }
}

/// Folds what repeats with a period of so many items.
fn fold_period(items: Vec<Item>, period: usize, nodes: &mut Vec<Node>, looks: &mut Looks) -> Vec<Item> {
    let seen: Vec<usize> = items.iter().map(|item| item.look).collect();
    let mut rest = items.into_iter();
    let mut folded = Vec::with_capacity(seen.len());
    let mut start = 0;
    while start < seen.len() {
        let same = (start + period..seen.len()).take_while(|at| seen[*at] == seen[at - period]).count();
        let alike = if same < period { 0 } else { period * (1 + same / period) };
        let unit = &rest.as_slice()[..alike];
        let repeat = foldable(unit, period, nodes);
        if repeat < 2 {
            folded.extend(rest.next());
            start += 1;
        } else {
            let run: Vec<Flow> = rest.by_ref().take(repeat * period).map(|item| item.flow).collect();
            let flow = fold_run(&run, period, nodes);
            folded.push(looks.item(flow, nodes));
            start += repeat * period;
        }
    }
    folded
}

/// What an item looks like, without names and shapes: equal for what may be folded.
fn look(item: &Flow, nodes: &[Node]) -> String {
    match item {
        Flow::Node(node) => look_of_node(&nodes[*node]),
        Flow::Series(items) => format!("({})", looks(items, nodes)),
        Flow::Parallel(items) => format!("[{}]", looks(items, nodes)),
        Flow::Lane(_) => "|".into(),
        // No two tangles are the same.
        Flow::Tangle(tangled) => format!("tangle {tangled:?}"),
    }
}

fn looks(items: &[Flow], nodes: &[Node]) -> String {
    items.iter().map(|item| look(item, nodes)).collect::<Vec<_>>().join(" ")
}

fn look_of_node(node: &Node) -> String {
    let content = match &node.content {
        Content::Entry => "entry".into(),
        Content::Exit => "exit".into(),
        // Inputs and outputs are each their own.
        Content::Terminal(name) => format!("terminal {name:?} {:?} {:?}", node.takes, node.gives),
        Content::Rows(rows) => {
            // The parameters of a block in one box may differ, as do the channels that come in.
            let is_block = rows.first().is_some_and(|row| row.kind == Kind::Block);
            let of_row = |row: &Row| {
                let text = if row.remark && is_block { "" } else { &row.text };
                format!("{text:?}{:?}{:x}", letters(&row.label), row.inside)
            };
            rows.iter().map(of_row).collect::<String>()
        }
        Content::Circle(sign) => (*sign).into(),
        Content::Bar(words) => words.clone(),
        Content::Group(Group { name, definition, note, level, .. }) => {
            let inside = looks(std::slice::from_ref(&level.flow), &level.nodes);
            format!("{:?}{definition:?}{note:?}{{{inside}}}", letters(name))
        }
    };
    format!("{content}×{} {} {} {}", node.repeat, node.takes.len(), node.gives.len(), node.train_only)
}

/// A name without its numbers: `layer1` and `layer2` differ in nothing else.
fn letters(name: &str) -> String {
    name.chars().filter(|c| !c.is_ascii_digit()).collect()
}

/// How many of the units, which look the same, take one value, give one to the next, and keep rows and columns.
fn foldable(run: &[Item], period: usize, nodes: &[Node]) -> usize {
    let mut size: Option<&[usize]> = None;
    let unit_fits = |unit: &&[Item]| {
        let Some(Item { flow: Flow::Node(last), .. }) = unit.last() else { return false };
        let last = &nodes[*last];
        if last.gives.len() != 1 || matches!(last.content, Content::Terminal(_) | Content::Entry | Content::Exit) {
            return false;
        }
        let tail = last.shape.get(1..).unwrap_or_default();
        let same = size.is_none_or(|size| size == tail);
        size = Some(tail);
        same && taken(unit.iter().map(|item| &item.flow), nodes).len() == 1
    };
    run.chunks(period).take_while(unit_fits).count()
}

/// The values that a unit takes from outside.
fn taken<'a>(unit: impl Iterator<Item = &'a Flow>, nodes: &[Node]) -> Vec<Value> {
    let inside: Vec<&Node> = unit.flat_map(Flow::nodes).map(|node| &nodes[node]).collect();
    let given: HashSet<Value> = inside.iter().flat_map(|node| node.gives.iter().copied()).collect();
    let mut taken: Vec<Value> = inside.iter().flat_map(|node| node.takes.iter().copied()).collect();
    taken.retain(|value| !given.contains(value));
    taken.sort_unstable();
    taken.dedup();
    taken
}

fn fold_run(run: &[Flow], period: usize, nodes: &mut Vec<Node>) -> Flow {
    let repeat = run.len() / period;
    let unit_nodes = |unit: &[Flow]| unit.iter().flat_map(Flow::nodes).collect::<Vec<_>>();
    let mut units: Vec<Vec<Node>> = Vec::with_capacity(repeat);
    let first = unit_nodes(&run[..period]);
    let entry = taken(run[..period].iter(), nodes);
    for unit in run.chunks(period) {
        units.push(unit_nodes(unit).into_iter().map(|node| std::mem::take(&mut nodes[node])).collect());
    }
    let mut units = units.into_iter();
    let mut unit = units.next().unwrap_or_default();
    let exits: Vec<Value> = unit.last().map(|node| node.gives.clone()).unwrap_or_default();
    let from = unit.first().map(|node| node.from.clone()).unwrap_or_default();
    let (mut gives, mut shape) = (exits.clone(), unit.last().map(|node| node.shape.clone()).unwrap_or_default());
    let count = units.len();
    for (index, mut other) in units.enumerate() {
        if let Some(last) = other.last() {
            (gives, shape) = (last.gives.clone(), last.shape.clone());
        }
        for (node, other) in unit.iter_mut().zip(&mut other) {
            blur(node, other, index + 1 == count);
        }
    }
    let shows_shape = from != shape;
    if let [node] = unit.as_mut_slice() {
        let node = std::mem::take(node);
        let at = first.first().copied().unwrap_or_default();
        nodes[at] = Node { gives, shape, shows_shape, repeat, ..node };
        return Flow::Node(at);
    }
    let takes = entry;
    let port = |content, values: &[Value]| Node {
        content,
        takes: values.to_vec(),
        gives: values.to_vec(),
        repeat: 1,
        ..Node::default()
    };
    // The unit keeps its arrangement; only the positions of its nodes are new.
    let position: HashMap<usize, usize> = first.iter().enumerate().map(|(at, node)| (*node, at + 1)).collect();
    let mut inner = vec![port(Content::Entry, &takes)];
    let train_only = unit.iter().all(|node| node.train_only);
    inner.extend(unit);
    inner.push(port(Content::Exit, &exits));
    let mut flow = vec![Flow::Node(0)];
    flow.extend(run[..period].iter().map(|item| moved(item, &position)));
    flow.push(Flow::Node(inner.len() - 1));
    let level = Level { nodes: inner, flow: Flow::Series(flow) };
    let content = Content::Group(Group { level, exits, ..Group::default() });
    nodes.push(Node { content, takes, gives, from, shape, shows_shape, repeat, train_only });
    Flow::Node(nodes.len() - 1)
}

/// The same arrangement of nodes at other positions.
fn moved(flow: &Flow, position: &HashMap<usize, usize>) -> Flow {
    let at = |node: &usize| position.get(node).copied().unwrap_or_default();
    match flow {
        Flow::Node(node) => Flow::Node(at(node)),
        Flow::Series(items) => Flow::Series(items.iter().map(|item| moved(item, position)).collect()),
        Flow::Parallel(items) => Flow::Parallel(items.iter().map(|item| moved(item, position)).collect()),
        Flow::Lane(value) => Flow::Lane(*value),
        Flow::Tangle(nodes) => Flow::Tangle(nodes.iter().map(at).collect()),
    }
}

/// Takes from a node what does not hold for an equal one: shapes, and names, of which the last one's tells how far.
fn blur(node: &mut Node, other: &mut Node, is_last: bool) {
    if node.shape != other.shape {
        node.shows_shape = false;
    }
    match (&mut node.content, &mut other.content) {
        (Content::Rows(rows), Content::Rows(others)) => {
            for (row, other) in rows.iter_mut().zip(others) {
                blur_name(&mut row.label, &other.label, is_last);
                if row.text != other.text {
                    blur_remark(&mut row.text, &other.text);
                }
            }
        }
        (Content::Group(group), Content::Group(other)) => {
            blur_name(&mut group.name, &other.name, is_last);
            for (node, other) in group.level.nodes.iter_mut().zip(&mut other.level.nodes) {
                blur(node, other, is_last);
            }
        }
        _ => {}
    }
}

/// `layer1` up to `layer6` becomes `layer1–6`.
fn blur_name(name: &mut String, other: &str, is_last: bool) {
    if !is_last || name == other {
        return;
    }
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    match other.strip_prefix(stem) {
        Some(number) if number.bytes().all(|byte| byte.is_ascii_digit()) => *name = format!("{name}–{number}"),
        _ => *name = format!("{name}, …"),
    }
}

/// Leaves of a remark what holds for another one as well.
fn blur_remark(remark: &mut String, other: &str) {
    let same = remark.split(", ").zip(other.split(", ")).take_while(|(part, other)| part == other);
    *remark = same.map(|(part, _)| part).collect::<Vec<_>>().join(", ");
    if remark.is_empty() {
        "…".clone_into(remark);
    }
}
