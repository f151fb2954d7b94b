//! The connector engine against servers of this machine: every mechanism, and every fault over every application.

mod answering;
mod answers;
mod auth;
mod code;
mod fanout;
mod interrupted;
mod matrix;
mod network;
mod oauth;
mod paging;
mod peers;
mod post;
mod preflight;
mod resolve;
mod secrets;
mod session;
mod shared;
mod support;
mod throttle;
mod tls;
mod words;
