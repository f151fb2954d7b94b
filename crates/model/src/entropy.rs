//! Randomness as a parameter: the trait is here, the operating system's generator is in the engine, tests bring a seed.

/// A source of random bytes. Implementations used for secrets must be cryptographically secure.
pub trait Entropy: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, bytes: &mut [u8]);

    /// A UUIDv7: sorts by time, so that keyset paging and indexes follow it.
    fn id(&self, now: crate::time::Timestamp) -> String {
        let mut b = [0u8; 16];
        self.fill(&mut b);
        b[..6].copy_from_slice(&now.0.to_be_bytes()[2..]);
        b[6] = (b[6] & 0x0f) | 0x70;
        b[8] = (b[8] & 0x3f) | 0x80;
        let h = |r: std::ops::Range<usize>| b[r].iter().map(|x| format!("{x:02x}")).collect::<String>();
        format!("{}-{}-{}-{}-{}", h(0..4), h(4..6), h(6..8), h(8..10), h(10..16))
    }
}
