//! Loading: files to typed values, with every mistake reported at its place.

pub(crate) mod app;
pub(crate) mod auth;
pub(crate) mod body;
pub(crate) mod check;
pub(crate) mod cross;
pub(crate) mod doc;
pub(crate) mod example;
pub(crate) mod fields;
pub(crate) mod files;
pub(crate) mod graphql;
pub(crate) mod hosting;
pub(crate) mod keys;
pub(crate) mod mapping;
pub(crate) mod post;
pub(crate) mod requests;
pub(crate) mod resolve;
mod seen;
pub(crate) mod tables;
pub(crate) mod tree;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod word_tests;
