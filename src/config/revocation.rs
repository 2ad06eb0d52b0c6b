//! The section `[revocation]`: who is refused though the token is good. Reads no list.

use std::path::PathBuf;

use super::source::Section;
use super::value::OnOutage;
use crate::auth::Revocations;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Revocation {
    /// Of the configuration itself.
    pub listed: Revocations,
    /// More of the same, read again while the gateway runs.
    pub file: Option<PathBuf>,
    /// Of the shared list.
    pub failure: OnOutage,
}

pub(super) fn read(section: Section) -> Revocation {
    let ids = |key| section.read_or(key, Vec::<String>::new());
    let listed = Revocations::new(ids("tokens"), ids("subjects"), ids("clients"));
    let (file, failure) = (section.read("file"), section.read_or("failure", OnOutage::Open));
    section.finish();
    Revocation { listed, file, failure }
}
