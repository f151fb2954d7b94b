//! The bounds of the language. Each is generous for a check that a person wrote, and small for a machine.

/// Longest source, in bytes.
pub const SOURCE_BYTES: usize = 16 * 1024;
/// Deepest nesting of an expression (brackets, operators, chained calls), so that no stack overflows.
pub const DEPTH: usize = 64;
/// Most steps of one evaluation. A turn of a macro costs as many steps as its body has parts, and a text or list that
/// is built costs one per 64 bytes or elements. At the limit the evaluation ends in an error, never in a panic.
pub const STEPS: u64 = 2_000_000;
/// Largest compiled regular expression, in bytes.
pub const REGEX_BYTES: usize = 256 * 1024;
/// Most fields listed as evidence for one evaluation; how many more there were is counted.
pub const EVIDENCE: usize = 32;
