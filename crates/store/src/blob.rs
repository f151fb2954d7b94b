//! Large values: JSON, compressed.

use std::io::Write as _;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::StoreError;

/// zstd's own default: about as fast as reading the records was.
const LEVEL: i32 = 3;

/// What one stored value may unpack to. Collection's own budgets keep far below; a damaged or foreign value must not
/// take all memory.
const LIMIT: usize = 1 << 30;

/// Compresses bytes.
pub(crate) fn pack(bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
    zstd::bulk::compress(bytes, LEVEL)
        .map_err(|e| StoreError::unreadable(format_args!("a value to compress: {e}")))
}

/// Decompresses bytes.
pub(crate) fn unpack(packed: &[u8]) -> Result<Vec<u8>, StoreError> {
    let failed = |e: std::io::Error| StoreError::unreadable(format_args!("a compressed value: {e}"));
    let mut out = Vec::new();
    let mut decoder = zstd::stream::read::Decoder::new(packed).map_err(failed)?;
    let mut limited = std::io::Read::take(&mut decoder, LIMIT as u64 + 1);
    std::io::Read::read_to_end(&mut limited, &mut out).map_err(failed)?;
    if out.len() > LIMIT {
        return Err(StoreError::unreadable("a compressed value: it is larger than any that Parapet writes"));
    }
    Ok(out)
}

/// A value as compressed JSON, without holding the JSON whole.
pub(crate) fn pack_json<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, StoreError> {
    let failed = |e: std::io::Error| StoreError::unreadable(format_args!("a value to compress: {e}"));
    let encoder = zstd::stream::write::Encoder::new(Vec::new(), LEVEL).map_err(failed)?;
    let mut writer = std::io::BufWriter::with_capacity(64 * 1024, encoder);
    serde_json::to_writer(&mut writer, value)
        .map_err(|e| StoreError::unreadable(format_args!("a value to store: {e}")))?;
    writer.flush().map_err(failed)?;
    let encoder = writer.into_inner().map_err(|e| failed(e.into_error()))?;
    encoder.finish().map_err(failed)
}

/// Reads back what [`pack_json`] wrote.
pub(crate) fn unpack_json<T: DeserializeOwned>(packed: &[u8]) -> Result<T, StoreError> {
    let failed = |e: &dyn std::fmt::Display| StoreError::unreadable(format_args!("a compressed value: {e}"));
    let decoder = zstd::stream::read::Decoder::new(packed).map_err(|e| failed(&e))?;
    let limited = std::io::Read::take(decoder, LIMIT as u64 + 1);
    serde_json::from_reader(std::io::BufReader::with_capacity(64 * 1024, limited)).map_err(|e| failed(&e))
}
