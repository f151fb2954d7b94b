//! The catalogue against tapes: what a vendor answers to each request of a scan, played over loopback to the real
//! connector engine.

mod contract;
mod fixtures;
#[path = "../../../../e2e/peers/peer.rs"]
#[expect(
    unreachable_pub,
    clippy::print_stdout,
    reason = "the file is shared by tests of several crates, which tell why they end"
)]
mod peer;
mod scan;
mod tape;
