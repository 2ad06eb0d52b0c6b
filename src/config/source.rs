//! The TOML tables and the variables laid over them, read key by key. Knows types, not meanings.
//!
//! Reading by hand instead of through serde's derive is what lets every unknown key, every value of a wrong type and every
//! stray variable be reported in one go: a derived reader stops at the first. Asking for a key is what declares it, so
//! there is no second list of keys to keep in step.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use super::problem::{Problem, did_you_mean};
use super::value::Leaf;

/// Where sections come from, and where their problems go.
pub(super) struct Source {
    /// By key path, such as `limits.hold`.
    overlay: BTreeMap<String, Overlay>,
    /// Every key path a variable may name, as far as it was asked for.
    declared: RefCell<Vec<String>>,
    /// All variables, for the keys that name one.
    variables: BTreeMap<String, String>,
    problems: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<Problem>>,
}

/// A value from a variable.
pub(super) struct Overlay {
    pub variable: String,
    pub text: String,
}

/// One table, or one that could have been there.
pub(super) struct Section<'a> {
    source: &'a Source,
    path: String,
    table: Option<&'a Table>,
    known: RefCell<Vec<String>>,
    /// False inside arrays of tables, which no variable can name.
    has_variables: bool,
}

impl Source {
    pub(super) fn new(overlay: BTreeMap<String, Overlay>, variables: BTreeMap<String, String>) -> Self {
        Source {
            overlay,
            variables,
            declared: RefCell::default(),
            problems: RefCell::default(),
            warnings: RefCell::default(),
        }
    }

    pub(super) fn root<'a>(&'a self, table: &'a Table) -> Section<'a> {
        Section::new(self, String::new(), Some(table), true)
    }

    /// A variable by its own name. One that is set to nothing counts as not set.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    pub(super) fn problem(&self, key: impl Into<String>, message: impl Into<String>) {
        self.problems.borrow_mut().push(Problem::new(key, message));
    }

    pub(super) fn warn(&self, key: impl Into<String>, message: impl Into<String>) {
        self.warnings.borrow_mut().push(Problem::new(key, message));
    }

    /// Problems and warnings, after every section was read.
    pub(super) fn finish(self) -> (Vec<Problem>, Vec<Problem>) {
        let declared = self.declared.borrow();
        let variables: Vec<String> = declared.iter().map(|path| super::env::variable_of(path)).collect();
        for (path, overlay) in &self.overlay {
            if !declared.contains(path) {
                let hint = did_you_mean(&overlay.variable, variables.iter().map(String::as_str));
                self.problem(&overlay.variable, format!("names no key that a variable can set{hint}"));
            }
        }
        drop(declared);
        (self.problems.into_inner(), self.warnings.into_inner())
    }
}

impl<'a> Section<'a> {
    fn new(source: &'a Source, path: String, table: Option<&'a Table>, has_variables: bool) -> Self {
        Section { source, path, table, known: RefCell::default(), has_variables }
    }

    /// The path of this section.
    pub(super) fn here(&self) -> &str {
        &self.path
    }

    /// The path of `key` in this section.
    pub(super) fn path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub(super) fn source(&self) -> &'a Source {
        self.source
    }

    /// The value of `key` if it is there and good. A bad one is reported and read as absent.
    pub(super) fn read<T: Leaf>(&self, key: &'static str) -> Option<T> {
        let value = self.value(key);
        if self.has_variables {
            let path = self.path(key).to_ascii_lowercase();
            self.source.declared.borrow_mut().push(path.clone());
            if let Some(overlay) = self.source.overlay.get(&path) {
                return self.checked(key, T::from_text(&overlay.text));
            }
        }
        self.checked(key, T::from_value(value?))
    }

    pub(super) fn read_or<T: Leaf>(&self, key: &'static str, default: T) -> T {
        self.read(key).unwrap_or(default)
    }

    /// The value of a key that must be there.
    pub(super) fn required<T: Leaf>(&self, key: &'static str) -> Option<T> {
        if !self.has(key) {
            self.problem(key, "is missing");
        }
        self.read(key)
    }

    /// True when the file or a variable gives `key`, or something inside it.
    pub(super) fn has(&self, key: &str) -> bool {
        let path = self.path(key);
        let inside = format!("{path}.");
        let named = |given: &String| given == &path || given.starts_with(&inside);
        self.table.is_some_and(|table| table.contains_key(key))
            || (self.has_variables && self.source.overlay.keys().any(named))
    }

    /// The names under which there are tables, or variables that would be in one, for keys that are the operator's own.
    /// They are upper-case, as variables have no other.
    pub(super) fn names(&self) -> BTreeSet<String> {
        let inside = format!("{}.", self.path).to_ascii_lowercase();
        let named = self.source.overlay.keys().filter_map(|path| path.strip_prefix(&inside)?.split('.').next());
        let tables = self.table.into_iter().flat_map(Table::keys);
        tables.cloned().chain(named.map(str::to_ascii_uppercase)).collect()
    }

    pub(super) fn section(&self, key: &str) -> Section<'a> {
        let table = self.value(key).and_then(|value| self.table_of(self.path(key), value));
        Section::new(self.source, self.path(key), table, self.has_variables)
    }

    /// The tables of an array of tables; none when the key is absent.
    pub(super) fn sections(&self, key: &'static str) -> Vec<Section<'a>> {
        let path = self.path(key);
        match self.value(key) {
            None => Vec::new(),
            Some(Value::Array(items)) => (0..)
                .zip(items)
                .map(|(i, item): (usize, &Value)| (format!("{path}[{i}]"), item))
                .map(|(path, item)| Section::new(self.source, path.clone(), self.table_of(path, item), false))
                .collect(),
            Some(_) => {
                self.problem(key, format!("must be an array of tables, written [[{path}]]"));
                Vec::new()
            }
        }
    }

    /// A problem at `key`, naming the variable when the value came from one.
    pub(super) fn problem(&self, key: &str, message: impl Into<String>) {
        let path = self.path(key);
        match self.source.overlay.get(&path.to_ascii_lowercase()).filter(|_| self.has_variables) {
            Some(overlay) => self.source.problem(format!("{path} (from {})", overlay.variable), message),
            None => self.source.problem(path, message),
        }
    }

    /// Reports the keys nobody asked for.
    pub(super) fn finish(self) {
        let known = self.known.borrow();
        for key in self.table.into_iter().flat_map(Table::keys).filter(|key| !known.contains(key)) {
            self.problem(key, format!("unknown key{}", did_you_mean(key, known.iter().map(String::as_str))));
        }
    }

    fn value(&self, key: &str) -> Option<&'a Value> {
        self.known.borrow_mut().push(key.to_owned());
        self.table?.get(key)
    }

    fn table_of(&self, path: String, value: &'a Value) -> Option<&'a Table> {
        if value.as_table().is_none() {
            self.source.problem(path, "must be a table");
        }
        value.as_table()
    }

    fn checked<T>(&self, key: &str, value: Result<T, String>) -> Option<T> {
        value.map_err(|message| self.problem(key, message)).ok()
    }
}
