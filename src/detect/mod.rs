//! Detection: text in, findings out. Decides nothing; `policy` does.

mod compiled;
pub mod finding;
mod overlap;
pub mod rule;
pub mod scanner;
pub mod validate;

pub use finding::{Category, Finding, Severity};
pub use rule::{Rule, RuleProblem, RuleSet};
pub use scanner::{Class, Scanner};
