//! What takes the place of a sensitive span, and the memory of it. Finds nothing and decides nothing.

use std::sync::Arc;

use super::known::Known;
use crate::detect::Finding;
use crate::policy::{Action, Mint, Tokens, placeholder};

/// The placeholders of one request.
#[derive(Debug, Default)]
pub(super) struct Placer {
    /// Without one, every placeholder is for good.
    mint: Option<Mint>,
    pub tokens: Tokens,
    /// Placeholders there may be.
    most: usize,
    /// Values that have a placeholder, wherever they stand again.
    pub known: Known,
}

impl Placer {
    /// With at most so many placeholders that can be undone: what is over is masked for good.
    pub fn new(mint: Option<Mint>, most: usize) -> Self {
        Placer { mint, tokens: Tokens::default(), most, known: Known::new(most) }
    }

    pub fn mint(&self) -> Option<Mint> {
        self.mint.clone()
    }

    /// What stands for `value` from now on.
    pub fn place(&mut self, finding: &Finding, action: Action, value: &str) -> Arc<str> {
        match &self.mint {
            Some(mint) if action == Action::Tokenize && self.tokens.len() < self.most => {
                self.known.learn(finding, value);
                for written in in_json(value) {
                    self.known.learn(finding, &written);
                }
                self.tokens.mint(mint, &finding.entity, value)
            }
            Some(mint) if action == Action::Tokenize => {
                let minted = self.tokens.minted(mint, &finding.entity, value);
                minted.unwrap_or_else(|| placeholder::mask(&finding.entity).into())
            }
            _ => placeholder::mask(&finding.entity).into(),
        }
    }

    /// The same for a value as it is written in a string of JSON: what it stands for is what that string says.
    pub fn place_nested(&mut self, finding: &Finding, action: Action, value: &str) -> Arc<str> {
        let plain = value.contains('\\').then(|| serde_json::from_str::<String>(&format!("\"{value}\"")).ok());
        if let Some(Some(plain)) = plain {
            if self.mint.is_some() && action == Action::Tokenize {
                self.known.learn(finding, value);
            }
            return self.place(finding, action, &plain);
        }
        self.place(finding, action, value)
    }
}

/// How a value is written in a string of JSON, where that differs: with its letters as they are, and with escapes for all that
/// is not ASCII. Arguments of tools, which an answer restored, come back that way with the next turn.
fn in_json(value: &str) -> Vec<String> {
    let quoted = serde_json::to_string(value).unwrap_or_default();
    let plain = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    let mut ascii = String::with_capacity(plain.len());
    for character in plain.chars() {
        match character.is_ascii() {
            true => ascii.push(character),
            false => ascii.extend(character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}"))),
        }
    }
    let mut written = vec![plain.to_owned(), ascii];
    written.dedup();
    written.retain(|written| written != value);
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{Category, Severity};
    use crate::policy::{TokenKey, token};
    use crate::text::Span;

    fn finding() -> Finding {
        let (category, severity) = (Category::Secret, Severity::High);
        let (rule, entity) = ("secret.test".into(), "PASSWORD".into());
        Finding { rule, category, entity, severity, confidence: 0.9, span: Span::new(0, 0) }
    }

    #[test]
    fn what_is_over_the_limit_is_masked_for_good_and_what_has_a_placeholder_keeps_it() {
        let mint = Mint { key: Arc::new(TokenKey::new(&[7; 32], 1)), tenant: "acme".into() };
        let mut placer = Placer::new(Some(mint), 2);
        let mut place = |value| placer.place(&finding(), Action::Tokenize, value).to_string();
        let [one, two, three] = ["one-value", "two-value", "three-value"].map(&mut place);
        assert!(token::is_token(&one) && token::is_token(&two) && three == "[PASSWORD_MASKED]");
        assert_eq!([place("two-value"), place("one-value")], [two, one]);
        assert_eq!(placer.tokens.len(), 2);
    }

    #[test]
    fn a_value_is_known_as_json_writes_it_and_stands_for_the_same() {
        let finding = finding();
        let mint = Mint { key: Arc::new(TokenKey::new(&[7; 32], 1)), tenant: "acme".into() };
        let mut placer = Placer::new(Some(mint), 8);
        let value = "say \"hi\"\\ to C:\\new\n\tgrün 😀";
        let token = placer.place(&finding, Action::Tokenize, value);
        for (written, is_nested) in [
            (value, false),
            (r#"say \"hi\"\\ to C:\\new\n\tgrün 😀"#, true),
            (r#"say \"hi\"\\ to C:\\new\n\tgr\u00fcn \ud83d\ude00"#, true),
        ] {
            for text in [format!("\"{written}\""), format!(r"a\n{written}\n"), format!("a\n{written}")] {
                let mut findings = Vec::new();
                placer.known.find(&text, &mut findings);
                let found: Vec<&str> = findings.iter().map(|f| &text[f.span.start..f.span.end]).collect();
                assert_eq!(found, [written], "{text}");
            }
            let again = match is_nested {
                true => placer.place_nested(&finding, Action::Tokenize, written),
                false => placer.place(&finding, Action::Tokenize, written),
            };
            assert_eq!(again, token);
        }
    }
}
