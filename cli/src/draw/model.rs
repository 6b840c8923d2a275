//! What is drawn: levels of nodes, and what flows between them.

use super::chain::{self, Row, Size};
use super::flow::Flow;
use super::{MAX_BOXES, fold, text};
use cnn::{Block, BlockId, Member, Network};
use std::collections::HashSet;

/// A value, by its position in the network.
pub type Value = usize;

/// A network as it is drawn.
#[derive(Debug)]
pub struct Drawing {
    /// The model's name.
    pub title: String,
    /// What it costs, and what was left out.
    pub caption: String,
    /// The model itself.
    pub root: Level,
}

/// The inside of a block.
#[derive(Debug, Default)]
pub struct Level {
    /// The nodes; those that were folded away stay as empty ones that the flow does not name.
    pub nodes: Vec<Node>,
    /// How they follow each other.
    pub flow: Flow,
}

/// Something with a place in the picture.
#[derive(Debug, Default)]
pub struct Node {
    /// What it is.
    pub content: Content,
    /// The values it takes, each once.
    pub takes: Vec<Value>,
    /// The values it gives.
    pub gives: Vec<Value>,
    /// The shape of the first value it takes.
    pub from: Vec<usize>,
    /// The shape of what it gives.
    pub shape: Vec<usize>,
    /// Whether that shape is written beneath it.
    pub shows_shape: bool,
    /// How many such nodes follow each other; 1 for a single one.
    pub repeat: usize,
    /// Whether it exists in training only.
    pub train_only: bool,
}

/// What a node is.
#[derive(Debug, Default)]
pub enum Content {
    /// Where a value comes into a block.
    #[default]
    Entry,
    /// Where a value leaves a block.
    Exit,
    /// An input or output of the model.
    Terminal(String),
    /// Layers in one box, a row each.
    Rows(Vec<Row>),
    /// A sum or a product.
    Circle(&'static str),
    /// A concatenation: as wide as what comes together in it.
    Bar(String),
    /// A block.
    Group(Group),
}

/// A block instance, a labelled group, or a folded run of several nodes.
#[derive(Debug, Default)]
pub struct Group {
    /// The label, if there is one.
    pub name: String,
    /// The block's definition, if there is one.
    pub definition: String,
    /// Whose weights it shares.
    pub note: String,
    /// The inside.
    pub level: Level,
    /// The values inside, in the order of those the node gives.
    pub exits: Vec<Value>,
}

impl Drawing {
    /// The drawing of a network, with blocks opened down to `depth`: 1 is the model's own steps, its blocks a box each.
    ///
    /// Without a depth, it is the greatest at which the drawing is not too large, and the caption says so.
    ///
    /// # Errors
    /// A drawing of more than [`MAX_BOXES`] boxes, with the remedy.
    pub fn new(network: &Network, depth: Option<usize>) -> Result<Self, String> {
        let uses = Uses::new(network);
        let build = |depth| Builder { network, uses: &uses, depth }.level(BlockId::ROOT, 0);
        let mut root = build(depth.unwrap_or(usize::MAX));
        let mut folded = String::new();
        let mut counts = root.boxes_by_depth();
        if depth.is_none() && counts.total() > MAX_BOXES {
            let fitting = counts.greatest_fitting(MAX_BOXES).max(1);
            root = build(fitting);
            counts = root.boxes_by_depth();
            folded = format!(" · folded at depth {fitting}");
        }
        if counts.total() > MAX_BOXES {
            let remedy = match depth {
                Some(depth) if depth > 1 => "use a smaller `--depth`",
                _ => "put layers into blocks, which are then drawn as one box each",
            };
            return Err(format!(
                "a drawing of `{}` would have {} boxes, and more than {MAX_BOXES} are not readable: {remedy}",
                network.name,
                counts.total()
            ));
        }
        let cost = network.cost();
        let caption = format!("{} parameters · {} MACs{folded}", text::count(cost.params), text::count(cost.macs));
        Ok(Self { title: network.name.clone(), caption, root })
    }
}

impl Level {
    fn boxes_by_depth(&self) -> BoxCounts {
        let mut counts = BoxCounts(Vec::new());
        self.count(0, &mut counts.0);
        counts
    }

    fn count(&self, depth: usize, counts: &mut Vec<[usize; 2]>) {
        if counts.len() <= depth {
            counts.resize(depth + 1, [0, 0]);
        }
        for node in self.flow.nodes().into_iter().map(|index| &self.nodes[index]) {
            match &node.content {
                Content::Entry | Content::Exit => {}
                Content::Group(group) => {
                    // A folded run is no block: it stays open however deep.
                    let inside = depth + usize::from(!group.is_run());
                    counts[depth][1] += usize::from(!group.is_run());
                    group.level.count(inside, counts);
                }
                _ => counts[depth][0] += 1,
            }
        }
    }
}

impl Group {
    /// Whether it is no block, only a frame around what is repeated.
    pub fn is_run(&self) -> bool {
        self.name.is_empty() && self.definition.is_empty()
    }
}

/// How many boxes and how many groups there are at each depth.
struct BoxCounts(Vec<[usize; 2]>);

impl BoxCounts {
    fn total(&self) -> usize {
        self.0.iter().map(|[boxes, groups]| boxes + groups).sum()
    }

    /// The greatest depth at which not more than `most` boxes are left.
    fn greatest_fitting(&self, most: usize) -> usize {
        let mut sum = 0;
        let fits = |[boxes, groups]: &&[usize; 2]| {
            sum += boxes + groups;
            sum <= most
        };
        self.0.iter().take_while(fits).count()
    }
}

/// Which values go into each block and come out of it, and how often each value is used.
pub struct Uses {
    takes: Vec<Vec<Value>>,
    gives: Vec<Vec<Value>>,
    count: Vec<usize>,
    /// For each value the one that it is: an identity gives what it takes, and is drawn as a line.
    through: Vec<Value>,
}

fn through(network: &Network) -> Vec<Value> {
    let mut through: Vec<Value> = (0..network.inputs.len()).collect();
    for (index, layer) in network.layers.iter().enumerate() {
        let taken = layer.inputs.first().and_then(|value| through.get(value.index()).copied());
        let value = network.inputs.len() + index;
        through.push(taken.filter(|_| is_line(layer)).unwrap_or(value));
    }
    through
}

/// Whether a layer is drawn as a line, its label being only the value's name.
pub fn is_line(layer: &cnn::Layer) -> bool {
    layer.op.def().name == "identity"
}

impl Uses {
    fn new(network: &Network) -> Self {
        let blocks = network.blocks.len();
        let inputs = network.inputs.len();
        let mut uses = Self {
            takes: vec![Vec::new(); blocks],
            gives: vec![Vec::new(); blocks],
            count: vec![0; inputs + network.layers.len()],
            through: through(network),
        };
        let mut depths = Vec::with_capacity(blocks);
        for block in &network.blocks {
            let depth = block.parent.and_then(|parent| depths.get(parent.index())).map_or(0, |depth| depth + 1);
            depths.push(depth);
        }
        let mut seen = HashSet::new();
        let mut record = |value: Value, consumer: BlockId| {
            let value = uses.through[value];
            uses.count[value] += 1;
            let producer = value.checked_sub(inputs).map_or(BlockId::ROOT, |layer| network.layers[layer].block);
            let (mut from, mut to) = (producer, consumer);
            let parent = |block: BlockId| network.blocks[block.index()].parent.unwrap_or(BlockId::ROOT);
            while from != to {
                if depths[from.index()] >= depths[to.index()] {
                    if seen.insert((from, value, false)) {
                        uses.gives[from.index()].push(value);
                    }
                    from = parent(from);
                } else {
                    if seen.insert((to, value, true)) {
                        uses.takes[to.index()].push(value);
                    }
                    to = parent(to);
                }
            }
        };
        for layer in &network.layers {
            for value in &layer.inputs {
                record(value.index(), layer.block);
            }
        }
        for output in &network.outputs {
            record(output.value.index(), BlockId::ROOT);
        }
        uses.gives.iter_mut().for_each(|values| values.sort_unstable());
        uses
    }
}

struct Builder<'a> {
    network: &'a Network,
    uses: &'a Uses,
    depth: usize,
}

impl Builder<'_> {
    fn level(&self, block: BlockId, depth: usize) -> Level {
        let mut nodes = Vec::new();
        if block == BlockId::ROOT {
            let inputs = self.network.inputs.iter().enumerate();
            nodes.extend(inputs.map(|(value, input)| Node {
                content: Content::Terminal(input.name.clone()),
                gives: vec![value],
                shape: input.shape.to_vec(),
                shows_shape: true,
                repeat: 1,
                ..Node::default()
            }));
        }
        nodes.extend(self.uses.takes[block.index()].iter().map(|value| self.port(Content::Entry, *value)));
        let mut open: Option<Value> = None;
        for member in &self.network.blocks[block.index()].members {
            match *member {
                Member::Layer(layer) if is_line(&self.network.layers[layer]) => {}
                Member::Layer(layer) => {
                    let node = self.layer(layer);
                    let value = node.gives.first().copied();
                    let continues = open.is_some() && node.takes.len() == 1 && node.takes.first().copied() == open;
                    match nodes.last_mut().filter(|_| continues) {
                        Some(last) if chain::continues(last, &node) => chain::append(last, node),
                        _ => nodes.push(node),
                    }
                    open = value.filter(|value| self.uses.count[*value] == 1);
                }
                Member::Block(inner) => {
                    nodes.extend(self.block(inner, depth));
                    open = None;
                }
            }
        }
        nodes.extend(self.uses.gives[block.index()].iter().map(|value| self.port(Content::Exit, *value)));
        if block == BlockId::ROOT {
            nodes.extend(self.network.outputs.iter().map(|output| Node {
                content: Content::Terminal(output.name.clone()),
                takes: vec![self.uses.through[output.value.index()]],
                train_only: output.train_only,
                repeat: 1,
                ..Node::default()
            }));
        }
        let flow = Flow::new(&nodes);
        let mut level = Level { nodes, flow };
        fold::fold(&mut level);
        level
    }

    fn port(&self, content: Content, value: Value) -> Node {
        let shape = self.shape(value);
        Node { content, takes: vec![value], gives: vec![value], shape, repeat: 1, ..Node::default() }
    }

    fn shape(&self, value: Value) -> Vec<usize> {
        let inputs = self.network.inputs.len();
        match value.checked_sub(inputs) {
            None => self.network.inputs[value].shape.to_vec(),
            Some(layer) => self.network.layers[layer].shape.to_vec(),
        }
    }

    fn layer(&self, index: usize) -> Node {
        let layer = &self.network.layers[index];
        let mut takes: Vec<Value> = Vec::new();
        for value in &layer.inputs {
            let value = self.uses.through[value.index()];
            if !takes.contains(&value) {
                takes.push(value);
            }
        }
        let value = self.network.inputs.len() + index;
        let label = if layer.labelled { layer.name.as_str() } else { "" };
        // In a block that is applied again, the block says so.
        let shared = layer.shares.filter(|_| !layer.op.parameters().is_empty() && !self.is_shared(layer.block));
        let shared = shared.map(|layer| self.network.path(layer)).unwrap_or_default();
        let content = chain::content(&layer.op, label, &shared, takes.len());
        self.node(content, takes, vec![value], layer.train_only)
    }

    /// A block that holds something; one that holds a single box is that box.
    fn block(&self, block: BlockId, depth: usize) -> Option<Node> {
        let instance = &self.network.blocks[block.index()];
        let takes = self.uses.takes[block.index()].clone();
        let gives = self.uses.gives[block.index()].clone();
        let name = if chain::is_position(&instance.name) { String::new() } else { instance.name.clone() };
        let definition = if instance.definition == Block::GROUP { String::new() } else { instance.definition.clone() };
        let note =
            instance.shares.map(|block| self.network.block_path(block)).map(|path| format!("shared with {path}"));
        let note = note.unwrap_or_default();
        if depth + 1 >= self.depth {
            let mut size = Size::default();
            self.measure(block, &mut size);
            let rows = chain::folded(&instance.name, &name, &definition, &note, &size);
            return (size.layers > 0).then(|| self.node(Content::Rows(rows), takes, gives, instance.train_only));
        }
        let mut level = self.level(block, depth + 1);
        let inside = level.flow.nodes();
        let content = match *inside.as_slice() {
            [_, only, _] if takes.len() == 1 && gives.len() == 1 && chain::is_box(&level.nodes[only]) => {
                let mut content = std::mem::take(&mut level.nodes[only]).content;
                chain::rename(&mut content, &name, &note);
                content
            }
            _ if inside.iter().all(|node| matches!(level.nodes[*node].content, Content::Entry | Content::Exit)) => {
                return None;
            }
            _ => {
                let name = if name.is_empty() && definition.is_empty() { instance.name.clone() } else { name };
                Content::Group(Group { name, definition, note, level, exits: gives.clone() })
            }
        };
        Some(self.node(content, takes, gives, instance.train_only))
    }

    /// Whether a block, or one around it, is applied again.
    fn is_shared(&self, block: BlockId) -> bool {
        let around = |block: &BlockId| self.network.blocks[block.index()].parent;
        std::iter::successors(Some(block), around).any(|block| self.network.blocks[block.index()].shares.is_some())
    }

    /// Counts the layers of a block.
    fn measure(&self, block: BlockId, size: &mut Size) {
        for member in &self.network.blocks[block.index()].members {
            match *member {
                Member::Layer(layer) => {
                    size.add(&self.network.layers[layer].op, self.network.layer_cost(layer).params);
                }
                Member::Block(inner) => self.measure(inner, size),
            }
        }
    }

    fn node(&self, content: Content, takes: Vec<Value>, gives: Vec<Value>, train_only: bool) -> Node {
        let from = takes.first().map(|value| self.shape(*value)).unwrap_or_default();
        let shape = gives.last().map(|value| self.shape(*value)).unwrap_or_default();
        let shows_shape = !gives.is_empty() && from != shape;
        Node { content, takes, gives, from, shape, shows_shape, repeat: 1, train_only }
    }
}
