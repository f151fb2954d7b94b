//! All SQL of Parapet, for SQLite and PostgreSQL: one schema, one text a statement, one body a function.
//!
//! What is stored are facts; words such as "Up" are derived from them on reading ([`model::health`]). Times are
//! parameters, never read here. A change an operator makes and the audit row that tells of it are one transaction.
//! After each commit a [`Change`] is sent to whoever listens in this process ([`Db::changes`]): the ticker wakes on
//! it and views are refreshed on it.

pub mod accounts;
pub mod alerts;
pub mod archive;
pub mod audit;
mod blob;
pub mod checkpoints;
mod db;
pub mod destinations;
mod dialect;
pub mod digests;
pub mod directories;
pub mod drift;
mod error;
pub mod findings;
pub mod instances;
mod nodes;
pub mod numbers;
pub mod operators;
pub mod outbox;
pub mod owners;
mod page;
pub mod params;
pub mod people;
pub mod plugins;
pub mod retention;
pub mod runs;
pub mod scans;
mod schema;
mod seal;
pub mod sessions;
pub mod settings;
pub mod setup;
#[cfg(feature = "simulation")]
pub mod simulation;
pub mod snapshots;
mod sql;
mod subjects;

pub use db::{Backend, Change, Db, Options, What};
pub use error::StoreError;
pub use page::{Cut, Order, Page, Stretch};
pub use seal::{Context, SealingKey};

#[cfg(test)]
mod tests;
