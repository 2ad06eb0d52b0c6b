//! String values that a sink may know before they are read: each is offered to it whole, and one that a chunk's end has cut
//! waits for its rest.

use super::{Sink, Tokenizer, run};

/// A longer one is read as it comes.
const LONGEST: usize = 40 * 1024;

impl Tokenizer {
    /// Offers the sink the string value that begins in the chunk at `at`, or keeps what is there of it.
    pub(super) fn offer<S: Sink>(&mut self, chunk: &[u8], at: &mut usize, sink: &mut S) -> Result<(), S::Error> {
        let rest = &chunk[*at..];
        match run::end(&[], rest) {
            Some(end) if sink.recall(&rest[..end])? => *at += end,
            Some(_) => {}
            None if rest.len() <= LONGEST => {
                self.kept.extend_from_slice(rest);
                *at = chunk.len();
            }
            None => {}
        }
        Ok(())
    }

    /// The string value that was kept goes on with this chunk: what of the chunk is still to be read, unless all was kept.
    pub(super) fn complete<'c, S: Sink>(
        &mut self,
        chunk: &'c [u8],
        sink: &mut S,
    ) -> Result<Option<&'c [u8]>, S::Error> {
        let (more, rest) = chunk.split_at(chunk.len().min(LONGEST));
        let Some(end) = run::end(&self.kept, more) else {
            self.kept.extend_from_slice(more);
            if self.kept.len() <= LONGEST {
                return Ok(None);
            }
            self.settle(sink)?;
            return Ok(Some(rest));
        };
        // Of the chunk no more than that: the rest is read where it stands.
        self.kept.extend_from_slice(&more[..=end]);
        let quote = self.kept.len() - 1;
        if sink.recall(&self.kept[..quote])? {
            // But for the quote.
            self.base += quote as u64;
            self.kept.drain(..quote);
        }
        self.settle(sink)?;
        Ok(Some(&chunk[end + 1..]))
    }

    /// Reads what was kept: nothing more of it is waited for.
    pub fn settle<S: Sink>(&mut self, sink: &mut S) -> Result<(), S::Error> {
        let kept = std::mem::take(&mut self.kept);
        self.read(&kept, sink)
    }
}
