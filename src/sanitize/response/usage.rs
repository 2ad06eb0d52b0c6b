//! What an answer cost in tokens, by the provider's own count. Knows no dialect: a plan says where the numbers stand.

use crate::codec::selector::UsagePart;

/// Tokens of one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    counts: [u64; 6],
}

impl Usage {
    /// Streams repeat what they counted so far: the most of each part stands.
    pub fn note(&mut self, part: UsagePart, tokens: u64) {
        let count = &mut self.counts[part as usize];
        *count = (*count).max(tokens);
    }

    /// What was sent to the model, from caches or not.
    pub fn input(&self) -> u64 {
        self.sum(&[UsagePart::Input, UsagePart::ToolInput, UsagePart::CacheRead, UsagePart::CacheWrite])
    }

    /// What it wrote and thought.
    pub fn output(&self) -> u64 {
        self.sum(&[UsagePart::Output, UsagePart::Reasoning])
    }

    fn sum(&self, parts: &[UsagePart]) -> u64 {
        parts.iter().fold(0, |sum: u64, part| sum.saturating_add(self.counts[*part as usize]))
    }
}
