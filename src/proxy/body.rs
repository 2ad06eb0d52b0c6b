//! A request body on its way through: its coding undone, then sanitized. Knows the order of the two and nothing else.

use bytes::Bytes;

use crate::codec::coding::Decoder;
use crate::sanitize::{Refusal, Report, Request};

/// One body.
pub struct Inspection {
    decoder: Option<Decoder>,
    request: Request,
}

impl Inspection {
    pub fn new(decoder: Option<Decoder>, request: Request) -> Self {
        Inspection { decoder, request }
    }

    pub fn push(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        let Inspection { decoder, request } = self;
        match decoder {
            None => request.push(chunk),
            Some(decoder) => decoder.push(chunk, |plain| request.push(plain)),
        }
    }

    /// What may go up before the verdict.
    pub fn take(&mut self) -> Bytes {
        self.request.take()
    }

    /// The rest, once all of the body was pushed.
    pub fn finish(&mut self) -> Result<Bytes, Refusal> {
        if let Some(decoder) = self.decoder.take() {
            decoder.finish(|plain| self.request.push(plain))?;
        }
        self.request.finish()
    }

    pub fn held(&self) -> usize {
        self.request.held()
    }

    pub fn report(&self) -> &Report {
        self.request.report()
    }
}
