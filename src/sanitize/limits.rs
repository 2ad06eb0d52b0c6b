//! What one request may make the sanitizer hold. Every field is a configuration key under `[limits]`.

/// Sizes in bytes unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Output withheld until the verdict.
    pub hold: usize,
    /// A whole body, after decoding.
    pub body: u64,
    /// One unescaped string value.
    pub string: u64,
    /// Open containers at once.
    pub depth: usize,
    /// Keys of all objects open at once.
    pub keys: usize,
    /// One unescaped key.
    pub key: usize,
    /// An identifier passed unread; longer ones are inspected.
    pub name: usize,
    /// Placeholders of one request that can be undone; what is over is masked for good.
    pub placeholders: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            hold: 1 << 20,
            body: 64 << 20,
            string: 64 << 20,
            depth: 128,
            keys: 65_536,
            key: 64 << 10,
            name: 512,
            placeholders: 2_048,
        }
    }
}
