//! Tokens to a tree, by operator precedence.

use std::sync::Arc;

use crate::ast::{Expr, Kind, Name, Operator};
use crate::error::{CompileError, Span};
use crate::lex::{Token, tokens};
use crate::limits;

/// Words that CEL keeps for itself; none can be a name, but each can be a field behind a dot.
const RESERVED_WORDS: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// Errors are boxed here: their size would count on the stack at every level of nesting.
type Result<T> = std::result::Result<T, Box<CompileError>>;

fn fail<T>(error: CompileError) -> Result<T> {
    Err(Box::new(error))
}

/// Parses a whole source.
pub(crate) fn parse(source: &str) -> std::result::Result<Expr, CompileError> {
    whole(source).map_err(|error| *error)
}

fn whole(source: &str) -> Result<Expr> {
    if source.len() > limits::SOURCE_BYTES {
        return fail(CompileError::new(
            Span::new(limits::SOURCE_BYTES, source.len()),
            format!("the expression is longer than {} bytes", limits::SOURCE_BYTES),
        ));
    }
    let mut parser = Parser { tokens: tokens(source)?, at: 0, depth: 0 };
    if parser.tokens.len() == 1 {
        return fail(CompileError::new(Span::new(0, source.len()), "the expression is empty"));
    }
    let expr = parser.expr()?;
    match parser.peek() {
        Token::End => Ok(expr),
        _ => fail(parser.unexpected("the end of the expression or an operator")),
    }
}

/// What joins two operands.
enum Joint {
    And,
    Or,
    Binary(Operator),
}

struct Parser {
    tokens: Vec<(Token, Span)>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        &self.tokens[self.at].0
    }

    fn span(&self) -> Span {
        self.tokens[self.at].1
    }

    /// The end of the token before this one.
    fn end(&self) -> usize {
        self.at.checked_sub(1).map_or(0, |before| self.tokens[before].1.end)
    }

    fn advance(&mut self) {
        // The last token is the end and stays.
        self.at = (self.at + 1).min(self.tokens.len() - 1);
    }

    fn is(&self, punct: &str) -> bool {
        matches!(self.peek(), Token::Punct(p) if *p == punct)
    }

    fn eat(&mut self, punct: &str) -> bool {
        let found = self.is(punct);
        if found {
            self.advance();
        }
        found
    }

    fn expect(&mut self, punct: &'static str) -> Result<()> {
        if self.eat(punct) { Ok(()) } else { fail(self.unexpected(&format!("{punct:?}"))) }
    }

    fn unexpected(&self, wanted: &str) -> CompileError {
        let found = match self.peek() {
            Token::End => "the expression ends".to_owned(),
            Token::Punct(p) => format!("{p:?} stands"),
            Token::Ident(word) => format!("{word:?} stands"),
            Token::Int(_) | Token::Double(_) => "a number stands".to_owned(),
            Token::Text(_) => "a text stands".to_owned(),
        };
        CompileError::new(self.span(), format!("{found} where {wanted} is expected"))
    }

    fn too_deep(span: Span) -> CompileError {
        CompileError::new(span, format!("the expression is nested deeper than {} levels", limits::DEPTH))
    }

    /// Builds a node, bounding how deep the tree becomes: everything later walks it recursively.
    fn node(kind: Kind, span: Span) -> Result<Expr> {
        let mut expr = Expr { kind, span, depth: 1 };
        expr.depth += expr.parts().iter().map(|part| part.depth).max().unwrap_or(0);
        if expr.depth > limits::DEPTH { fail(Self::too_deep(span)) } else { Ok(expr) }
    }

    fn expr(&mut self) -> Result<Expr> {
        self.depth += 1;
        if self.depth > limits::DEPTH {
            return fail(Self::too_deep(self.span()));
        }
        let condition = self.binary(0)?;
        let expr = if self.is("?") { self.choice(condition)? } else { condition };
        self.depth -= 1;
        Ok(expr)
    }

    /// What follows a condition: `? a : b`.
    fn choice(&mut self, condition: Expr) -> Result<Expr> {
        self.expect("?")?;
        let yes = self.binary(0)?;
        self.expect(":")?;
        let no = self.expr()?;
        let span = condition.span.to(no.span);
        Self::node(Kind::Choice(Box::new(condition), Box::new(yes), Box::new(no)), span)
    }

    fn operator(&self) -> Option<(Joint, u8)> {
        use Joint::Binary as B;
        use Operator as O;
        Some(match self.peek() {
            Token::Ident(word) if &**word == "in" => (B(O::In), 3),
            Token::Punct(punct) => match *punct {
                "||" => (Joint::Or, 1),
                "&&" => (Joint::And, 2),
                "==" => (B(O::Equal), 3),
                "!=" => (B(O::NotEqual), 3),
                "<" => (B(O::Less), 3),
                "<=" => (B(O::LessEqual), 3),
                ">" => (B(O::Greater), 3),
                ">=" => (B(O::GreaterEqual), 3),
                "+" => (B(O::Add), 4),
                "-" => (B(O::Subtract), 4),
                "*" => (B(O::Multiply), 5),
                "/" => (B(O::Divide), 5),
                "%" => (B(O::Remainder), 5),
                _ => return None,
            },
            _ => return None,
        })
    }

    /// Operators that bind tighter than `above`, left to right.
    fn binary(&mut self, above: u8) -> Result<Expr> {
        let mut left = self.unary()?;
        while let Some((joint, power)) = self.operator().filter(|(_, power)| *power > above) {
            left = match joint {
                Joint::And => self.joined(left, "&&", power, Kind::And)?,
                Joint::Or => self.joined(left, "||", power, Kind::Or)?,
                Joint::Binary(operator) => {
                    self.advance();
                    let right = self.binary(power)?;
                    let span = left.span.to(right.span);
                    Self::node(Kind::Binary(operator, Box::new(left), Box::new(right)), span)?
                }
            };
        }
        Ok(left)
    }

    /// Several operands joined by the same logical operator, which is flat: `a && b && c` has three parts.
    fn joined(&mut self, first: Expr, punct: &str, power: u8, kind: fn(Vec<Expr>) -> Kind) -> Result<Expr> {
        let mut parts = vec![first];
        while self.eat(punct) {
            parts.push(self.binary(power)?);
        }
        let span = parts[0].span.to(parts[parts.len() - 1].span);
        Self::node(kind(parts), span)
    }

    fn unary(&mut self) -> Result<Expr> {
        let mut signs = Vec::new();
        while self.is("!") || self.is("-") {
            signs.push((self.is("-"), self.span()));
            self.advance();
        }
        // A minus directly before a number belongs to it: the smallest whole number has no positive counterpart.
        let negative = matches!(signs.last(), Some((true, _)))
            && matches!(self.peek(), Token::Int(_) | Token::Double(_))
            && signs.pop().is_some();
        let mut expr = self.postfix(negative)?;
        for (minus, span) in signs.into_iter().rev() {
            let span = span.to(expr.span);
            let kind = if minus { Kind::Neg(Box::new(expr)) } else { Kind::Not(Box::new(expr)) };
            expr = Self::node(kind, span)?;
        }
        Ok(expr)
    }

    /// Selections, indexes and method calls behind a primary.
    fn postfix(&mut self, negative: bool) -> Result<Expr> {
        let mut expr = self.primary(negative)?;
        loop {
            let start = expr.span.start;
            if self.eat(".") {
                let span = self.span();
                let Token::Ident(text) = self.peek().clone() else {
                    return fail(self.unexpected("a field or function"));
                };
                self.advance();
                let name = Name { text, span };
                let kind = if self.eat("(") {
                    let args = self.list(")")?;
                    Kind::Call(Some(Box::new(expr)), name, args)
                } else if matches!(&*name.text, "true" | "false" | "null" | "in") {
                    return fail(
                        CompileError::new(span, format!("{:?} cannot be a field's name here", name.text))
                            .hint(format!("write [\"{}\"]", name.text)),
                    );
                } else {
                    Kind::Select(Box::new(expr), name)
                };
                expr = Self::node(kind, Span::new(start, self.end()))?;
            } else if self.eat("[") {
                let index = self.expr()?;
                self.expect("]")?;
                expr =
                    Self::node(Kind::Index(Box::new(expr), Box::new(index)), Span::new(start, self.end()))?;
            } else if self.is("{") {
                return fail(
                    CompileError::new(self.span(), "messages are not part of the language")
                        .hint("a map is written {\"key\": value}"),
                );
            } else {
                return Ok(expr);
            }
        }
    }

    /// Expressions between commas up to the closing bracket. A comma may follow the last.
    fn list(&mut self, close: &'static str) -> Result<Vec<Expr>> {
        let mut items = Vec::new();
        while !self.eat(close) {
            items.push(self.expr()?);
            if !self.eat(",") {
                self.expect(close)?;
                break;
            }
        }
        Ok(items)
    }

    fn primary(&mut self, negative: bool) -> Result<Expr> {
        let span = self.span();
        let start = if negative { self.tokens[self.at - 1].1.start } else { span.start };
        let token = self.peek().clone();
        match token {
            Token::Int(magnitude) => {
                self.advance();
                let value = if negative {
                    0i64.checked_sub_unsigned(magnitude)
                } else {
                    i64::try_from(magnitude).ok()
                };
                let span = Span::new(start, span.end);
                let value = value.ok_or_else(|| CompileError::new(span, "the number is out of range"))?;
                Self::node(Kind::Int(value), span)
            }
            Token::Double(value) => {
                self.advance();
                Self::node(Kind::Double(if negative { -value } else { value }), Span::new(start, span.end))
            }
            Token::Text(text) => {
                self.advance();
                Self::node(Kind::Text(text), span)
            }
            Token::Ident(word) => self.word(word, span),
            Token::Punct("(") => {
                self.advance();
                let mut inner = self.expr()?;
                self.expect(")")?;
                inner.span = Span::new(span.start, self.end());
                Ok(inner)
            }
            Token::Punct("[") => {
                self.advance();
                let items = self.list("]")?;
                Self::node(Kind::List(items), Span::new(span.start, self.end()))
            }
            Token::Punct("{") => self.map(span),
            _ => fail(self.unexpected("a value")),
        }
    }

    fn word(&mut self, word: Arc<str>, span: Span) -> Result<Expr> {
        let kind = match &*word {
            "true" => Kind::Bool(true),
            "false" => Kind::Bool(false),
            "null" => Kind::Null,
            "in" => return fail(self.unexpected("a value")),
            reserved if RESERVED_WORDS.contains(&reserved) => {
                return fail(CompileError::new(span, format!("{reserved:?} is a reserved word")));
            }
            _ => Kind::Ident(Arc::clone(&word)),
        };
        self.advance();
        if matches!(kind, Kind::Ident(_)) && self.eat("(") {
            let args = self.list(")")?;
            return Self::node(
                Kind::Call(None, Name { text: word, span }, args),
                Span::new(span.start, self.end()),
            );
        }
        Self::node(kind, span)
    }

    fn map(&mut self, span: Span) -> Result<Expr> {
        self.advance();
        let mut entries = Vec::new();
        while !self.eat("}") {
            let key = self.expr()?;
            self.expect(":")?;
            entries.push((key, self.expr()?));
            if !self.eat(",") {
                self.expect("}")?;
                break;
            }
        }
        Self::node(Kind::Map(entries), Span::new(span.start, self.end()))
    }
}
