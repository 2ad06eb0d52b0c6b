//! What a detector reports. A finding holds a span and names, never the text it matched, so it can be logged.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::text::Span;

/// One match of one rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Id of the rule, for example `secret.openai.project_key`.
    pub rule: Arc<str>,
    pub category: Category,
    /// Entity type: a Presidio name (`EMAIL_ADDRESS`) or the project's own (`PASSWORD`, `API_KEY`). For attacks the category's name.
    pub entity: Arc<str>,
    pub severity: Severity,
    /// 0 to 1, calibrated per category.
    pub confidence: f32,
    /// In the text that was given to the scanner, in bytes.
    pub span: Span,
}

impl Finding {
    /// Whether it is worth naming. The attack model says of every text how much it looks like an attack; most of that is next to
    /// nothing and counts in scores alone.
    pub fn is_notable(&self) -> bool {
        self.category.is_sensitive() || self.confidence >= NOTABLE
    }

    /// Whether the attack model found it, not a rule.
    pub fn is_of_attack_model(&self) -> bool {
        self.rule.starts_with(ATTACK_MODEL)
    }
}

/// Ids of what the attack model finds begin so.
pub(super) const ATTACK_MODEL: &str = "model.";
/// The confidence from which an attack is named.
pub const NOTABLE: f32 = 0.2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    Secret,
    Pii,
    Injection,
    Jailbreak,
    PromptExtraction,
    MaliciousCode,
}

impl Category {
    pub const ALL: [Category; 6] = [
        Category::Secret,
        Category::Pii,
        Category::Injection,
        Category::Jailbreak,
        Category::PromptExtraction,
        Category::MaliciousCode,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Category::Secret => "secret",
            Category::Pii => "pii",
            Category::Injection => "injection",
            Category::Jailbreak => "jailbreak",
            Category::PromptExtraction => "prompt_extraction",
            Category::MaliciousCode => "malicious_code",
        }
    }

    /// True for what is masked span by span, false for attacks, which are judged as a whole.
    pub const fn is_sensitive(self) -> bool {
        matches!(self, Category::Secret | Category::Pii)
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Low,
    Medium,
    High,
    Critical,
}
