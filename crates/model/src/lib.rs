//! Pure nouns and small laws of Parapet. No I/O, no clock, no randomness: time is always a parameter.
//!
//! The one law that shapes the types here: **missing data must never look like good news.** A dataset carries its
//! [`dataset::Availability`], a field may be [`value::Value::Unknown`], a check ends in [`finding::Outcome::Inconclusive`],
//! and none of these can be turned into a pass.

pub mod account;
pub mod ahead;
pub mod availability;
pub mod credential;
pub mod dataset;
pub mod delivery;
pub mod diagnosis;
pub mod digest;
pub mod entropy;
pub mod finding;
pub mod health;
pub mod id;
pub mod identity;
pub mod plugin;
pub mod scan;
pub mod schedule;
pub mod time;
pub mod value;
pub mod view;
pub mod words;
