//! The pages and the requests behind them, asked without a socket, on samples.

#[path = "../../examples/gallery/samples/mod.rs"]
mod samples;

mod hostile;
mod outline;
mod outlines;
mod requests;
mod support;
mod vendor;
