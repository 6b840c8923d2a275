//! The syntax tree: what was written, with its places, before anything is known about it.

use cnn_ir::Span;

/// A file.
#[derive(Debug, Default)]
pub struct File<'s> {
    /// `use "blocks.cnn"`: the paths, without quotes.
    pub uses: Vec<Name<'s>>,
    /// The blocks and extern layers, in order.
    pub blocks: Vec<Definition<'s>>,
    /// The models, in order.
    pub models: Vec<Definition<'s>>,
    /// Where each statement of a body begins, and each `->` between two, ascending: there the formatter may begin a line.
    pub statements: Vec<usize>,
}

/// A name and where it stands.
#[derive(Debug, Clone, Copy)]
pub struct Name<'s> {
    pub text: &'s str,
    pub span: Span,
}

/// `model Name(params) { body }`, `block name(params) { body }`, `model Name = Other(arguments)` or
/// `extern layer name(params) -> shape = path`
#[derive(Debug)]
pub struct Definition<'s> {
    /// The `///` lines above, joined by newlines.
    pub doc: String,
    pub name: Name<'s>,
    pub params: Vec<ParamDecl<'s>>,
    pub body: Vec<Statement<'s>>,
    /// What a block that is an `extern layer` has instead of a body.
    pub external: Option<External<'s>>,
    /// The model of which this one is a preset; then there is no body.
    pub preset: Option<Call<'s>>,
    /// From the keyword to the name; what is said about the definition as a whole points here.
    pub head: Span,
    /// Parts of the head could not be read, so names may be missing.
    pub broken_head: bool,
    /// The body could not be read to its end, so statements may be missing.
    pub broken_body: bool,
    /// A part of the body could not be read, and with it labels.
    pub lost_names: bool,
    /// The file has more statements than a network may have layers; expanding the model has no use.
    pub oversized: bool,
}

/// `-> in.shape = crate::layers::Scale`
#[derive(Debug)]
pub struct External<'s> {
    pub shape: Expr<'s>,
    pub path: Name<'s>,
}

/// `classes: int = 10`
#[derive(Debug)]
pub struct ParamDecl<'s> {
    pub name: Name<'s>,
    pub ty: TypeExpr<'s>,
    pub default: Option<Expr<'s>>,
    pub span: Span,
}

/// A type as written.
#[derive(Debug)]
pub enum TypeExpr<'s> {
    Name(Name<'s>),
    List(Box<TypeExpr<'s>>),
    Tuple(Vec<TypeExpr<'s>>),
}

/// A statement of a body.
#[derive(Debug)]
pub enum Statement<'s> {
    /// `input image: [1, 28, 28]`
    Input { name: Name<'s>, shape: Expr<'s>, span: Span },
    /// `output logits`, or `output features = c2`
    Output { name: Name<'s>, value: Option<Name<'s>>, span: Span },
    /// `assert params < 130M`
    Assert { condition: Expr<'s>, span: Span },
    /// A step, labelled or not.
    Step(Step<'s>),
    /// `repeat n { … }` and `for pattern in values { … }`
    Loop(Loop<'s>),
    /// `if condition { … } else { … }`
    If(If<'s>),
    /// `train_only { … }`
    TrainOnly { body: Vec<Statement<'s>>, span: Span },
    /// `train { … }`
    Train { settings: Vec<Setting<'s>>, span: Span },
    /// Something that could not be read and was reported; the names it may have given are kept.
    Broken { name: Option<Name<'s>> },
}

/// `schedule: warmup(5) -> cosine(total = 30)`
#[derive(Debug)]
pub struct Setting<'s> {
    pub key: Name<'s>,
    /// The value, or the parts of one that are joined by arrows; at least one.
    pub steps: Vec<Expr<'s>>,
}

/// One step: takes the current value and leaves the next.
#[derive(Debug)]
pub struct Step<'s> {
    pub label: Option<Label<'s>>,
    pub action: Action<'s>,
    /// From the label to the end of the call, or to the brace that opens the group.
    pub span: Span,
}

/// `c1:`, or `layer{i + 1}:`
#[derive(Debug)]
pub struct Label<'s> {
    pub name: Name<'s>,
    pub index: Option<Expr<'s>>,
    /// The name with its index.
    pub span: Span,
}

/// What a step does.
#[derive(Debug)]
pub enum Action<'s> {
    /// `conv(6, kernel = 5)`
    Call(Call<'s>),
    /// `{ … }`: a sequence within the sequence.
    Group(Vec<Statement<'s>>),
    /// `add { | … | … }`
    Join(Call<'s>, Vec<Branch<'s>>),
    /// `share encoder`: the step of this label again, with its parameters.
    Share(Label<'s>),
}

/// `| conv(8, 3) -> relu`; without steps, the identity.
#[derive(Debug)]
pub struct Branch<'s> {
    pub body: Vec<Statement<'s>>,
}

/// A loop.
#[derive(Debug)]
pub struct Loop<'s> {
    pub rounds: Rounds<'s>,
    pub body: Vec<Statement<'s>>,
    /// The head.
    pub span: Span,
}

/// What a loop runs over.
#[derive(Debug)]
pub enum Rounds<'s> {
    /// `repeat n`
    Count(Expr<'s>),
    /// `for i in 0..n`
    Range(Pattern<'s>, Expr<'s>, Expr<'s>),
    /// `for (a, b) in list`
    Items(Pattern<'s>, Expr<'s>),
}

/// What a loop gives names to.
#[derive(Debug)]
pub enum Pattern<'s> {
    Name(Name<'s>),
    Tuple(Vec<Pattern<'s>>, Span),
}

/// `if a { … } else if b { … } else { … }`
#[derive(Debug)]
pub struct If<'s> {
    pub arms: Vec<(Expr<'s>, Vec<Statement<'s>>)>,
    pub otherwise: Vec<Statement<'s>>,
}

/// `conv(6, kernel = 5)`
#[derive(Debug)]
pub struct Call<'s> {
    pub name: Name<'s>,
    pub arguments: Vec<Argument<'s>>,
    /// The parentheses and what is between them, if written.
    pub parenthesis: Option<Span>,
    pub span: Span,
}

/// `5`, or `kernel = 5`
#[derive(Debug)]
pub struct Argument<'s> {
    pub name: Option<Name<'s>>,
    pub value: Expr<'s>,
    pub span: Span,
}

/// An expression.
#[derive(Debug)]
pub struct Expr<'s> {
    pub kind: ExprKind<'s>,
    pub span: Span,
}

/// What an expression is.
#[derive(Debug)]
pub enum ExprKind<'s> {
    Int(i64),
    Float(f64),
    Bool(bool),
    Name(&'s str),
    /// `in.channels`
    Input(Name<'s>),
    /// `skip{i}`: the value of an indexed label.
    Indexed(Name<'s>, Box<Expr<'s>>),
    /// `min(a, b)`, or a layer with arguments: `leaky_relu(0.1)`.
    Call(Box<Call<'s>>),
    Tuple(Vec<Expr<'s>>),
    List(Vec<Expr<'s>>),
    /// `"data/mnist"`, without its quotes: in `train` alone.
    Text(&'s str),
    /// `pair.0`
    Field(Box<Expr<'s>>, usize),
    Negate(Box<Expr<'s>>),
    Not(Box<Expr<'s>>),
    /// Operators of equal precedence, from left to right; a chain and not a tree, so that its length costs no stack.
    Chain(Box<Expr<'s>>, Vec<(Operator, Expr<'s>)>),
    Compare(Comparison, Box<(Expr<'s>, Expr<'s>)>),
    /// `a and b and c`
    All(Vec<Expr<'s>>),
    /// `a or b or c`
    Any(Vec<Expr<'s>>),
    /// Conditions with their values, and the value otherwise.
    If(Vec<(Expr<'s>, Expr<'s>)>, Box<Expr<'s>>),
    /// A literal that could not be read and was reported.
    Broken,
}

/// An arithmetic operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

impl<'s> Definition<'s> {
    /// A definition of which only the name is known.
    pub fn new(doc: String, name: Name<'s>) -> Self {
        Self {
            doc,
            name,
            params: Vec::new(),
            body: Vec::new(),
            external: None,
            preset: None,
            head: name.span,
            broken_head: false,
            broken_body: false,
            lost_names: false,
            oversized: false,
        }
    }
}

impl Operator {
    /// As it is written.
    pub fn sign(self) -> &'static str {
        match self {
            Operator::Add => "+",
            Operator::Subtract => "-",
            Operator::Multiply => "*",
            Operator::Divide => "/",
            Operator::Remainder => "%",
        }
    }
}

impl Comparison {
    /// As it is written.
    pub fn sign(self) -> &'static str {
        match self {
            Comparison::Equal => "==",
            Comparison::NotEqual => "!=",
            Comparison::Less => "<",
            Comparison::LessEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterEqual => ">=",
        }
    }
}

impl<'s> Expr<'s> {
    /// Calls `see` with every name in the expression that could be a parameter, a variable, a layer or a block.
    pub fn each_name(&self, see: &mut impl FnMut(Name<'s>)) {
        match &self.kind {
            ExprKind::Name(text) => see(Name { text, span: self.span }),
            ExprKind::Call(call) => call.each_name(see),
            ExprKind::Tuple(items) | ExprKind::List(items) | ExprKind::All(items) | ExprKind::Any(items) => {
                items.iter().for_each(|item| item.each_name(see));
            }
            ExprKind::Indexed(_, inner)
            | ExprKind::Field(inner, _)
            | ExprKind::Negate(inner)
            | ExprKind::Not(inner) => {
                inner.each_name(see);
            }
            ExprKind::Chain(first, rest) => {
                first.each_name(see);
                rest.iter().for_each(|(_, operand)| operand.each_name(see));
            }
            ExprKind::Compare(_, sides) => {
                sides.0.each_name(see);
                sides.1.each_name(see);
            }
            ExprKind::If(arms, otherwise) => {
                for (condition, value) in arms {
                    condition.each_name(see);
                    value.each_name(see);
                }
                otherwise.each_name(see);
            }
            ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Bool(_)
            | ExprKind::Input(_)
            | ExprKind::Text(_)
            | ExprKind::Broken => {}
        }
    }
}

impl<'s> Call<'s> {
    /// As [`Expr::each_name`].
    pub fn each_name(&self, see: &mut impl FnMut(Name<'s>)) {
        see(self.name);
        self.arguments.iter().for_each(|argument| argument.value.each_name(see));
    }
}

impl<'s> Statement<'s> {
    /// The statements within this one, sequence by sequence.
    pub fn inner(&self) -> Vec<&[Statement<'s>]> {
        match self {
            Statement::Step(Step { action: Action::Group(body), .. })
            | Statement::Loop(Loop { body, .. })
            | Statement::TrainOnly { body, .. } => vec![body],
            Statement::Step(Step { action: Action::Join(_, branches), .. }) => {
                branches.iter().map(|branch| branch.body.as_slice()).collect()
            }
            Statement::If(If { arms, otherwise }) => {
                arms.iter().map(|(_, body)| body.as_slice()).chain([otherwise.as_slice()]).collect()
            }
            _ => Vec::new(),
        }
    }

    /// As [`Expr::each_name`], for this statement and all within it.
    pub fn each_name(&self, see: &mut impl FnMut(Name<'s>)) {
        match self {
            Statement::Input { shape: expr, .. } | Statement::Assert { condition: expr, .. } => expr.each_name(see),
            Statement::Step(Step { label, action, .. }) => {
                let shared = if let Action::Share(shared) = action { Some(shared) } else { None };
                let labels = label.iter().chain(shared);
                labels.filter_map(|label| label.index.as_ref()).for_each(|index| index.each_name(see));
                if let Action::Call(call) | Action::Join(call, _) = action {
                    call.each_name(see);
                }
            }
            Statement::Loop(Loop { rounds, .. }) => match rounds {
                Rounds::Count(expr) | Rounds::Items(_, expr) => expr.each_name(see),
                Rounds::Range(_, first, end) => {
                    first.each_name(see);
                    end.each_name(see);
                }
            },
            Statement::If(If { arms, .. }) => arms.iter().for_each(|(condition, _)| condition.each_name(see)),
            Statement::Train { settings, .. } => {
                settings.iter().flat_map(|setting| &setting.steps).for_each(|step| step.each_name(see));
            }
            Statement::Output { .. } | Statement::TrainOnly { .. } | Statement::Broken { .. } => {}
        }
        self.inner().into_iter().flatten().for_each(|statement| statement.each_name(see));
    }
}
