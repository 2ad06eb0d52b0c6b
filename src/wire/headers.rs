//! Which headers and query keys cross the gateway, and where credentials live. Knows nothing of framing: `Host`,
//! `Content-Length` and `Transfer-Encoding` are the proxy's own.
//!
//! Upwards by allow-list, so that a header nobody thought of carries nothing out; downwards by deny-list, so that rate
//! limits, request ids and retry advice of providers reach their SDKs.

use super::Family;

/// Where callers put their key, in the order in which it is looked for.
pub const CALLER_CREDENTIAL_HEADERS: &[&str] = &["authorization", "x-api-key", "api-key", "x-goog-api-key"];

/// Headers that never go upstream as the caller sent them, whatever configuration allows: they hold a credential, or
/// bind the request to a connection.
pub const NEVER_UPSTREAM: &[&str] = &[
    "authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "ocp-apim-subscription-key",
    "x-amz-security-token",
    "x-promptgate-token",
    "cookie",
    "proxy-authorization",
    "accept-encoding",
    "content-encoding",
    "content-length",
    "expect",
    "host",
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Headers that decide whose request this is, where it goes or how its body is read. A request that binds one of them to the
/// connection (`Connection: authorization`) asks whoever stands in between to lose it. A name that ends in `-` stands for
/// all that begin with it.
const NEVER_NOMINATED: &[&str] = &[
    "anthropic-",
    "api-key",
    "authorization",
    "content-",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "mcp-",
    "transfer-encoding",
    "via",
    "x-api-key",
    "x-forwarded-",
    "x-goog-",
    "x-promptgate-",
    "x-real-ip",
    "x-request-id",
];

/// Query keys that carry a credential somewhere. It would end up in access logs on the way, so their presence is 401.
pub const CREDENTIAL_QUERY_KEYS: &[&str] = &[
    "key",
    "$key",
    "api_key",
    "api-key",
    "apikey",
    "x-api-key",
    "x-goog-api-key",
    "subscription-key",
    "token",
    "auth_token",
    "access_token",
    "oauth_token",
    "authorization",
    "x-amz-credential",
    "x-amz-security-token",
    "x-amz-signature",
];

/// Allowed for every family. `accept` matters: mistralai picks streaming with it.
const COMMON_HEADERS: &[&str] =
    &["accept", "content-type", "traceparent", "tracestate", "user-agent", "x-client-request-id"];

/// What a family allows beyond `COMMON_HEADERS`; a name that ends in `-` stands for all that begin with it.
const fn family_headers(family: Family) -> &'static [&'static str] {
    match family {
        Family::OpenAi => &["idempotency-key", "openai-beta", "openai-organization", "openai-project", "x-stainless-"],
        Family::Azure => &[
            "idempotency-key",
            "openai-beta",
            "openai-organization",
            "openai-project",
            "x-ms-client-request-id",
            "x-stainless-",
        ],
        Family::Anthropic => &[
            "anthropic-beta",
            "anthropic-dangerous-direct-browser-access",
            "anthropic-user-profile-id",
            "anthropic-version",
            "anthropic-workspace-id",
            "idempotency-key",
            "x-stainless-",
        ],
        Family::Gemini => &["x-goog-api-client", "x-goog-user-project", "x-server-timeout"],
        Family::Ollama => &[],
        Family::Cohere => &["x-client-name", "x-fern-"],
        Family::Mistral => &["idempotency-key"],
        Family::Bedrock => &["amz-sdk-"],
        Family::Mcp => {
            &["last-event-id", "mcp-method", "mcp-name", "mcp-param-", "mcp-protocol-version", "mcp-session-id"]
        }
    }
}

const fn family_query_keys(family: Family) -> &'static [&'static str] {
    match family {
        Family::Azure => &["api-version"],
        Family::Anthropic => &["after_id", "before_id", "beta", "limit"],
        Family::Gemini => &["$alt", "alt", "pageSize", "pageToken", "prettyPrint"],
        Family::OpenAi | Family::Ollama | Family::Cohere | Family::Mistral | Family::Bedrock | Family::Mcp => &[],
    }
}

/// The provider's own identity and cookies, hop-by-hop headers, and what would bind the caller's browser to the
/// provider. A name that ends in `-` stands for all that begin with it. SDK clients replay a cookie on every later
/// request and would mix tenants by it; they follow a redirect with the prompt as it was before it was masked.
const NEVER_DOWNSTREAM: &[&str] = &[
    "access-control-",
    "alt-svc",
    "anthropic-organization-id",
    "cf-",
    "connection",
    "keep-alive",
    "location",
    "nel",
    "openai-organization",
    "openai-project",
    "proxy-",
    "refresh",
    "report-to",
    "server",
    "set-cookie",
    "set-cookie2",
    "strict-transport-security",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-aspnet-version",
    "x-powered-by",
    "x-promptgate-",
    "x-served-by",
];

/// Whether the caller's header goes up. Names compare without case.
pub fn request_header_allowed(family: Family, name: &str) -> bool {
    names(COMMON_HEADERS, name) || names(family_headers(family), name)
}

/// Whether the header `Connection` may name it.
pub fn may_be_nominated(name: &str) -> bool {
    !names(NEVER_NOMINATED, name)
}

/// Whether the caller's query key goes up. Query keys are case-sensitive.
pub fn query_key_allowed(family: Family, key: &str) -> bool {
    family_query_keys(family).contains(&key)
}

/// Whether the (decoded) query key is a home of credentials, in any case.
pub fn query_key_is_credential(key: &str) -> bool {
    names(CREDENTIAL_QUERY_KEYS, key)
}

/// Whether the upstream's header goes down. Names compare without case.
pub fn response_header_allowed(name: &str) -> bool {
    !names(NEVER_DOWNSTREAM, name)
}

fn names(table: &[&str], name: &str) -> bool {
    table.iter().any(|entry| match entry.strip_suffix('-') {
        Some(_) => name.get(..entry.len()).is_some_and(|start| start.eq_ignore_ascii_case(entry)),
        None => name.eq_ignore_ascii_case(entry),
    })
}

/// Where an upstream expects its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamKey {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// The bare key in this header.
    Header(&'static str),
}

impl UpstreamKey {
    pub const fn header_name(self) -> &'static str {
        match self {
            UpstreamKey::Bearer => "authorization",
            UpstreamKey::Header(name) => name,
        }
    }

    pub fn header_value(self, key: &str) -> String {
        match self {
            UpstreamKey::Bearer => format!("Bearer {key}"),
            UpstreamKey::Header(_) => key.to_owned(),
        }
    }
}

impl Family {
    pub const fn upstream_key(self) -> UpstreamKey {
        match self {
            Family::OpenAi | Family::Ollama | Family::Cohere | Family::Mistral | Family::Bedrock | Family::Mcp => {
                UpstreamKey::Bearer
            }
            Family::Azure => UpstreamKey::Header("api-key"),
            Family::Anthropic => UpstreamKey::Header("x-api-key"),
            Family::Gemini => UpstreamKey::Header("x-goog-api-key"),
        }
    }
}
