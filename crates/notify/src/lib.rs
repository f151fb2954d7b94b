//! What people are told without looking: the daily digest and alerts, and the transports that carry them.
//!
//! Everything up to the message is pure: [`due`] says when a digest is owed, [`digest`] writes it, [`alert`] decides
//! which change of a settled status has held long enough to be told, [`event`] words it for mail, webhook and syslog.
//! The sentences are `model::words`, the same as on the pages. [`smtp`], [`webhook`] and [`syslog`] carry messages
//! over connections that whoever calls them makes ([`Network`]), so that every address passes the one filter.

pub mod address;
pub mod alert;
pub mod digest;
pub mod due;
pub mod event;
pub mod mail;
mod network;
pub mod smtp;
pub mod syslog;
mod trust;
pub mod webhook;

pub use network::{Answer, Network, Stream, Trouble};
pub use trust::Trust;
