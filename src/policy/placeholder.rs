//! What stands where a sensitive span stood. Characters only that need no escaping in JSON, so a placeholder is safe at any depth of quoting.

/// The one-way placeholder of an entity, for example `[EMAIL_MASKED]`.
pub fn mask(entity: &str) -> String {
    let name = SHORT_NAMES.iter().find(|(long, _)| *long == entity).map_or(entity, |(_, short)| short);
    format!("[{name}_MASKED]")
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
}
