//! A TOML document whose every value knows its line.

use crate::Result;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A document, kept with its text for counting lines.
pub(crate) struct Document<'t> {
    text: &'t str,
    root: Spanned<DeTable<'t>>,
}

impl<'t> Document<'t> {
    /// Reads a document.
    pub(crate) fn read(text: &'t str) -> Result<Self> {
        let root = DeTable::parse(text).map_err(|error| error.to_string())?;
        Ok(Self { text, root })
    }

    /// A value of the document itself.
    pub(crate) fn get(&self, key: &str) -> Option<Node<'_>> {
        self.root.get_ref().get(key).map(|value| Node { text: self.text, value })
    }

    /// The elements of a list of the document itself.
    pub(crate) fn list(&self, key: &str) -> Vec<Node<'_>> {
        self.get(key).map_or_else(Vec::new, Node::elements)
    }
}

/// A value at its place.
#[derive(Clone, Copy)]
pub(crate) struct Node<'a> {
    text: &'a str,
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Node<'a> {
    /// The line it begins on, from 1.
    pub(crate) fn line(self) -> usize {
        let at = self.value.span().start.min(self.text.len());
        self.text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1
    }

    /// A member of a table.
    pub(crate) fn get(self, key: &str) -> Option<Self> {
        let value = self.value.get_ref().as_table()?.get(key)?;
        Some(Self { text: self.text, value })
    }

    /// The members of a table, in no particular order.
    pub(crate) fn members(self) -> Vec<(&'a str, Self)> {
        let table = self.value.get_ref().as_table();
        table
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.get_ref().as_ref(), Self { text: self.text, value }))
            .collect()
    }

    /// The elements of a list.
    pub(crate) fn elements(self) -> Vec<Self> {
        let list = self.value.get_ref().as_array();
        list.into_iter().flat_map(|list| list.iter()).map(|value| Self { text: self.text, value }).collect()
    }

    /// The elements of a list that is a member.
    pub(crate) fn list(self, key: &str) -> Vec<Self> {
        self.get(key).map_or_else(Vec::new, Self::elements)
    }

    /// A text.
    pub(crate) fn text(self) -> Option<&'a str> {
        self.value.get_ref().as_str()
    }

    /// A text that is a member.
    pub(crate) fn word(self, key: &str) -> Option<&'a str> {
        self.get(key)?.text()
    }

    /// A whole number that is a member, as it is written in decimal.
    pub(crate) fn number(self, key: &str) -> Option<&'a str> {
        let number = self.get(key)?.value.get_ref().as_integer()?;
        (number.radix() == 10).then(|| number.as_str())
    }

    /// Whether a member is `true`.
    pub(crate) fn is(self, key: &str) -> bool {
        self.get(key).and_then(|node| node.value.get_ref().as_bool()).unwrap_or(false)
    }
}
