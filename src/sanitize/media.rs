//! Tells base64 media from text, character by character. Looks at the alphabet only; decodes nothing.

/// Longest `data:` prefix up to the comma, in bytes.
const PREFIX: usize = 256;

/// What a string at a media path has turned out to be so far.
#[derive(Clone, Debug)]
pub(super) struct MediaCheck {
    state: State,
    prefix: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Could still become `data:...;base64,`.
    Prefix,
    Base64,
    Other,
}

impl MediaCheck {
    pub fn new() -> Self {
        MediaCheck { state: State::Prefix, prefix: String::new() }
    }

    /// False once the string cannot be base64 media.
    pub fn push(&mut self, text: &str) -> bool {
        let mut characters = text.char_indices();
        while self.state == State::Prefix {
            let Some((_, character)) = characters.next() else { return true };
            self.push_prefix(character);
        }
        if self.state == State::Base64 && !all_base64(characters.as_str()) {
            self.state = State::Other;
        }
        self.state == State::Base64
    }

    fn push_prefix(&mut self, character: char) {
        self.prefix.push(character);
        let scheme = "data:";
        let common = self.prefix.len().min(scheme.len());
        let is_data = self.prefix.as_bytes()[..common].eq_ignore_ascii_case(&scheme.as_bytes()[..common]);
        self.state = if !is_data {
            if all_base64(&self.prefix) { State::Base64 } else { State::Other }
        } else if character == ',' {
            let base64 = self.prefix.len() > 8 && self.prefix.to_ascii_lowercase().ends_with(";base64,");
            if base64 { State::Base64 } else { State::Other }
        } else if self.prefix.len() > PREFIX {
            State::Other
        } else {
            State::Prefix
        };
    }

    /// At the end of the string: a prefix of `data:` that never ended is no media.
    pub fn is_media(&self) -> bool {
        match self.state {
            State::Prefix => self.prefix.is_empty() || all_base64(&self.prefix),
            State::Base64 => true,
            State::Other => false,
        }
    }
}

/// Both alphabets of RFC 4648, padding, and the line ends of MIME (RFC 2045).
fn all_base64(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=' | b'\r' | b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_and_base64_data_urls_are_media_and_nothing_else_is() {
        let cases = [
            ("", true),
            ("iVBORw0KGgo=", true),
            ("data", true),
            ("dataAAAA", true),
            ("_-AB\r\nCD==", true),
            ("data:image/png;base64,iVBORw0KGgo=", true),
            ("DATA:image/png;BASE64,AAAA", true),
            ("data:image/png;base64,not base64!", false),
            ("data:text/plain,hello", false),
            ("data:image/png;base64", false),
            ("https://example.org/a.png", false),
            ("my password is hunter2", false),
            ("AAAA é", false),
        ];
        for (text, expected) in cases {
            let mut whole = MediaCheck::new();
            let fits = whole.push(text);
            assert_eq!(fits && whole.is_media(), expected, "{text:?}");
            let mut pieces = MediaCheck::new();
            let mut buffer = [0; 4];
            let fits = text.chars().all(|character| pieces.push(character.encode_utf8(&mut buffer)));
            assert_eq!(fits && pieces.is_media(), expected, "{text:?} by characters");
        }
    }
}
