//! The checks a regular expression cannot make: checksums, ranges, the look of a random token. A validator sees the text of the span only, never its
//! surroundings, and answers yes or no; context belongs in the rule.

mod crypto;
mod economy;
mod national;
mod network;
mod number;
mod random;
mod secret;

pub use random::looks_random;

use serde::Deserialize;

pub(super) use number::MONTHS;

/// The check a rule names with `validator = "..."`. Sources of the algorithms stand at each function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Validator {
    #[default]
    None,
    // money
    /// Payment card: issuer range, length and Luhn digit.
    Luhn,
    Iban,
    /// US bank routing number.
    Aba,
    // reachability
    Phone,
    /// Digits as people write them where no prefix says "phone": for rules whose context already does.
    PhoneDigits,
    Ipv4,
    Ipv6,
    Mac,
    // wallets
    Btc,
    Bech32,
    Eth,
    // national and professional numbers
    UsSsn,
    UkNhs,
    CaSin,
    AuTfn,
    AuAbn,
    InAadhaar,
    DeTaxId,
    DeSocialSecurity,
    EsNif,
    EsNie,
    FrNir,
    ItFiscalCode,
    BrCpf,
    BrCnpj,
    CnResidentId,
    JpMyNumber,
    KrRrn,
    ZaId,
    PlPesel,
    NlBsn,
    SePersonnummer,
    FiHetu,
    TrTckn,
    RuInn,
    RuSnils,
    MxCurp,
    MxClabe,
    IdNik,
    SaId,
    ChAhv,
    AuMedicare,
    FrSiret,
    EsCif,
    CnUscc,
    DeIdCard,
    Npi,
    Dea,
    Vin,
    // dates
    Date,
    // secrets
    Jwt,
    /// A random-looking token that is no digest: its letters are those of no word or identifier.
    Random,
    /// The value of an assignment to a key or token, not a placeholder, variable or expression.
    Credential,
    /// A value somebody would type as a password, not a placeholder, variable or expression.
    Password,
    /// The same, and with a digit or a sign in it: for sentences, where a plain word is more likely prose.
    StrongPassword,
    /// base64 of `user:password`.
    Basic,
}

impl Validator {
    /// True if the text can be what the rule says it is.
    pub fn accepts(self, text: &str) -> bool {
        match self {
            Validator::None => true,
            Validator::Luhn => number::card(text),
            Validator::Iban => number::iban(text),
            Validator::Aba => number::aba(text),
            Validator::Phone => number::phone(text),
            Validator::PhoneDigits => number::phone_digits(text),
            Validator::Date => number::date(text),
            Validator::Ipv4 => network::ipv4(text),
            Validator::Ipv6 => network::ipv6(text),
            Validator::Mac => network::mac(text),
            Validator::Btc => crypto::base58check(text),
            Validator::Bech32 => crypto::bech32(text),
            Validator::Eth => crypto::eth(text),
            Validator::Jwt => secret::jwt(text),
            Validator::Random => random::random(text),
            Validator::Credential => secret::credential(text),
            Validator::Password => secret::password(text),
            Validator::StrongPassword => secret::strong_password(text),
            Validator::Basic => secret::basic(text),
            national => national::accepts(national, text) || economy::accepts(national, text),
        }
    }
}

/// The decimal digits of a text, in order; separators are skipped.
fn digits(text: &str) -> Vec<u32> {
    text.chars().filter_map(|c| c.to_digit(10)).collect()
}

/// Weighted sum of digits, the shorter of the two deciding how many take part.
fn weighted(digits: &[u32], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(d, w)| d * w).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_files_name_validators_in_snake_case() {
        #[derive(Deserialize)]
        struct Row {
            validator: Validator,
        }
        let row: Row = toml::from_str("validator = \"it_fiscal_code\"").expect("a known name");
        assert_eq!(row.validator, Validator::ItFiscalCode);
    }

    /// For a table of validator, accepted and refused texts.
    pub(super) fn check(cases: &[(Validator, &[&str], &[&str])]) {
        for (validator, accepted, refused) in cases {
            for text in *accepted {
                assert!(validator.accepts(text), "{validator:?} refuses {text}");
            }
            for text in *refused {
                assert!(!validator.accepts(text), "{validator:?} accepts {text}");
            }
        }
    }
}
