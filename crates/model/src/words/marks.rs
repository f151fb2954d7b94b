//! Characters that do something instead of being read.

/// Whether a character does something to whatever shows it: a control character, or one that [`turns`].
#[must_use]
pub fn acts(c: char) -> bool {
    c.is_control() || turns(c)
}

/// Whether a character turns the direction of what follows it, beyond the name it stands in: with one of these a name poses as
/// another (`photo_gnp.exe` reads `photo_exe.png`).
///
/// Source: Unicode Standard Annex 9, section 2, the explicit embeddings, overrides and isolates.
#[must_use]
pub const fn turns(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
