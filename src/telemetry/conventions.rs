//! What OpenTelemetry calls the providers and operations of our wire formats: the semantic conventions for generative AI, as
//! they are in development in their own repository, on top of version 1.44.0 of the general ones. Builds no span.

/// A span or resource follows these, as far as they are stable.
pub(super) const SCHEMA: &str = "https://opentelemetry.io/schemas/1.44.0";

/// `gen_ai.provider.name` by the family, which begins a format's name. What is not well known there has the name it has here.
const PROVIDERS: &[(&str, &str)] = &[
    ("openai", "openai"),
    ("azure", "azure.ai.openai"),
    ("anthropic", "anthropic"),
    ("gemini", "gcp.gemini"),
    ("ollama", "ollama"),
    ("cohere", "cohere"),
    ("mistral", "mistral_ai"),
    ("bedrock", "aws.bedrock"),
];

/// `gen_ai.operation.name` by the format.
const OPERATIONS: &[(&str, &str)] = &[
    ("openai.chat", "chat"),
    ("openai.completions", "text_completion"),
    ("openai.responses", "chat"),
    ("openai.embeddings", "embeddings"),
    ("azure.chat", "chat"),
    ("azure.completions", "text_completion"),
    ("azure.responses", "chat"),
    ("azure.embeddings", "embeddings"),
    ("anthropic.messages", "chat"),
    ("gemini.generate", "generate_content"),
    ("gemini.stream", "generate_content"),
    ("gemini.embed", "embeddings"),
    ("ollama.chat", "chat"),
    ("ollama.generate", "text_completion"),
    ("ollama.embed", "embeddings"),
    ("cohere.chat", "chat"),
    ("mistral.chat", "chat"),
    ("mistral.fim", "text_completion"),
    ("mistral.embeddings", "embeddings"),
    ("bedrock.converse", "chat"),
    ("bedrock.converse_stream", "chat"),
];

/// Provider and operation of a format, if a model does what it asks for.
pub(super) fn of(format: &str) -> Option<(&'static str, &'static str)> {
    let of = |table: &'static [(&str, &'static str)], key: &str| {
        table.iter().find(|(known, _)| *known == key).map(|(_, name)| *name)
    };
    Some((of(PROVIDERS, format.split('.').next()?)?, of(OPERATIONS, format)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::FORMATS;

    /// Lists, counts, verdicts and tools: no model is asked to write.
    const NONE: &[&str] = &[
        "openai.moderations",
        "openai.models",
        "azure.models",
        "anthropic.count_tokens",
        "anthropic.batches",
        "anthropic.models",
        "gemini.count_tokens",
        "gemini.models",
        "ollama.tags",
        "mistral.models",
        "mcp",
        "mcp.session",
    ];

    #[test]
    fn every_format_has_an_operation_or_asks_no_model() {
        for format in FORMATS.iter().map(|dialect| dialect.name) {
            assert_eq!(of(format).is_none(), NONE.contains(&format), "{format}");
        }
    }

    #[test]
    fn every_row_is_of_a_format_that_exists() {
        for (format, _) in OPERATIONS {
            assert!(crate::wire::find(format).is_some(), "{format}");
        }
    }
}
