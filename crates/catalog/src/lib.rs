//! The catalogue: applications, checks and standards as data, loaded into typed values.
pub mod manifest;
