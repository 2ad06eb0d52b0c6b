//! Google Gemini: generateContent, its stream, countTokens, embedContent, models. Tables only.
//!
//! From the request types of google-genai 1.75.0 and 3.4.0. Proto3 JSON takes every field in camelCase and in
//! snake_case; a spelling that mixes both is on no list and inspected, except for media, which inspection would
//! corrupt.

use super::rows::{ECHO, END, INPUT, NAMES, OUTPUT, PIECE, REASONING, ROW, TOOL, TOOL_INPUT, marks, rows, schema};
use super::{Dialect, Family};
use crate::codec::Selector;
use crate::codec::Treatment::{Credential, Label, Media, Model, Name, Sealed, Text};

macro_rules! media {
    ($at:expr) => {
        rows![at $at;
            Name => "inlineData.mimeType", "inline_data.mime_type", "fileData.mimeType", "file_data.mime_type";
            Label => "inlineData.displayName", "inline_data.display_name", "fileData.displayName",
                "file_data.display_name", "fileData.fileUri", "file_data.file_uri";
            Media => "inlineData.data", "inline_data.data";
        ]
    };
}

/// What a part has besides text and media. `args`, `response` and `partMetadata` are free-form and stay text.
macro_rules! part {
    ($at:expr) => {
        rows![at $at;
            Name => "functionCall.id", "functionCall.name", "functionResponse.id", "functionResponse.name",
                "functionResponse.scheduling", "toolCall.id", "toolCall.toolType", "toolResponse.id",
                "toolResponse.toolType", "executableCode.id", "executableCode.language", "codeExecutionResult.id",
                "codeExecutionResult.outcome", "mediaResolution.level", "audioTranscription.languageCode";
            Name => "function_call.id", "function_call.name", "function_response.id", "function_response.name",
                "function_response.scheduling", "tool_call.id", "tool_call.tool_type", "tool_response.id",
                "tool_response.tool_type", "executable_code.id", "executable_code.language", "code_execution_result.id",
                "code_execution_result.outcome", "media_resolution.level", "audio_transcription.language_code";
            Sealed => "thoughtSignature", "thought_signature";
        ]
    };
}

/// The configuration of a voice, which may hold samples of it.
macro_rules! voice {
    ($at:expr) => {
        rows![at $at;
            Name => "voiceConfig.prebuiltVoiceConfig.voiceName", "voiceConfig.replicatedVoiceConfig.mimeType",
                "voice_config.prebuilt_voice_config.voice_name", "voice_config.replicated_voice_config.mime_type";
            Media => "voiceConfig.replicatedVoiceConfig.voiceSampleAudio",
                "voiceConfig.replicatedVoiceConfig.consentAudio",
                "voice_config.replicated_voice_config.voice_sample_audio",
                "voice_config.replicated_voice_config.consent_audio";
            Sealed => "voiceConfig.replicatedVoiceConfig.voiceConsentSignature.signature",
                "voice_config.replicated_voice_config.voice_consent_signature.signature";
        ]
    };
}

macro_rules! config {
    ($at:expr) => {
        rows![at $at;
            Name => "responseMimeType", "responseModalities[]", "mediaResolution", "thinkingConfig.thinkingLevel",
                "speechConfig.languageCode", "imageConfig.aspectRatio", "imageConfig.imageSize";
            Name => "response_mime_type", "response_modalities[]", "media_resolution", "thinking_config.thinking_level",
                "speech_config.language_code", "image_config.aspect_ratio", "image_config.image_size";
            Label => "stopSequences[]", "stop_sequences[]";
        ]
    };
}

macro_rules! request {
    ($at:expr) => {
        rows![at $at;
            Name => "model", "contents[].role", "contents.role", "systemInstruction.role", "system_instruction.role",
                "cachedContent", "cached_content", "safetySettings[].category", "safetySettings[].threshold",
                "safetySettings[].method", "safety_settings[].category", "safety_settings[].threshold",
                "safety_settings[].method", "toolConfig.**", "tool_config.**";
            Label => "labels.{*}", "serviceTier", "service_tier";
            Sealed => "continuationToken", "continuation_token";
        ]
    };
}

/// Credentials in a tool are meant for the provider, who uses them.
macro_rules! tools {
    ($at:expr) => {
        rows![at $at;
            Name => "functionDeclarations[].name", "functionDeclarations[].behavior", "mcpServers[].name",
                "computerUse.environment", "computerUse.excludedPredefinedFunctions[]",
                "fileSearch.fileSearchStoreNames[]";
            Name => "function_declarations[].name", "function_declarations[].behavior", "mcp_servers[].name",
                "computer_use.environment", "computer_use.excluded_predefined_functions[]",
                "file_search.file_search_store_names[]";
            Label => "mcpServers[].streamableHttpTransport.url", "mcp_servers[].streamable_http_transport.url",
                "googleSearch.excludeDomains[]", "google_search.exclude_domains[]";
            Credential => "mcpServers[].streamableHttpTransport.headers.{*}", "exaAiSearch.apiKey",
                "parallelAiSearch.apiKey", "googleMaps.authConfig.**", "retrieval.externalApi.apiAuth.**",
                "retrieval.externalApi.authConfig.**";
            Credential => "mcp_servers[].streamable_http_transport.headers.{*}", "exa_ai_search.api_key",
                "parallel_ai_search.api_key", "google_maps.auth_config.**", "retrieval.external_api.api_auth.**",
                "retrieval.external_api.auth_config.**";
        ]
    };
}

/// The tables of generateContent requests below each `$at`. `contents` may be one object in hand-made requests.
macro_rules! request_tables {
    ($($at:literal),+) => {
        &[$(
            request!($at),
            media!(concat!($at, "contents[].parts[].")),
            media!(concat!($at, "contents[].parts[].functionResponse.parts[].")),
            media!(concat!($at, "contents[].parts[].function_response.parts[].")),
            part!(concat!($at, "contents[].parts[].")),
            media!(concat!($at, "contents.parts[].")),
            media!(concat!($at, "contents.parts[].functionResponse.parts[].")),
            media!(concat!($at, "contents.parts[].function_response.parts[].")),
            part!(concat!($at, "contents.parts[].")),
            media!(concat!($at, "systemInstruction.parts[].")),
            part!(concat!($at, "systemInstruction.parts[].")),
            media!(concat!($at, "system_instruction.parts[].")),
            part!(concat!($at, "system_instruction.parts[].")),
            tools!(concat!($at, "tools[].")),
            schema!(concat!($at, "tools[].functionDeclarations[].parameters")),
            schema!(concat!($at, "tools[].functionDeclarations[].parametersJsonSchema")),
            schema!(concat!($at, "tools[].functionDeclarations[].response")),
            schema!(concat!($at, "tools[].functionDeclarations[].responseJsonSchema")),
            schema!(concat!($at, "tools[].function_declarations[].parameters")),
            schema!(concat!($at, "tools[].function_declarations[].parameters_json_schema")),
            schema!(concat!($at, "tools[].function_declarations[].response")),
            schema!(concat!($at, "tools[].function_declarations[].response_json_schema")),
            config!(concat!($at, "generationConfig.")),
            voice!(concat!($at, "generationConfig.speechConfig.")),
            voice!(concat!($at, "generationConfig.speechConfig.multiSpeakerVoiceConfig.speakerVoiceConfigs[].")),
            schema!(concat!($at, "generationConfig.responseSchema")),
            schema!(concat!($at, "generationConfig.responseJsonSchema")),
            schema!(concat!($at, "generationConfig._responseJsonSchema")),
            config!(concat!($at, "generation_config.")),
            voice!(concat!($at, "generation_config.speech_config.")),
            voice!(concat!($at, "generation_config.speech_config.multi_speaker_voice_config.speaker_voice_configs[].")),
            schema!(concat!($at, "generation_config.response_schema")),
            schema!(concat!($at, "generation_config.response_json_schema")),
        )+]
    };
}

/// Function responses may come in a message of any role.
macro_rules! request_marks {
    ($($at:literal),+) => {
        &[$(marks![at $at;
            Turn => "contents[]", "contents";
            System => "systemInstruction", "system_instruction";
            Assistant => "contents[].parts[].functionCall", "contents[].parts[].function_call",
                "contents[].parts[].toolCall", "contents[].parts[].tool_call", "contents[].parts[].executableCode",
                "contents[].parts[].executable_code", "contents.parts[].functionCall", "contents.parts[].function_call";
            Tool => "contents[].parts[].functionResponse", "contents[].parts[].function_response",
                "contents[].parts[].toolResponse", "contents[].parts[].tool_response",
                "contents[].parts[].codeExecutionResult", "contents[].parts[].code_execution_result",
                "contents.parts[].functionResponse", "contents.parts[].function_response";
            Document => "contents[].parts[].inlineData", "contents[].parts[].inline_data", "contents.parts[].inlineData",
                "contents.parts[].inline_data";
            Definition => "tools", "generationConfig", "generation_config";
        ]),+]
    };
}

pub(super) static GENERATE: Dialect =
    Dialect::json("gemini.generate", Family::Gemini, request_tables!(""), request_marks!("")).answering(&[ANSWERS]);
pub(super) static STREAM: Dialect =
    Dialect::json("gemini.stream", Family::Gemini, request_tables!(""), request_marks!("")).answering(&[ANSWERS]);
pub(super) static COUNT_TOKENS: Dialect = Dialect::json(
    "gemini.count_tokens",
    Family::Gemini,
    request_tables!("", "generateContentRequest.", "generate_content_request."),
    request_marks!("", "generateContentRequest.", "generate_content_request."),
)
.answering(&[NAMES]);
/// One content, or with `requests` many.
pub(super) static EMBED: Dialect = Dialect::json(
    "gemini.embed",
    Family::Gemini,
    &[
        rows![
            Name => "model", "content.role", "taskType", "task_type", "requests[].model", "requests[].content.role",
                "requests[].taskType", "requests[].task_type";
        ],
        media!("content.parts[]."),
        part!("content.parts[]."),
        media!("requests[].content.parts[]."),
        part!("requests[].content.parts[]."),
    ],
    &[],
)
.answering(&[NAMES]);
pub(super) static MODELS: Dialect = Dialect::bodiless("gemini.models", Family::Gemini);

/// An answer is a stream of answers: the parts of one candidate are one text.
const ANSWERS: &[Selector] = rows![
    INPUT => "usageMetadata.promptTokenCount";
    TOOL_INPUT => "usageMetadata.toolUsePromptTokenCount";
    OUTPUT => "usageMetadata.candidatesTokenCount";
    REASONING => "usageMetadata.thoughtsTokenCount";
    Model => "modelVersion";
    Name => "responseId", "candidates[].content.role", "candidates[].safetyRatings[].**",
        "promptFeedback.blockReason", "promptFeedback.safetyRatings[].**", "usageMetadata.**", "createTime",
        "candidates[].content.parts[].functionCall.id", "candidates[].content.parts[].inlineData.mimeType",
        "candidates[].content.parts[].executableCode.language",
        "candidates[].content.parts[].codeExecutionResult.outcome", "error.status";
    TOOL => "candidates[].content.parts[].functionCall.name";
    END => "candidates[].finishReason";
    ECHO => "candidates[].logprobsResult";
    Media => "candidates[].content.parts[].inlineData.data";
    Sealed => "candidates[].content.parts[].thoughtSignature";
    ROW => "candidates[].content.parts[].text";
    PIECE => "candidates[].content.parts[].functionCall.partialArgs[].stringValue";
];
