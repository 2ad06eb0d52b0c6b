//! What was taken back before its time: single tokens, subjects, clients. Reads no file and ends no request under way.

use std::collections::HashSet;

use thiserror::Error;

use super::error::AuthError;
use super::principal::Principal;

/// The most entries a list may have.
pub const MAX_REVOCATIONS: usize = 100_000;

/// Ids, compared whole and with their case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revocations {
    tokens: HashSet<String>,
    subjects: HashSet<String>,
    clients: HashSet<String>,
}

/// Why a list is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RevocationError {
    #[error("line {0}: write `jti ID`, `sub ID` or `client ID`")]
    Line(usize),
    #[error("more than {MAX_REVOCATIONS} entries")]
    TooMany,
}

impl Revocations {
    /// `tokens` by the claim `jti`, `subjects` by `sub`, `clients` by their client id.
    pub fn new(
        tokens: impl IntoIterator<Item = String>,
        subjects: impl IntoIterator<Item = String>,
        clients: impl IntoIterator<Item = String>,
    ) -> Self {
        Revocations {
            tokens: tokens.into_iter().collect(),
            subjects: subjects.into_iter().collect(),
            clients: clients.into_iter().collect(),
        }
    }

    /// Adds the entries of a list: one a line, its kind and, after a space, the id; `#` begins a comment line.
    ///
    /// # Errors
    /// A line that says something else: to pass over it would leave in force what somebody took back.
    pub fn with_list(mut self, text: &str) -> Result<Self, RevocationError> {
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (kind, id) = line.split_once(' ').ok_or(RevocationError::Line(number))?;
            let ids = match kind {
                "jti" => &mut self.tokens,
                "sub" => &mut self.subjects,
                "client" => &mut self.clients,
                _ => return Err(RevocationError::Line(number)),
            };
            ids.insert(id.trim_start().to_owned());
            if self.len() > MAX_REVOCATIONS {
                return Err(RevocationError::TooMany);
            }
        }
        Ok(self)
    }

    pub fn len(&self) -> usize {
        self.tokens.len() + self.subjects.len() + self.clients.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Refuses a principal that is on the list by any of its ids.
    pub fn check(&self, principal: &Principal) -> Result<(), AuthError> {
        let named = |ids: &HashSet<String>, id: Option<&String>| id.is_some_and(|id| ids.contains(id));
        let revoked = named(&self.tokens, principal.jti.as_ref())
            || named(&self.subjects, principal.subject.as_ref())
            || named(&self.clients, Some(&principal.client_id));
        if revoked { Err(AuthError::Revoked) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Mode;

    fn principal(client: &str, subject: Option<&str>, jti: Option<&str>) -> Principal {
        Principal {
            client_id: client.to_owned(),
            scopes: Vec::new(),
            mode: Mode::Jwt,
            tenant: "tenant".to_owned(),
            subject: subject.map(str::to_owned),
            jti: jti.map(str::to_owned),
            name: Some("name".to_owned()),
            expires: None,
        }
    }

    #[test]
    fn a_principal_is_refused_by_each_of_its_ids_and_by_no_other() {
        let list = "# left in March\n\njti 7f3a\r\n  sub mallory@corp.example\nclient old batch\nsub  two spaces\n";
        let revoked = Revocations::default().with_list(list).expect("a list");
        assert_eq!(revoked.len(), 4);
        let cases = [
            (principal("app", Some("alice"), Some("7f3a")), true),
            (principal("app", Some("mallory@corp.example"), None), true),
            (principal("old batch", None, None), true),
            (principal("app", Some("two spaces"), None), true),
            (principal("app", Some("alice"), Some("7f3b")), false),
            (principal("app", None, None), false),
            // Whole and with its case, and each id in its own list.
            (principal("app", Some("Mallory@corp.example"), Some("7F3A")), false),
            (principal("7f3a", Some("old batch"), Some("mallory@corp.example")), false),
            (principal("old", Some("mallory"), Some("7f3")), false),
            (principal("tenant", Some("name"), Some("tenant")), false),
        ];
        for (principal, refused) in cases {
            let outcome = revoked.check(&principal);
            assert_eq!(outcome, if refused { Err(AuthError::Revoked) } else { Ok(()) }, "{principal:?}");
            assert_eq!(Revocations::default().check(&principal), Ok(()));
        }
    }

    #[test]
    fn ids_of_the_configuration_and_of_a_list_count_together() {
        let one = |id: &str| [id.to_owned()];
        let revoked = Revocations::new(one("j"), one("s"), one("c")).with_list("client d").expect("a list");
        assert!(!revoked.is_empty() && Revocations::default().is_empty());
        for principal in [principal("c", None, None), principal("d", None, None), principal("x", Some("s"), Some("j"))]
        {
            assert_eq!(revoked.check(&principal), Err(AuthError::Revoked), "{principal:?}");
        }
    }

    #[test]
    fn a_line_that_cannot_be_understood_voids_the_list() {
        for bad in ["jti", "sub:alice", "user alice", "Client x", "7f3a", "jti\t7f3a"] {
            let list = format!("sub alice\n{bad}\n");
            assert_eq!(Revocations::default().with_list(&list), Err(RevocationError::Line(2)), "{bad}");
        }
        let list = |entries: usize| (0..entries).map(|id| format!("jti {id}\n")).collect::<String>();
        assert_eq!(Revocations::default().with_list(&list(MAX_REVOCATIONS)).map(|all| all.len()), Ok(MAX_REVOCATIONS));
        let more = Revocations::default().with_list(&list(MAX_REVOCATIONS + 1));
        assert_eq!(more, Err(RevocationError::TooMany));
    }
}
