//! AWS Bedrock: converse, both ways. Tables, and the framing of one error event.
//!
//! From the service model `bedrock-runtime` of botocore 1.44.5. The model's id is in the path, not in the body.

use super::error::ErrorKind;
use super::rows::{CACHE_READ, CACHE_WRITE, INPUT, OUTPUT, PIECE, TOOL, marks, rows, schema};
use super::{Dialect, Family};
use crate::codec::Treatment::{Label, Media, Name, Sealed, Signed, Text};
use crate::codec::{Mark, Selector};

/// What every content block may have, wherever it is nested.
macro_rules! block {
    ($at:literal) => {
        rows![at $at;
            Name => "image.format", "document.format", "video.format", "audio.format", "guardContent.image.format",
                "guardContent.text.qualifiers[]", "cachePoint.type", "cachePoint.ttl",
                "image.source.s3Location.bucketOwner", "document.source.s3Location.bucketOwner",
                "video.source.s3Location.bucketOwner", "audio.source.s3Location.bucketOwner";
            Label => "document.name", "image.source.s3Location.uri", "document.source.s3Location.uri",
                "video.source.s3Location.uri", "audio.source.s3Location.uri";
            Media => "image.source.bytes", "document.source.bytes", "video.source.bytes", "audio.source.bytes",
                "guardContent.image.source.bytes";
        ]
    };
}

pub(super) static CONVERSE: Dialect =
    Dialect::json("bedrock.converse", Family::Bedrock, TABLES, &[MARKS]).answering(&[ANSWERS]);
pub(super) static CONVERSE_STREAM: Dialect =
    Dialect::json("bedrock.converse_stream", Family::Bedrock, TABLES, &[MARKS]).answering(&[ANSWERS]);

const MARKS: &[Mark] = marks![
    Turn => "messages[]";
    System => "system";
    Assistant => "messages[].content[].toolUse", "messages[].content[].reasoningContent";
    Tool => "messages[].content[].toolResult";
    Document => "messages[].content[].document", "messages[].content[].citationsContent",
        "messages[].content[].searchResult";
    Definition => "toolConfig", "outputConfig";
];

const TABLES: &[&[Selector]] = &[
    block!("messages[].content[]."),
    block!("messages[].content[].toolResult.content[]."),
    block!("system[]."),
    CONTENT,
    REQUEST,
    schema!("toolConfig.tools[].toolSpec.inputSchema.json"),
];

const CONTENT: &[Selector] = rows![at "messages[].content[].";
    Name => "toolUse.toolUseId", "toolUse.name", "toolUse.type", "toolResult.toolUseId", "toolResult.status",
        "toolResult.type", "toolAddition.tool.name", "toolAddition.tool.serverName", "toolAddition.tool.type",
        "toolRemoval.tool.name", "toolRemoval.tool.serverName", "toolRemoval.tool.type";
    Label => "citationsContent.citations[].location.web.url", "citationsContent.citations[].location.web.domain";
    Signed { key: "signature", up: 0 } => "reasoningContent.reasoningText.text";
    Sealed => "reasoningContent.reasoningText.signature", "reasoningContent.redactedContent";
];

/// The schema of an output format is JSON in a string, inspected as a label.
const REQUEST: &[Selector] = rows![
    Name => "messages[].role", "toolConfig.tools[].toolSpec.name", "toolConfig.tools[].systemTool.name",
        "toolConfig.tools[].cachePoint.type", "toolConfig.tools[].cachePoint.ttl", "toolConfig.toolChoice.**",
        "guardrailConfig.**", "performanceConfig.latency", "additionalModelResponseFieldPaths[]", "outputConfig.effort",
        "outputConfig.textFormat.type", "outputConfig.textFormat.structure.jsonSchema.name";
    Label => "outputConfig.textFormat.structure.jsonSchema.schema", "inferenceConfig.stopSequences[]",
        "requestMetadata.{*}", "serviceTier.type";
];

/// A message, whole or in events. Reasoning is signed and stays as it is.
const ANSWERS: &[Selector] = rows![
    Name => "stopReason", "p", "role", "output.message.role", "output.message.content[].toolUse.toolUseId",
        "start.toolUse.toolUseId", "output.message.content[].image.format", "trace.**.type", "trace.**.action",
        "performanceConfig.latency", "serviceTier.type";
    TOOL => "output.message.content[].toolUse.name", "start.toolUse.name";
    Sealed => "output.message.content[].reasoningContent.**", "delta.reasoningContent.**";
    Media => "output.message.content[].**.bytes";
    INPUT => "usage.inputTokens";
    CACHE_READ => "usage.cacheReadInputTokens";
    CACHE_WRITE => "usage.cacheWriteInputTokens";
    OUTPUT => "usage.outputTokens";
    PIECE => "delta.text", "delta.toolUse.input";
];

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
