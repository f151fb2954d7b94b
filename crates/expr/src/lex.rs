//! Text to tokens. Follows CEL's lexical grammar, without bytes and unsigned numbers.

use std::sync::Arc;

use crate::error::{CompileError, Span};

/// A token.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    /// A name, keywords included.
    Ident(Arc<str>),
    /// A whole number without its sign: 2^63 is only valid behind a minus.
    Int(u64),
    /// A floating-point number.
    Double(f64),
    /// A text with its escapes resolved.
    Text(Arc<str>),
    /// An operator or bracket.
    Punct(&'static str),
    /// The end of the source.
    End,
}

/// Operators and brackets, longer ones first.
const PUNCTUATION: [&str; 25] = [
    "==", "!=", "<=", ">=", "&&", "||", "(", ")", "[", "]", "{", "}", "<", ">", "+", "-", "*", "/", "%", "!",
    "?", ":", ".", ",", ";",
];

/// All tokens of the source with their places, the last being [`Token::End`].
pub(crate) fn tokens(source: &str) -> Result<Vec<(Token, Span)>, CompileError> {
    let mut lexer = Lexer { source, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blank();
        let start = lexer.at;
        let token = lexer.next()?;
        let end = token == Token::End;
        tokens.push((token, Span::new(start, lexer.at)));
        if end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'s> {
    source: &'s str,
    at: usize,
}

impl<'s> Lexer<'s> {
    fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'s str {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Blanks and `//` comments.
    fn skip_blank(&mut self) {
        loop {
            self.take_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}'));
            if !self.rest().starts_with("//") {
                return;
            }
            self.take_while(|c| c != '\n');
        }
    }

    fn next(&mut self) -> Result<Token, CompileError> {
        let start = self.at;
        let Some(c) = self.peek() else { return Ok(Token::End) };
        let mut following = self.rest().chars();
        following.next();
        let second = following.next();
        if c.is_ascii_digit() || (c == '.' && second.is_some_and(|d| d.is_ascii_digit())) {
            return self.number();
        }
        if let Some(prefix) = self.text_prefix() {
            if prefix.contains(['b', 'B']) {
                return Err(CompileError::new(
                    Span::new(start, start + 1),
                    "bytes are not part of the language",
                )
                .hint("write a text without the b"));
            }
            self.at += prefix.len();
            return self.text(start, !prefix.is_empty());
        }
        if c.is_ascii_alphabetic() || c == '_' {
            let word = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
            return Ok(Token::Ident(word.into()));
        }
        if let Some(punct) = PUNCTUATION.iter().find(|p| self.rest().starts_with(**p)) {
            self.at += punct.len();
            return Ok(Token::Punct(punct));
        }
        let error =
            CompileError::new(Span::new(start, start + c.len_utf8()), format!("unexpected character {c:?}"));
        Err(match c {
            '=' => error.hint("equality is written =="),
            '&' => error.hint("and is written &&"),
            '|' => error.hint("or is written ||"),
            _ => error,
        })
    }

    /// The letters before an opening quote, if a text begins here.
    fn text_prefix(&self) -> Option<&'s str> {
        let rest = self.rest();
        let quote = rest.find(['"', '\''])?;
        let prefix = &rest[..quote];
        (prefix.len() <= 2 && prefix.chars().all(|c| matches!(c, 'r' | 'R' | 'b' | 'B'))).then_some(prefix)
    }

    fn number(&mut self) -> Result<Token, CompileError> {
        let start = self.at;
        let bad = |lexer: &Self, what: &str| CompileError::new(Span::new(start, lexer.at), what.to_owned());
        if self.rest().starts_with("0x") || self.rest().starts_with("0X") {
            self.at += 2;
            let digits = self.take_while(|c| c.is_ascii_hexdigit());
            let value = u64::from_str_radix(digits, 16)
                .map_err(|_| bad(self, "not a hexadecimal number in range"))?;
            self.number_end(start)?;
            return Ok(Token::Int(value));
        }
        self.take_while(|c| c.is_ascii_digit());
        let mut double = false;
        let rest = self.rest();
        if rest.starts_with('.') && rest[1..].starts_with(|c: char| c.is_ascii_digit()) {
            double = true;
            self.at += 1;
            self.take_while(|c| c.is_ascii_digit());
        }
        if self.rest().starts_with(['e', 'E']) {
            double = true;
            self.at += 1;
            if self.rest().starts_with(['+', '-']) {
                self.at += 1;
            }
            if self.take_while(|c| c.is_ascii_digit()).is_empty() {
                return Err(bad(self, "the exponent has no digits"));
            }
        }
        let text = &self.source[start..self.at];
        let token = if double {
            let value: f64 = text.parse().map_err(|_| bad(self, "not a number"))?;
            if !value.is_finite() {
                return Err(bad(self, "the number is out of range"));
            }
            Token::Double(value)
        } else {
            Token::Int(text.parse().map_err(|_| bad(self, "the number is out of range"))?)
        };
        self.number_end(start)?;
        Ok(token)
    }

    /// A number must not run into a word.
    fn number_end(&mut self, start: usize) -> Result<(), CompileError> {
        let tail = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
        match tail {
            "" => Ok(()),
            "u" | "U" => Err(CompileError::new(
                Span::new(start, self.at),
                "unsigned numbers are not part of the language",
            )
            .hint("leave out the u")),
            _ => Err(CompileError::new(
                Span::new(start, self.at),
                format!("{tail:?} follows the number directly"),
            )),
        }
    }

    fn text(&mut self, start: usize, raw: bool) -> Result<Token, CompileError> {
        let rest = self.rest();
        let close = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|q| rest.starts_with(q)).unwrap_or("\"");
        self.at += close.len();
        let multi_line = close.len() == 3;
        let mut text = String::new();
        loop {
            if self.rest().starts_with(close) {
                self.at += close.len();
                return Ok(Token::Text(text.into()));
            }
            let from = self.at;
            match self.bump() {
                None => return Err(CompileError::new(Span::new(start, self.at), "the text is not closed")),
                Some('\n' | '\r') if !multi_line => {
                    return Err(CompileError::new(
                        Span::new(start, from),
                        "the text is not closed on its line",
                    )
                    .hint("write \\n for a line break, or use triple quotes"));
                }
                Some('\\') if raw => {
                    text.push('\\');
                    // In a raw text the character behind a backslash stands for itself, a quote included.
                    if let Some(c) = self.bump() {
                        text.push(c);
                    }
                }
                Some('\\') => text.push(self.escape(from)?),
                Some(c) => text.push(c),
            }
        }
    }

    /// The character of an escape sequence whose backslash is at `from`.
    fn escape(&mut self, from: usize) -> Result<char, CompileError> {
        let bad = |end: usize| {
            CompileError::new(Span::new(from, end), "unknown escape sequence")
                .hint("a backslash is written \\\\")
        };
        let code = match self.bump() {
            Some('a') => 0x07,
            Some('b') => 0x08,
            Some('f') => 0x0c,
            Some('n') => 0x0a,
            Some('r') => 0x0d,
            Some('t') => 0x09,
            Some('v') => 0x0b,
            Some(c @ ('\\' | '?' | '"' | '\'' | '`')) => return Ok(c),
            Some('x' | 'X') => self.digits(2, 16, from)?,
            Some('u') => self.digits(4, 16, from)?,
            Some('U') => self.digits(8, 16, from)?,
            Some('0'..='3') => {
                self.at -= 1;
                self.digits(3, 8, from)?
            }
            _ => return Err(bad(self.at)),
        };
        char::from_u32(code).ok_or_else(|| {
            CompileError::new(Span::new(from, self.at), "the escape sequence does not name a character")
        })
    }

    fn digits(&mut self, count: usize, radix: u32, from: usize) -> Result<u32, CompileError> {
        let digits = self.rest().get(..count).filter(|d| d.chars().all(|c| c.is_digit(radix)));
        let value = digits.and_then(|d| u32::from_str_radix(d, radix).ok());
        match value {
            Some(value) => {
                self.at += count;
                Ok(value)
            }
            None => Err(CompileError::new(
                Span::new(from, self.at),
                format!("the escape sequence needs {count} digits of base {radix}"),
            )),
        }
    }
}
