//! Detection: text in, findings out. Decides nothing; `policy` does.

mod allow;
pub mod classifier;
mod compiled;
mod enclosed;
pub mod finding;
mod gate;
pub mod growing;
mod literals;
mod marks;
pub mod models;
pub mod near;
mod need;
mod negation;
mod overlap;
mod prefilter;
mod reach;
pub mod rule;
pub mod scanner;
pub mod score;
pub mod semantics;
pub mod tagger;
mod token;
pub mod tuning;
pub mod validate;
mod weigh;

pub use allow::Allow;
pub use finding::{Category, Finding, Severity};
pub use models::Model;
pub use rule::{Rule, RuleProblem, RuleSet};
pub use scanner::{Class, Scanner};
pub use score::scores;
pub use tuning::Adjustment;
