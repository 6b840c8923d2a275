//! What is between braces: statements, groups, branches and loops.

use super::message::{KEY_COLON, SETTING};
use super::scan::{Token, TokenKind};
use super::{Parser, Rule, is_name};
use crate::diagnostic::Diagnostic;
use crate::syntax::{Action, Branch, If, Label, Loop, Setting, Statement, Step};
use crate::{codes, suggest};
use cnn_ir::Span;

impl<'s> Parser<'s, '_> {
    /// Statements up to the closing brace, or to the next `|` in a branch. Nesting is bounded by the scan.
    pub(super) fn sequence(&mut self) -> Vec<Statement<'s>> {
        let mut body = Vec::new();
        // The step before, while `->` may follow it; and the arrow, while a step must follow it.
        let (mut step, mut arrow) = (None, None);
        while let Some(token) = self.peek().filter(|_| !self.cut) {
            let ends = token.is("}") || (self.in_branch && is_bar(&token));
            if ends && arrow.is_none() {
                return body;
            }
            if self.report.is_full() || self.is_too_long(token) {
                break;
            }
            if token.is("->") && step.is_some() && arrow.is_none() {
                self.pos = token.end();
                arrow = Some(token);
                continue;
            }
            if let Some(Statement::Train { span, .. }) = body.last() {
                self.follows_train(token, *span);
            }
            self.misspelt = None;
            let statement = self.statement(token, step, arrow);
            if let Some(start) = self.misspelt.take() {
                // What was read as steps since is none; it may have given names.
                body.retain(|earlier| !matches!(earlier, Statement::Step(step) if step.span.start as usize >= start));
                self.lost_names = true;
            }
            let is_step = !matches!(
                statement,
                Statement::Input { .. }
                    | Statement::Output { .. }
                    | Statement::Assert { .. }
                    | Statement::TrainOnly { .. }
                    | Statement::Train { .. }
            );
            step = is_step.then_some(token);
            arrow = None;
            body.push(statement);
        }
        self.cut = true;
        self.pos = self.end;
        body
    }

    fn statement(&mut self, token: Token<'s>, step: Option<Token<'s>>, arrow: Option<Token<'s>>) -> Statement<'s> {
        match token.text {
            "input" if arrow.is_none() => self.declaration(Rule::input),
            "output" if arrow.is_none() => self.declaration(Rule::output),
            "assert" if arrow.is_none() => self.declaration(Rule::assertion),
            "repeat" | "for" | "if" => self.control(token),
            "train_only" if arrow.is_none() => self.train_only(token),
            "{" | "share" => self.step(None, token),
            "train" if arrow.is_none() => self.train(token),
            _ if !is_name(&token) => {
                self.misplaced(token, step, arrow);
                Statement::Broken { name: None }
            }
            _ => match self.second().map(|next| next.text) {
                Some("=") => {
                    self.pos = token.end();
                    self.unexpected(&["`:`"], Some(token));
                    self.skip_statement(token.start);
                    Statement::Broken { name: Some(self.name(token)) }
                }
                Some(":") => self.labelled(token),
                Some("{") if self.opens_branches(1) => self.step(None, token),
                Some("{") if suggest::keyword(token.text).is_some() && !self.is_indexed_label() => {
                    self.pos = token.end();
                    self.unexpected(&["`:`"], Some(token));
                    self.skip_statement(token.start);
                    Statement::Broken { name: None }
                }
                Some("{") => self.labelled(token),
                _ => self.step(None, token),
            },
        }
    }

    /// An input, an output or an assertion.
    fn declaration(&mut self, rule: Rule) -> Statement<'s> {
        // What stands where the name belongs.
        let name = self.second().filter(is_name).map(|token| self.name(token));
        let read = self.read(rule).and_then(|pair| {
            let mut tree = self.tree(&pair);
            match rule {
                Rule::input => tree.input(pair),
                Rule::output => tree.output(pair),
                _ => tree.assertion(pair),
            }
        });
        read.unwrap_or(Statement::Broken { name: name.filter(|_| rule == Rule::input) })
    }

    fn labelled(&mut self, first: Token<'s>) -> Statement<'s> {
        let name = self.name(first);
        let label = self.read(Rule::label).and_then(|pair| self.tree(&pair).label(pair));
        let Some(label) = label else { return Statement::Broken { name: Some(name) } };
        match self.peek() {
            Some(token) if matches!(token.text, "{" | "repeat" | "for" | "if" | "share") || is_name(&token) => {
                self.step(Some(label), token)
            }
            _ => {
                self.unexpected(&["a step"], None);
                self.skip_statement(name.span.start as usize);
                Statement::Broken { name: Some(name) }
            }
        }
    }

    /// `train_only { … }`
    fn train_only(&mut self, token: Token<'s>) -> Statement<'s> {
        self.pos = token.end();
        match self.expects_brace(token) {
            true => Statement::TrainOnly { body: self.braced(), span: self.span(token) },
            false => Statement::Broken { name: None },
        }
    }

    /// `train { … }`
    fn train(&mut self, token: Token<'s>) -> Statement<'s> {
        self.pos = token.end();
        if !self.expects_brace(token) {
            return Statement::Broken { name: None };
        }
        let outer = std::mem::replace(&mut self.in_branch, false);
        self.advance();
        let mut settings = Vec::new();
        while let Some(token) = self.peek().filter(|token| !token.is("}")) {
            if self.report.is_full() || self.is_too_long(token) {
                self.cut = true;
                self.pos = self.end;
                break;
            }
            settings.extend(self.setting(token));
        }
        self.in_branch = outer;
        self.advance();
        Statement::Train { settings, span: self.span(token) }
    }

    /// `key: value`; where it is none, that is reported.
    fn setting(&mut self, token: Token<'s>) -> Option<Setting<'s>> {
        let key = self.name(token);
        let expected: &[_] = if is_name(&token) { &[KEY_COLON] } else { &[SETTING, "`}`"] };
        self.pos = if is_name(&token) { token.end() } else { token.start };
        if !is_name(&token) || !self.peek().is_some_and(|next| next.is(":")) {
            self.unexpected(expected, is_name(&token).then_some(token));
            self.skip_statement(token.start);
            return None;
        }
        self.advance();
        let (mut steps, mut broken) = (Vec::new(), false);
        loop {
            let step = self.read(Rule::setting).and_then(|pair| self.tree(&pair).setting(pair));
            broken |= step.is_none();
            steps.extend(step);
            // As in a body, both the arrow and what follows it begin a part of the statement.
            let arrow = self.peek().filter(|token| token.is("->"));
            let goes_on = arrow.is_some_and(|arrow| {
                self.pos = arrow.end();
                !self.is_too_long(arrow) && self.peek().is_some_and(|step| !self.is_too_long(step))
            });
            if !goes_on {
                return (!broken && arrow.is_none()).then_some(Setting { key, steps });
            }
        }
    }

    /// Reports what comes after `train { … }`.
    fn follows_train(&mut self, token: Token<'s>, train: Span) {
        let message = match token.text {
            "train" => "a model has one `train`",
            _ => "`train` is the last part of a model",
        };
        let diagnostic = Diagnostic::error(&codes::MISPLACED_TRAIN, message);
        self.report.push(diagnostic.at(self.span(token), "this follows it").see(train, "the model's `train`"));
    }

    /// A call, a group, branches or a `share`; `token` begins it.
    fn step(&mut self, label: Option<Label<'s>>, token: Token<'s>) -> Statement<'s> {
        let start = label.as_ref().map_or(self.span(token), |label| label.span);
        let to = |end: Span| Span { end: end.end, ..start };
        let broken = |label: Option<Label<'s>>| Statement::Broken { name: label.map(|label| label.name) };
        if token.is("{") {
            let body = self.braced();
            return Statement::Step(Step { label, action: Action::Group(body), span: to(self.span(token)) });
        }
        if token.is("share") {
            let Some((end, shared)) = self.read(Rule::share).and_then(|pair| self.tree(&pair).share(pair)) else {
                return broken(label);
            };
            return Statement::Step(Step { label, action: Action::Share(shared), span: to(end) });
        }
        if !is_name(&token) {
            // `layer1: repeat 2 { … }` is short for `layer1: { repeat 2 { … } }`.
            let span = to(self.span(token));
            let body = vec![self.control(token)];
            return Statement::Step(Step { label, action: Action::Group(body), span });
        }
        let call = self.read(Rule::call).and_then(|pair| self.tree(&pair).call(pair));
        let Some(call) = call else { return broken(label) };
        let span = to(call.span);
        let action = match self.opens_branches(0) {
            true => Action::Join(call, self.branches()),
            false => Action::Call(call),
        };
        Statement::Step(Step { label, action, span })
    }

    /// A loop or a condition with its bodies.
    fn control(&mut self, token: Token<'s>) -> Statement<'s> {
        let lost = Statement::Broken { name: None };
        if token.is("if") {
            return self.condition().map_or(lost, Statement::If);
        }
        let rule = if token.is("repeat") { Rule::repeat_head } else { Rule::for_head };
        let rounds = self.read(rule).and_then(|pair| self.tree(&pair).rounds(pair));
        let span = Span { start: token.start as u32, end: self.before() as u32, source: self.source };
        match rounds.filter(|_| self.expects_brace(token)) {
            Some(rounds) => Statement::Loop(Loop { rounds, body: self.braced(), span }),
            None => {
                self.lost_names = true;
                lost
            }
        }
    }

    fn condition(&mut self) -> Option<If<'s>> {
        let mut arms = Vec::new();
        loop {
            let token = self.peek()?;
            let condition = self.read(Rule::if_head).and_then(|pair| self.tree(&pair).if_head(pair));
            let Some(condition) = condition.filter(|_| self.expects_brace(token)) else {
                self.lost_names = true;
                return None;
            };
            arms.push((condition, self.braced()));
            let Some(otherwise) = self.peek().filter(|token| token.is("else")) else {
                return Some(If { arms, otherwise: Vec::new() });
            };
            self.pos = otherwise.end();
            if self.peek().is_some_and(|token| token.is("if")) {
                continue;
            }
            if !self.expects_brace(otherwise) {
                self.lost_names = true;
                return None;
            }
            return Some(If { arms, otherwise: self.braced() });
        }
    }

    /// `{ … }`, at its opening brace.
    fn braced(&mut self) -> Vec<Statement<'s>> {
        let outer = std::mem::replace(&mut self.in_branch, false);
        self.advance();
        let body = self.sequence();
        self.in_branch = outer;
        self.advance();
        body
    }

    /// `{ | … | … }`, at its opening brace.
    fn branches(&mut self) -> Vec<Branch<'s>> {
        let outer = std::mem::replace(&mut self.in_branch, true);
        let mut branches = Vec::new();
        self.advance();
        while let Some(bar) = self.peek().filter(is_bar) {
            self.advance();
            if bar.is("||") {
                branches.push(Branch { body: Vec::new() });
            }
            branches.push(Branch { body: self.sequence() });
        }
        self.in_branch = outer;
        self.advance();
        branches
    }

    /// Moves past the next token, unless the body is given up.
    fn advance(&mut self) {
        if let Some(token) = self.peek().filter(|_| !self.cut) {
            self.pos = token.end();
        }
    }

    /// Whether the token after `skip` others is a brace that opens branches.
    fn opens_branches(&self, skip: usize) -> bool {
        let mut tokens = self.tokens().filter(|token| token.kind != TokenKind::Doc).skip(skip);
        tokens.next().is_some_and(|token| token.is("{"))
            && tokens.next().is_some_and(|token| is_bar(&token) || token.is("}"))
    }

    /// Whether a colon follows what is between the braces after the next token.
    fn is_indexed_label(&self) -> bool {
        let mut depth = 0usize;
        let mut tokens = self.tokens().filter(|token| token.kind != TokenKind::Doc).skip(1);
        let end = tokens.find(|token| {
            match token.kind {
                TokenKind::Open => depth += 1,
                TokenKind::Close => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0
        });
        end.is_some() && tokens.next().is_some_and(|token| token.is(":"))
    }

    /// Whether a body follows; if not, says so and skips the statement that `first` begins.
    fn expects_brace(&mut self, first: Token<'s>) -> bool {
        let follows = self.peek().is_some_and(|token| token.is("{"));
        if !follows {
            self.unexpected(&["`{`"], None);
            self.skip_statement(first.start);
        }
        follows
    }

    /// Where the text before the current position ends, without blanks.
    fn before(&self) -> usize {
        self.text[..self.pos].trim_end().len()
    }

    /// Reports a token that begins no statement.
    fn misplaced(&mut self, token: Token<'s>, step: Option<Token<'s>>, arrow: Option<Token<'s>>) {
        let expected: &[_] = match (step, arrow) {
            (_, Some(_)) => &["a step"],
            (Some(_), None) => &["`->`", "a step", "`}`"],
            (None, None) => &["a step", "`}`"],
        };
        self.pos = token.start;
        self.unexpected(expected, step);
        self.skip_statement(token.start);
    }
}

fn is_bar(token: &Token<'_>) -> bool {
    token.is("|") || token.is("||")
}
