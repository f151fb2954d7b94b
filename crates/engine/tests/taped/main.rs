//! A taped tenant behind the vendor's own descriptions: what a scan really sends.

mod contract;
#[path = "../../../../e2e/peers/peer.rs"]
#[expect(
    unreachable_pub,
    clippy::print_stdout,
    reason = "the file is shared by tests of several crates, which tell why they end"
)]
mod peer;
mod scan;
mod tape;
