//! How the nodes of a level follow each other: one after the other, side by side, or neither.
//!
//! A node that every path goes through cuts a region into what is before it and what is after it; what lies between two
//! such nodes falls into components that stand side by side. A component without such a node is a tangle. In an order
//! along the data, a node is a cut exactly if no edge goes past it, so one sweep finds them all.

use super::model::{Node, Value};
use std::collections::HashMap;

/// An arrangement of nodes, by their positions in the level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flow {
    /// One node.
    Node(usize),
    /// One after the other.
    Series(Vec<Flow>),
    /// Side by side.
    Parallel(Vec<Flow>),
    /// A value that passes by, as beside the branches of a residual block.
    Lane(Value),
    /// Nodes in the order of the data whose edges allow nothing better.
    Tangle(Vec<usize>),
}

impl Default for Flow {
    fn default() -> Self {
        Self::Series(Vec::new())
    }
}

/// Skips nested deeper than this are a tangle.
const MAX_NESTING: usize = 48;

impl Flow {
    /// The arrangement of nodes that are in the order of the data.
    pub fn new(nodes: &[Node]) -> Self {
        let edges = Edges::new(nodes);
        let all: Vec<usize> = (0..nodes.len()).collect();
        edges.region(&all, None, None, 0)
    }

    /// The nodes in the order of the drawing.
    pub fn nodes(&self) -> Vec<usize> {
        let mut nodes = Vec::new();
        self.collect(&mut nodes);
        nodes
    }

    fn collect(&self, nodes: &mut Vec<usize>) {
        match self {
            Self::Node(node) => nodes.push(*node),
            Self::Series(items) | Self::Parallel(items) => items.iter().for_each(|item| item.collect(nodes)),
            Self::Lane(_) => {}
            Self::Tangle(tangled) => nodes.extend(tangled),
        }
    }
}

struct Edges<'a> {
    nodes: &'a [Node],
    /// The nodes whose values a node takes.
    before: Vec<Vec<usize>>,
    /// The nodes that take a node's values.
    after: Vec<Vec<usize>>,
}

impl<'a> Edges<'a> {
    fn new(nodes: &'a [Node]) -> Self {
        let mut producers: HashMap<Value, usize> = HashMap::new();
        let mut before = vec![Vec::new(); nodes.len()];
        let mut after = vec![Vec::new(); nodes.len()];
        for (index, node) in nodes.iter().enumerate() {
            for producer in node.takes.iter().filter_map(|value| producers.get(value).copied()) {
                if !before[index].contains(&producer) {
                    before[index].push(producer);
                    after[producer].push(index);
                }
            }
            for value in &node.gives {
                producers.entry(*value).or_insert(index);
            }
        }
        Self { nodes, before, after }
    }

    /// The arrangement of the nodes of a region, in order, between a node before all of them and one after them.
    fn region(&self, region: &[usize], source: Option<usize>, sink: Option<usize>, depth: usize) -> Flow {
        if let [node] = *region {
            return Flow::Node(node);
        }
        if depth > MAX_NESTING {
            return Flow::Tangle(region.to_vec());
        }
        let cuts = self.cuts(region);
        if cuts.is_empty() {
            let parts = self.components(region);
            if parts.len() < 2 {
                return Flow::Tangle(region.to_vec());
            }
            return self.parallel(&parts, source, sink, depth);
        }
        let mut items = Vec::new();
        let mut start = 0;
        let mut last = source;
        let ends = cuts.iter().copied().map(Some).chain([None]);
        for end in ends {
            let next = end.map_or(sink, |end| Some(region[end]));
            let between = &region[start..end.unwrap_or(region.len())];
            if !between.is_empty() {
                match self.parallel(&self.components(between), last, next, depth + 1) {
                    Flow::Series(inner) => items.extend(inner),
                    flow => items.push(flow),
                }
            }
            if let Some(end) = end {
                items.push(Flow::Node(region[end]));
                start = end + 1;
                last = next;
            }
        }
        Flow::Series(items)
    }

    /// Positions in the region of the nodes that no edge goes past.
    fn cuts(&self, region: &[usize]) -> Vec<usize> {
        let position: HashMap<usize, usize> = region.iter().enumerate().map(|(at, node)| (*node, at)).collect();
        let inside = |nodes: &[usize]| nodes.iter().filter_map(|node| position.get(node).copied()).collect::<Vec<_>>();
        let mut reach = 0;
        for (at, node) in region.iter().enumerate() {
            let before = inside(&self.before[*node]);
            if before.len() < self.before[*node].len() || before.is_empty() {
                reach = reach.max(at);
            }
        }
        let mut cuts = Vec::new();
        for (at, node) in region.iter().enumerate() {
            if reach <= at {
                cuts.push(at);
            }
            let after = inside(&self.after[*node]);
            let leaves = after.len() < self.after[*node].len() || after.is_empty();
            reach = reach.max(if leaves { region.len() } else { after.into_iter().max().unwrap_or(0) });
        }
        cuts
    }

    /// The parts of a region that no edge connects.
    fn components(&self, region: &[usize]) -> Vec<Vec<usize>> {
        let position: HashMap<usize, usize> = region.iter().enumerate().map(|(at, node)| (*node, at)).collect();
        let mut leader: Vec<usize> = (0..region.len()).collect();
        fn find(leader: &mut [usize], mut at: usize) -> usize {
            while leader[at] != at {
                leader[at] = leader[leader[at]];
                at = leader[at];
            }
            at
        }
        for (at, node) in region.iter().enumerate() {
            for after in self.after[*node].iter().filter_map(|node| position.get(node)) {
                let (a, b) = (find(&mut leader, at), find(&mut leader, *after));
                leader[a.max(b)] = a.min(b);
            }
        }
        let mut parts: Vec<Vec<usize>> = Vec::new();
        let mut part_of: HashMap<usize, usize> = HashMap::new();
        for (at, node) in region.iter().enumerate() {
            let part = *part_of.entry(find(&mut leader, at)).or_insert_with(|| {
                parts.push(Vec::new());
                parts.len() - 1
            });
            parts[part].push(*node);
        }
        parts
    }

    /// Parts side by side, with the values that go straight from the source to the sink, in the order in which the sink
    /// takes them, which is the order of writing.
    fn parallel(&self, parts: &[Vec<usize>], source: Option<usize>, sink: Option<usize>, depth: usize) -> Flow {
        let wanted: &[Value] = sink.map_or(&[], |sink| &self.nodes[sink].takes);
        let place = |values: &[Value]| wanted.iter().position(|value| values.contains(value)).unwrap_or(wanted.len());
        let mut branches: Vec<((usize, usize), Flow)> = Vec::new();
        for part in parts {
            let at = part.iter().map(|node| place(&self.nodes[*node].gives)).min().unwrap_or(wanted.len());
            // Where nothing joins them, the longest is the main one and comes first.
            let shortness = if sink.is_none() { usize::MAX - part.len() } else { 0 };
            branches.push(((at, shortness), self.region(part, source, sink, depth)));
        }
        let given: &[Value] = source.map_or(&[], |source| &self.nodes[source].gives);
        let lanes = given.iter().filter(|value| wanted.contains(value));
        branches.extend(lanes.map(|value| ((place(&[*value]), 0), Flow::Lane(*value))));
        branches.sort_by_key(|(at, _)| *at);
        let mut flows: Vec<Flow> = branches.into_iter().map(|(_, flow)| flow).collect();
        match flows.len() {
            1 => flows.remove(0),
            _ => Flow::Parallel(flows),
        }
    }
}
