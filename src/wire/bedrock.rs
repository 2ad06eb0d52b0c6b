//! AWS Bedrock: converse, both ways. Tables, and the framing of one error event.

use super::error::ErrorKind;
use super::{Dialect, Family};

pub(super) static CONVERSE: Dialect = Dialect::json("bedrock.converse", Family::Bedrock, &[]);
pub(super) static CONVERSE_STREAM: Dialect = Dialect::json("bedrock.converse_stream", Family::Bedrock, &[]);

/// The exception classes of botocore's service model, which names none for 401, 405, 413 and 415.
pub(super) const fn error_headers(kind: ErrorKind) -> &'static [(&'static str, &'static str)] {
    match kind {
        ErrorKind::InvalidRequest | ErrorKind::MethodNotAllowed | ErrorKind::TooLarge | ErrorKind::UnsupportedMedia => {
            &[("x-amzn-errortype", "ValidationException")]
        }
        ErrorKind::Authentication | ErrorKind::Permission => &[("x-amzn-errortype", "AccessDeniedException")],
        ErrorKind::NotFound => &[("x-amzn-errortype", "ResourceNotFoundException")],
        ErrorKind::RateLimit => &[("x-amzn-errortype", "ThrottlingException")],
        ErrorKind::Unavailable => &[("x-amzn-errortype", "ServiceUnavailableException")],
        ErrorKind::Upstream => &[("x-amzn-errortype", "InternalServerException")],
        ErrorKind::Timeout => &[("x-amzn-errortype", "ModelTimeoutException")],
    }
}

/// One `application/vnd.amazon.eventstream` message: two lengths, a CRC over them, headers, payload, a CRC over it all.
pub(super) fn exception_frame(kind: ErrorKind, payload: &[u8]) -> Vec<u8> {
    let mut headers = Vec::new();
    let named = [
        (":message-type", "exception"),
        (":exception-type", stream_exception(kind)),
        (":content-type", "application/json"),
    ];
    for (name, value) in named {
        header(&mut headers, name, value);
    }
    let total = PRELUDE + headers.len() + payload.len() + CRC;
    let mut frame = Vec::with_capacity(total);
    for length in [total, headers.len()] {
        frame.extend((length as u32).to_be_bytes());
    }
    frame.extend(crc(&frame).to_be_bytes());
    frame.extend(headers);
    frame.extend(payload);
    frame.extend(crc(&frame).to_be_bytes());
    frame
}

const PRELUDE: usize = 12;
const CRC: usize = 4;
/// The header value type of a string.
const STRING: u8 = 7;

/// Of fixed names and values, all far shorter than the 255 and 65535 bytes their lengths can say.
fn header(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(name.len() as u8);
    out.extend(name.as_bytes());
    out.push(STRING);
    out.extend((value.len() as u16).to_be_bytes());
    out.extend(value.as_bytes());
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// In a stream the classes are members of a union and begin with a lower-case letter; it has fewer of them.
const fn stream_exception(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::RateLimit => "throttlingException",
        ErrorKind::Unavailable => "serviceUnavailableException",
        ErrorKind::Upstream => "internalServerException",
        ErrorKind::Timeout => "modelStreamErrorException",
        _ => "validationException",
    }
}
