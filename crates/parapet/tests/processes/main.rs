//! What holds for real processes: the built binary as a server, alone or as one of several, killed and stopped at any
//! moment, on a database that is looked at from outside. The tenants live in the test, so they survive.
//!
//! `cargo xtask crash` runs the long form of the kills.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "whoever waits for it is told the seed, how far it is and what it found"
)]

mod database;
mod digests;
mod disk;
mod installation;
mod kill;
mod lives;
mod node;
mod restart;
mod roles;
mod untold;
mod wal;
mod whole;
