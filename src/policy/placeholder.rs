//! What stands where a sensitive span or a whole text stood. Characters only that need no escaping in JSON, so it is safe at
//! any depth of quoting, and the same for the same finding, so that a conversation has the same prefix in every turn.

use crate::detect::Category;
use crate::text::Origin;

/// The one-way placeholder of an entity, for example `[EMAIL_MASKED]`.
pub fn mask(entity: &str) -> String {
    let name = SHORT_NAMES.iter().find(|(long, _)| *long == entity).map_or(entity, |(_, short)| short);
    format!("[{name}_MASKED]")
}

/// What stands for a text that was withheld, for example `[promptgate: tool result withheld (injection)]`. Names no rule:
/// the words of a rule's id can be what the rule looks for, and another version may have another rule for the same text.
pub fn notice(origin: Origin, category: Category) -> String {
    let what = match origin {
        Origin::Tool => "tool result",
        Origin::Document => "document",
        Origin::Definition => "description",
        Origin::System | Origin::User | Origin::History | Origin::Assistant => "message",
        Origin::Other => "text",
    };
    format!("[promptgate: {what} withheld ({category})]")
}

/// Presidio's names are long; the original server's placeholders were not.
const SHORT_NAMES: &[(&str, &str)] =
    &[("EMAIL_ADDRESS", "EMAIL"), ("PHONE_NUMBER", "PHONE"), ("US_SSN", "SSN"), ("IBAN_CODE", "IBAN")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_name_the_entity() {
        assert_eq!(mask("PASSWORD"), "[PASSWORD_MASKED]");
        assert_eq!(mask("EMAIL_ADDRESS"), "[EMAIL_MASKED]");
    }

    #[test]
    fn a_notice_says_what_was_withheld_and_why_and_needs_no_escape() {
        assert_eq!(notice(Origin::Tool, Category::Injection), "[promptgate: tool result withheld (injection)]");
        for (origin, category) in
            Origin::ALL.iter().flat_map(|origin| Category::ALL.map(|category| (*origin, category)))
        {
            let notice = notice(origin, category);
            assert!(
                notice.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')),
                "{notice}"
            );
        }
    }
}
