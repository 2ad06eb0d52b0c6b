//! Selectors: which treatment a string value gets, by its path. A JSONPath subset; knows nothing of providers.
//!
//! `messages[].content[].text`: a name is an object key, `[]` any array element, `{*}` any key, `**` any number of
//! levels (none included). Keys are compared after unescaping and case-sensitively: what differs in case is on no
//! list and therefore inspected. Where several selectors match, the first in the table wins; where none does, the
//! value is `Treatment::Text`.

/// How a string value is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// Natural language, code or JSON in a string: everything is looked for. What no selector names is this.
    Text,
    /// A short string of the caller's own choosing (`user`, `metadata.*`, file names, https URLs): secrets with a
    /// published format and e-mail addresses are masked, digits are left, attacks are judged.
    Label,
    /// An identifier the API resolves (`id`, `model`, `role`, tool names): passed as it is up to `limits.name` bytes,
    /// beyond that inspected as a label.
    Name,
    /// Base64 media, or a `data:` URL of it: passed as it is while it is base64, inspected as text otherwise.
    Media,
    /// As `Media`, but plain text when the sibling `type` says `text` (Anthropic and Bedrock `source.data`).
    MediaUnlessText,
    /// Signatures and encrypted content: passed unread, counted as uninspected.
    Sealed,
    /// A credential that is meant for the upstream (`tools[].authorization`): passed unread, counted as uninspected.
    Credential,
    /// Text that must stay as it is when it is signed: when the object `up` levels above the string's own object
    /// (0 is that object itself) holds `key` with a non-empty string. Inspected as text otherwise.
    Signed { key: &'static str, up: u8 },
}

/// One row of a dialect's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selector {
    pub path: &'static str,
    pub treatment: Treatment,
}
