//! Texts of statements that are put together: many rows at once, and conditions that a filter asks for.

use sqlx::{AssertSqlSafe, SqlSafeStr as _};

use super::{Arg, Text};

/// An `INSERT` of many rows at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batch {
    /// For errors and the registry.
    pub(crate) name: &'static str,
    /// Up to and without `VALUES`.
    pub(crate) head: &'static str,
    /// Binds a row.
    pub(crate) columns: usize,
    /// What follows the rows.
    pub(crate) tail: &'static str,
}

impl Batch {
    /// Bounded by binds: well under both databases' limits (32,766 and 65,535) and short to prepare.
    pub(super) const fn rows_per_statement(&self) -> usize {
        let n = 2000 / self.columns;
        if n > 200 { 200 } else { n }
    }

    /// The statement for so many rows.
    pub(crate) fn text(&self, rows: usize, numbered: bool) -> String {
        let mut text = String::with_capacity(self.head.len() + self.tail.len() + rows * self.columns * 6);
        text.push_str(self.head);
        text.push_str(" VALUES ");
        let mut n = 0;
        for row in 0..rows {
            text.push_str(if row == 0 { "(" } else { ",(" });
            for column in 0..self.columns {
                n += 1;
                if column > 0 {
                    text.push(',');
                }
                if numbered {
                    // PostgreSQL knows no `?`; SQLite finds `$n` by a linear search of all names, so it gets `?`.
                    text.push('$');
                    text.push_str(&n.to_string());
                } else {
                    text.push('?');
                }
            }
            text.push(')');
        }
        text.push(' ');
        text.push_str(self.tail);
        text
    }
}

/// A statement put together from fixed fragments: conditions that a filter asks for. Values are always binds.
pub(crate) struct Select {
    name: &'static str,
    text: String,
    args: Vec<Arg>,
}

impl Select {
    /// Starts with a fixed text that has no binds.
    pub(crate) fn new(name: &'static str, text: &'static str) -> Self {
        Self { name, text: text.to_owned(), args: Vec::new() }
    }

    /// Adds a fixed fragment.
    pub(crate) fn push(&mut self, fragment: &'static str) -> &mut Self {
        self.text.push_str(fragment);
        self
    }

    /// Adds a bind.
    pub(crate) fn bind(&mut self, value: impl Into<Arg>) -> &mut Self {
        self.args.push(value.into());
        self.text.push('$');
        self.text.push_str(&self.args.len().to_string());
        self
    }

    /// Adds `$1, $2, ...)`: the tail of an `IN (`. Nothing is in an empty list.
    pub(crate) fn bind_list<A: Into<Arg>>(&mut self, values: impl IntoIterator<Item = A>) -> &mut Self {
        let mut first = true;
        for value in values {
            if !first {
                self.push(", ");
            }
            first = false;
            self.bind(value);
        }
        if first {
            self.push("NULL");
        }
        self.push(")")
    }

    /// The same as a question how SQLite would answer it: `EXPLAIN` or `EXPLAIN QUERY PLAN`, with a blank.
    #[cfg(test)]
    pub(crate) fn explained(mut self, question: &str) -> Self {
        self.text.insert_str(0, question);
        self
    }

    /// The statement and its binds.
    pub(crate) fn finish(self) -> (Text, Vec<Arg>) {
        (Text { name: self.name, text: AssertSqlSafe(self.text).into_sql_str(), keep: true }, self.args)
    }
}

/// Text as a `LIKE` pattern that finds it anywhere; its own wildcards are escaped with `\\`.
pub(crate) fn like(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for c in text.to_lowercase().chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}
