//! Pure nouns and small laws of Parapet. No I/O, no clock, no randomness.
pub mod time;
pub mod value;
