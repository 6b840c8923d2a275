//! The syntax tree: what was written, with its places, before anything is known about it.

use cnn_ir::Span;

/// A file.
#[derive(Debug, Default)]
pub struct File<'s> {
    /// The models, in order.
    pub models: Vec<Model<'s>>,
}

/// A name and where it stands.
#[derive(Debug, Clone, Copy)]
pub struct Name<'s> {
    pub text: &'s str,
    pub span: Span,
}

/// `model Name(params) { body }`
#[derive(Debug)]
pub struct Model<'s> {
    /// The `///` lines above, joined by newlines.
    pub doc: String,
    pub name: Name<'s>,
    pub params: Vec<ParamDecl<'s>>,
    pub body: Vec<Statement<'s>>,
    /// From `model` to the name; what is said about the model as a whole points here.
    pub head: Span,
    /// Parts of the head could not be read, so names may be missing.
    pub broken_head: bool,
    /// The body could not be read to its end, so statements may be missing.
    pub broken_body: bool,
    /// The file has more statements than a network may have layers; expanding the model has no use.
    pub oversized: bool,
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
    /// A step, labelled or not.
    Step(Step<'s>),
    /// Something that could not be read and was reported; the names it may have given are kept.
    Broken { name: Option<Name<'s>> },
}

/// One step: takes the current value and leaves the next.
#[derive(Debug)]
pub struct Step<'s> {
    pub label: Option<Name<'s>>,
    pub call: Call<'s>,
    pub span: Span,
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
    Tuple(Vec<Expr<'s>>),
    List(Vec<Expr<'s>>),
    Negate(Box<Expr<'s>>),
    /// Operators of equal precedence, from left to right; a chain and not a tree, so that its length costs no stack.
    Chain(Box<Expr<'s>>, Vec<(Operator, Expr<'s>)>),
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
