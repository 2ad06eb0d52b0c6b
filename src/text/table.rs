//! Sets of bytes that a loop can ask for at once. Holds none.

/// A table over all bytes, of those in `members`: every byte of every text is looked up.
pub(super) const fn table(members: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut member = 0;
    while member < members.len() {
        table[members[member] as usize] = true;
        member += 1;
    }
    table
}
