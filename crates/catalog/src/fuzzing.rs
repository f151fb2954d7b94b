//! A door for the fuzz targets.

use crate::Loaded;
use crate::load::files::Files;
use crate::load::tree::load_only;

/// Loads files that lie nowhere, by their path in a catalogue's folder, without what is embedded.
#[must_use]
pub fn load_texts<'t>(texts: impl IntoIterator<Item = (&'t str, &'t str)>) -> Loaded {
    load_only(&[Files::memory(texts)])
}
