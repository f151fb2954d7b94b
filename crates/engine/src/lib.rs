//! The only code that waits: the ticker that finds what is due, the workers that run it, the loops that tell people
//! ([`Teller`]), and the clock.
//!
//! One path for every scan, whoever asked for it: due, claimed, read, judged, committed. Scan now, onboarding and
//! Reauthenticate only write `wanted_at`; the ticker wakes on that change. A worker that dies leaves a lease that
//! expires, and the ticker closes it as a failed run: nothing is ever lost in silence.

mod ahead;
pub mod clock;
mod collector;
mod config;
mod context;
mod credential;
mod directories;
mod due;
mod heartbeat;
mod judge;
mod recheck;
mod tell;
mod ticker;
mod upkeep;
mod worker;

pub use collector::{Collector, Vendors};
pub use config::{Config, Keep};
pub use tell::{Filtered, Setup, Teller, Telling};
pub use ticker::{Engine, Handle};

#[cfg(test)]
mod tests;
