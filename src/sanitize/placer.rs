//! What takes the place of a sensitive span, and the memory of it. Finds nothing and decides nothing.

use super::known::Known;
use crate::detect::Finding;
use crate::policy::{Action, Mint, Tokens, placeholder};

/// The placeholders of one request.
#[derive(Debug, Default)]
pub(super) struct Placer {
    /// Without one, every placeholder is for good.
    mint: Option<Mint>,
    pub tokens: Tokens,
    /// Values that have a placeholder, wherever they stand again.
    pub known: Known,
}

impl Placer {
    pub fn new(mint: Option<Mint>) -> Self {
        Placer { mint, ..Placer::default() }
    }

    pub fn mint(&self) -> Option<Mint> {
        self.mint.clone()
    }

    /// What stands for `value` from now on.
    pub fn place(&mut self, finding: &Finding, action: Action, value: &str) -> String {
        match &self.mint {
            Some(mint) if action == Action::Tokenize => {
                self.known.learn(finding, value);
                self.tokens.mint(mint, &finding.entity, value).to_string()
            }
            _ => placeholder::mask(&finding.entity),
        }
    }

    /// The same for a value as it is written in a string of JSON: what it stands for is what that string says.
    pub fn place_nested(&mut self, finding: &Finding, action: Action, value: &str) -> String {
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
