//! Which entity types are one kind. Corpora split places into streets, cities and countries, and addresses into web and
//! domain; a detector is not held to their borders.

/// The kind a type is counted as; types without a row are kinds of their own.
pub(super) fn kind(entity: &str) -> &str {
    KINDS.iter().find(|(_, entities)| entities.contains(&entity)).map_or(entity, |(kind, _)| kind)
}

/// The name Presidio has for an entity that it knows under another.
pub(super) fn presidio(entity: &str) -> &str {
    match entity {
        "ADDRESS" | "STREET_ADDRESS" => "LOCATION",
        "DATE_OF_BIRTH" => "DATE_TIME",
        other => other,
    }
}

/// Formats that a pattern and a checksum decide: counted together as `structured`.
pub(super) const STRUCTURED: &[&str] =
    &["EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD", "IBAN_CODE", "US_SSN", "IP_ADDRESS", "URL", "US_DRIVER_LICENSE"];

const KINDS: &[(&str, &[&str])] = &[
    (
        "LOCATION",
        &[
            "LOCATION",
            "GPE",
            "LOC",
            "FAC",
            "ADDRESS",
            "STREET_ADDRESS",
            "ZIP_CODE",
            "CITY",
            "STATE",
            "COUNTRY",
            "UK_POSTCODE",
            "POSTCODE",
        ],
    ),
    ("ORGANIZATION", &["ORGANIZATION", "ORG", "COMPANY"]),
    ("PERSON", &["PERSON", "PER", "NAME", "FIRST_NAME", "LAST_NAME"]),
    ("DATE_TIME", &["DATE_TIME", "DATE", "TIME", "DATE_OF_BIRTH"]),
    ("TITLE", &["TITLE", "PREFIX"]),
    ("URL", &["URL", "DOMAIN_NAME"]),
    ("IP_ADDRESS", &["IP_ADDRESS", "IPV4", "IPV6"]),
    ("EMAIL_ADDRESS", &["EMAIL_ADDRESS", "EMAIL"]),
    ("PHONE_NUMBER", &["PHONE_NUMBER", "PHONE"]),
    ("IBAN_CODE", &["IBAN_CODE", "IBAN"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_name_of_an_entity_is_of_the_same_kind() {
        for entity in ["ADDRESS", "STREET_ADDRESS", "DATE_OF_BIRTH", "PERSON", "URL"] {
            assert_eq!(kind(presidio(entity)), kind(entity), "{entity}");
        }
        assert_eq!((presidio("STREET_ADDRESS"), presidio("DATE_OF_BIRTH")), ("LOCATION", "DATE_TIME"));
    }
}
