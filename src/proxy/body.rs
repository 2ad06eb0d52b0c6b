//! A request body on its way through: its coding undone, then sanitized. Knows the order of the two, and how to do it again.

use bytes::Bytes;

use crate::codec::coding::Decoder;
use crate::policy::Tokens;
use crate::sanitize::consult::{Answers, Question};
use crate::sanitize::{Refusal, Report, Request, Sent};
use crate::wire::Calls;

/// One body.
pub struct Inspection {
    decoder: Option<Decoder>,
    reading: Reading,
}

/// The decoded body as it is read.
struct Reading {
    request: Request,
    plain: Option<Plain>,
    rpc: Option<Rpc>,
}

/// Of a body of JSON-RPC: a refusal waits for its end, since the id that the answer must have may stand there.
struct Rpc {
    calls: Calls,
    refused: Option<Refusal>,
}

/// A body that may have to be read again: all of it so far, decoded.
struct Plain {
    bytes: Vec<u8>,
    /// A longer body is judged as it is read the first time.
    most: usize,
    /// What that first reading came to, if its doubts may be settled yet.
    refused: Option<Refusal>,
}

impl Inspection {
    /// With `again`, a body up to that size can be read again.
    pub fn new(decoder: Option<Decoder>, request: Request, again: Option<usize>) -> Self {
        let plain = again.map(|most| Plain { bytes: Vec::new(), most, refused: None });
        Inspection { decoder, reading: Reading { request, plain, rpc: None } }
    }

    /// Of JSON-RPC: who calls is read, too.
    pub fn calling(mut self, calls: Option<Calls>) -> Self {
        self.reading.rpc = calls.map(|calls| Rpc { calls, refused: None });
        self
    }

    /// Ids of the calls read so far.
    pub fn calls(&self) -> &[String] {
        self.reading.rpc.as_ref().map_or(&[], |rpc| rpc.calls.ids())
    }

    pub fn push(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        let Inspection { decoder, reading } = self;
        match decoder {
            None => reading.push(chunk),
            Some(decoder) => decoder.push(chunk, |plain| reading.push(plain)),
        }
    }

    /// About how many bytes of text come of so many received: a compressed one stands for several.
    pub fn weight(&self, received: usize) -> usize {
        const RATIO: usize = 8;
        if self.decoder.is_some() { received * RATIO } else { received }
    }

    /// What may go up before the verdict.
    pub fn take(&mut self) -> Bytes {
        if self.reading.is_refused() {
            return Bytes::new();
        }
        self.reading.request.take()
    }

    /// The rest, once all of the body was pushed.
    pub fn finish(&mut self) -> Result<Bytes, Refusal> {
        if let Some(decoder) = self.decoder.take() {
            decoder.finish(|plain| self.reading.push(plain))?;
        }
        if let Some(refused) = self.reading.rpc.as_mut().and_then(|rpc| rpc.refused.take()) {
            return Err(refused);
        }
        let refused = self.reading.plain.as_mut().and_then(|plain| plain.refused.take());
        refused.map_or_else(|| self.reading.request.finish(), Err)
    }

    /// What was left in doubt, if the body can be read again.
    pub fn questions(&mut self) -> Vec<Question> {
        if self.reading.plain.is_some() && !self.reading.is_refused() {
            self.reading.request.questions()
        } else {
            Vec::new()
        }
    }

    /// Reads the body, which is complete, once more.
    pub fn again(&mut self, answers: Answers) -> Result<Bytes, Refusal> {
        let Reading { request, plain, .. } = &mut self.reading;
        *request = request.again(answers);
        request.push(plain.as_ref().map_or(&[], |plain| &plain.bytes))?;
        request.finish()
    }

    /// About how many bytes of text its end may have to read: what a decoder keeps, no more.
    pub fn rest(&self) -> usize {
        if self.decoder.is_some() { self.held() } else { 0 }
    }

    pub fn held(&self) -> usize {
        self.reading.request.held() + self.reading.plain.as_ref().map_or(0, |plain| plain.bytes.len())
    }

    /// What the placeholders made so far stand for.
    pub fn tokens(&self) -> &Tokens {
        self.reading.request.tokens()
    }

    /// What of the caller's own data was read so far.
    pub fn sent(&self) -> &Sent {
        self.reading.request.sent()
    }

    /// Names of what the API remembers and the request goes on with.
    pub fn states(&self) -> &[String] {
        self.reading.request.states()
    }

    pub fn models(&self) -> &[String] {
        self.reading.request.models()
    }

    pub fn report(&self) -> &Report {
        self.reading.request.report()
    }
}

impl Reading {
    fn is_refused(&self) -> bool {
        self.rpc.as_ref().is_some_and(|rpc| rpc.refused.is_some())
    }

    fn push(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        let Some(rpc) = &mut self.rpc else { return self.sanitize(chunk) };
        let more = rpc.calls.push(chunk);
        if rpc.refused.is_none() {
            let refused = self.sanitize(chunk).err();
            if let Some(rpc) = &mut self.rpc {
                rpc.refused = refused;
            }
        }
        let refused = self.rpc.as_mut().filter(|_| !more).and_then(|rpc| rpc.refused.take());
        refused.map_or(Ok(()), Err)
    }

    fn sanitize(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        let Some(plain) = &mut self.plain else { return self.request.push(chunk) };
        if plain.bytes.len() + chunk.len() > plain.most {
            let refused = plain.refused.take();
            self.plain = None;
            return refused.map_or_else(|| self.request.push(chunk), Err);
        }
        plain.bytes.extend_from_slice(chunk);
        if plain.refused.is_some() {
            return Ok(());
        }
        match self.request.push(chunk) {
            // The rest must have come before the engine is asked, or its answer would depend on how the body was cut.
            Err(Refusal::Policy) if self.request.has_questions() => plain.refused = Some(Refusal::Policy),
            outcome => return outcome,
        }
        Ok(())
    }
}
