//! Selectors: which treatment a string value gets, by its path. A JSONPath subset; knows nothing of providers.
//!
//! `messages[].content[].text`: a name is an object key, `[]` any array element, `{*}` any key, `**` any number of
//! levels (none included). Keys are compared after unescaping and case-sensitively: what differs in case is on no
//! list and therefore inspected. Where several selectors match, the first in the table wins; where none does, the
//! value is `Treatment::Text`.
//!
//! A mark of the same grammar says whose text stands at a path and below it, up to the next mark further down.

use crate::text::Origin;

/// How a string value is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// Natural language, code or JSON in a string: everything is looked for. What no selector names is this.
    Text,
    /// A short string of the caller's own choosing (`user`, `metadata.*`, file names, https URLs): secrets with a
    /// published format and e-mail addresses are masked, digits are left, attacks are judged.
    Label,
    /// An identifier the API resolves (`id`, `model`, `role`, tool names): passed as it is up to `limits.name` bytes,
    /// beyond that inspected as a label.
    Name,
    /// As `Name`, and it names what the API remembers itself: earlier messages are part of this one.
    State,
    /// As `Name`, and it names the model that is to answer, or of an answer the one that did.
    Model,
    /// Base64 media, or a `data:` URL of it: passed as it is while it is base64, inspected as text otherwise.
    Media,
    /// As `Media`, but plain text when the sibling `type` says `text` (Anthropic and Bedrock `source.data`).
    MediaUnlessText,
    /// Signatures and encrypted content: passed unread, counted as uninspected.
    Sealed,
    /// A credential that is meant for the upstream (`tools[].authorization`): passed unread, counted as uninspected.
    Credential,
    /// Text that must stay as it is when it is signed: when the object `up` levels above the string's own object
    /// (0 is that object itself) holds `key` with a non-empty string. Inspected as text otherwise.
    Signed { key: &'static str, up: u8 },
    /// Of answers only.
    Answer(AnswerPart),
}

/// What a value of an answer is to the text around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerPart {
    /// A piece of a text that goes on in the next event at the same place.
    Piece,
    /// The same, and the elements of the array it stands in are one text.
    Row,
    /// The name of the tool whose arguments stand in the same object or below.
    Tool,
    /// Says once more what the answer says, token by token; useless once that is changed.
    Echo,
    /// Names what the API will remember of this answer.
    State,
    /// When it is a string or true, what stands in the same object and below goes on no more.
    End,
    /// A number of tokens, as the provider counted them.
    Usage(UsagePart),
}

/// What a provider counts apart. None is part of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsagePart {
    /// What was sent to the model, and of that what its tools brought where that is counted apart.
    Input,
    ToolInput,
    /// Input that was found in, and written to, a cache.
    CacheRead,
    CacheWrite,
    /// What the model wrote, and what it thought where that is counted apart.
    Output,
    Reasoning,
}

/// One row of a dialect's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selector {
    pub path: &'static str,
    pub treatment: Treatment,
}

/// Whose text stands at a path and below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// An object here is one message of a conversation; its `role` tells.
    Turn,
    Of(Origin),
}

/// One row of a dialect's table of origins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    pub path: &'static str,
    pub source: Source,
}

/// A dialect's table, compiled to a trie whose nodes a path walks as the body streams by.
#[derive(Debug)]
pub struct Plan {
    nodes: Vec<Node>,
    /// Keys named by `Treatment::Signed`, in the order of their bits in a witness mask.
    guards: Vec<&'static str>,
    marked: bool,
    refuses: bool,
}

#[derive(Debug, Default)]
struct Node {
    keys: Vec<(&'static str, u16)>,
    any_key: Option<u16>,
    element: Option<u16>,
    /// The `**` child, which stays active on every step.
    deep: Option<u16>,
    stays: bool,
    /// Row number and treatment of the selector that ends here.
    accept: Option<(usize, Treatment)>,
    /// The same of the mark.
    mark: Option<(usize, Source)>,
}

/// The nodes that are active at one place of the document: positions in a `Trail`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    start: usize,
    end: usize,
}

/// A stack of active nodes, one range a container. Grows with nesting, not with the body.
#[derive(Debug, Default)]
pub struct Trail {
    nodes: Vec<u16>,
}

/// One step down.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    Key(&'a str),
    Element,
}

/// A selector that is not written in the grammar of this module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("selector `{0}` has an empty or misplaced step")]
pub struct BadSelector(pub &'static str);

impl Plan {
    pub fn compile(selectors: impl IntoIterator<Item = Selector>) -> Result<Plan, BadSelector> {
        let mut plan = Plan { nodes: vec![Node::default()], guards: Vec::new(), marked: false, refuses: false };
        for (row, selector) in selectors.into_iter().enumerate() {
            plan.insert(row, selector)?;
        }
        Ok(plan)
    }

    /// This plan with marks.
    ///
    /// # Errors
    /// The first that is not written in the grammar.
    pub fn with_marks(mut self, marks: impl IntoIterator<Item = Mark>) -> Result<Plan, BadSelector> {
        for (row, mark) in marks.into_iter().enumerate() {
            let node = self.insert_path(mark.path)?;
            self.nodes[node].mark.get_or_insert((row, mark.source));
            self.marked = true;
        }
        Ok(self)
    }

    /// This plan for bodies in which no text may be replaced by another: what would be withheld refuses all.
    pub fn refusing(mut self) -> Plan {
        self.refuses = true;
        self
    }

    pub fn refuses(&self) -> bool {
        self.refuses
    }

    /// Whether it tells whose text stands where.
    pub fn is_marked(&self) -> bool {
        self.marked
    }

    /// The place of the document's root. `trail` must be empty.
    pub fn root(&self, trail: &mut Trail) -> Place {
        trail.nodes.clear();
        self.activate(0, 0, trail);
        Place { start: 0, end: trail.nodes.len() }
    }

    /// Goes one step down from `place`, which must be the last on the trail; the new place is appended.
    pub fn descend(&self, place: Place, step: Step<'_>, trail: &mut Trail) -> Place {
        let start = trail.nodes.len();
        for index in place.start..place.end {
            let number = trail.nodes[index];
            let node = &self.nodes[usize::from(number)];
            let (named, any) = match step {
                Step::Key(key) => {
                    (node.keys.iter().find(|(name, _)| *name == key).map(|(_, child)| *child), node.any_key)
                }
                Step::Element => (node.element, None),
            };
            for child in named.into_iter().chain(any) {
                self.activate(child, start, trail);
            }
            if node.stays {
                self.activate(number, start, trail);
            }
        }
        Place { start, end: trail.nodes.len() }
    }

    /// Takes `place` off the trail.
    pub fn ascend(&self, place: Place, trail: &mut Trail) {
        trail.nodes.truncate(place.start);
    }

    /// The treatment of a string value at `place`.
    pub fn treatment(&self, place: Place, trail: &Trail) -> Treatment {
        trail.nodes[place.start..place.end]
            .iter()
            .filter_map(|&node| self.nodes[usize::from(node)].accept)
            .min_by_key(|(row, _)| *row)
            .map_or(Treatment::Text, |(_, treatment)| treatment)
    }

    /// The mark at `place` itself; `None` where what is above it holds.
    pub fn source(&self, place: Place, trail: &Trail) -> Option<Source> {
        let marks = trail.nodes[place.start..place.end].iter().filter_map(|&node| self.nodes[usize::from(node)].mark);
        marks.min_by_key(|(row, _)| *row).map(|(_, source)| source)
    }

    /// The bit of a guard key in a witness mask; 0 for any other key.
    pub fn guard_bit(&self, key: &str) -> u8 {
        self.guards.iter().position(|guard| *guard == key).map_or(0, |index| 1 << index)
    }

    fn activate(&self, node: u16, from: usize, trail: &mut Trail) {
        if trail.nodes[from..].contains(&node) {
            return;
        }
        trail.nodes.push(node);
        if let Some(deep) = self.nodes[usize::from(node)].deep {
            self.activate(deep, from, trail);
        }
    }

    fn insert(&mut self, row: usize, selector: Selector) -> Result<(), BadSelector> {
        let node = self.insert_path(selector.path)?;
        if let Treatment::Signed { key, .. } = selector.treatment {
            if !self.guards.contains(&key) {
                self.guards.push(key);
            }
            // A witness mask is one byte; tables use two or three guards.
            if self.guards.len() > 8 {
                return Err(BadSelector(selector.path));
            }
        }
        self.nodes[node].accept.get_or_insert((row, selector.treatment));
        Ok(())
    }

    fn insert_path(&mut self, path: &'static str) -> Result<usize, BadSelector> {
        path.split('.').try_fold(0, |node, step| self.insert_step(node, step)).ok_or(BadSelector(path))
    }

    /// `name`, `name[]`, `[]`, `{*}`, `{*}[]`, `**`, each with any number of `[]` behind it.
    fn insert_step(&mut self, node: usize, step: &'static str) -> Option<usize> {
        let name = step.trim_end_matches("[]");
        let mut node = match name {
            "" if step.is_empty() => return None,
            "" => node,
            "**" => self.deep_child(node),
            "{*}" => self.child(node, |node| &mut node.any_key),
            _ if name.contains(['[', ']', '{', '}', '*']) => return None,
            _ => self.named_child(node, name),
        };
        for _ in 0..(step.len() - name.len()) / 2 {
            node = self.child(node, |node| &mut node.element);
        }
        Some(node)
    }

    fn add(&mut self) -> u16 {
        self.nodes.push(Node::default());
        // Tables are a few hundred steps; the cast would only fail on a table of 65,536.
        (self.nodes.len() - 1) as u16
    }

    fn child(&mut self, node: usize, slot: impl Fn(&mut Node) -> &mut Option<u16>) -> usize {
        let child = match *slot(&mut self.nodes[node]) {
            Some(child) => child,
            None => {
                let child = self.add();
                *slot(&mut self.nodes[node]) = Some(child);
                child
            }
        };
        usize::from(child)
    }

    fn deep_child(&mut self, node: usize) -> usize {
        let child = self.child(node, |node| &mut node.deep);
        self.nodes[child].stays = true;
        child
    }

    fn named_child(&mut self, node: usize, name: &'static str) -> usize {
        if let Some((_, child)) = self.nodes[node].keys.iter().find(|(key, _)| *key == name) {
            return usize::from(*child);
        }
        let child = self.add();
        self.nodes[node].keys.push((name, child));
        usize::from(child)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn treatment(table: &[(&'static str, Treatment)], path: &[&str]) -> Treatment {
        let rows = table.iter().map(|&(path, treatment)| Selector { path, treatment });
        let plan = Plan::compile(rows).unwrap();
        let mut trail = Trail::default();
        let mut place = plan.root(&mut trail);
        for step in path {
            let step = if *step == "[]" { Step::Element } else { Step::Key(step) };
            place = plan.descend(place, step, &mut trail);
        }
        plan.treatment(place, &trail)
    }

    const TABLE: &[(&str, Treatment)] = &[
        ("model", Treatment::Name),
        ("messages[].content[].image_url.url", Treatment::Media),
        ("metadata.{*}", Treatment::Label),
        ("tools[].**.name", Treatment::Name),
        ("tools[].**.enum[]", Treatment::Label),
        ("matrix[][].id", Treatment::Name),
        ("data.**", Treatment::Sealed),
        ("data.inner.x", Treatment::Label),
    ];

    #[test]
    fn paths_get_the_treatment_of_their_row() {
        let cases: &[(&[&str], Treatment)] = &[
            (&["model"], Treatment::Name),
            (&["Model"], Treatment::Text),
            (&["x", "model"], Treatment::Text),
            (&["messages", "[]", "content", "[]", "image_url", "url"], Treatment::Media),
            (&["messages", "[]", "content"], Treatment::Text),
            (&["messages", "[]", "content", "[]", "image_url", "url", "deeper"], Treatment::Text),
            (&["metadata", "anything"], Treatment::Label),
            (&["metadata", "anything", "deeper"], Treatment::Text),
            (&["tools", "[]", "name"], Treatment::Name),
            (&["tools", "[]", "function", "name"], Treatment::Name),
            (&["tools", "[]", "a", "[]", "b", "name"], Treatment::Name),
            (&["tools", "name"], Treatment::Text),
            (&["tools", "[]", "p", "enum", "[]"], Treatment::Label),
            (&["matrix", "[]", "[]", "id"], Treatment::Name),
            (&["data", "a", "[]", "b"], Treatment::Sealed),
            (&["data", "inner", "x"], Treatment::Sealed),
        ];
        for (path, expected) in cases {
            assert_eq!(treatment(TABLE, path), *expected, "{path:?}");
        }
    }

    #[test]
    fn a_mark_holds_at_its_own_path_only_and_the_first_row_wins() {
        let mark = |path, source| Mark { path, source };
        let marks = [
            mark("messages[]", Source::Turn),
            mark("messages[].{*}.content", Source::Of(Origin::Tool)),
            mark("messages[].content.content", Source::Of(Origin::Document)),
        ];
        let plan = Plan::compile([]).unwrap().with_marks(marks).unwrap();
        let source = |path: &[Step<'_>]| {
            let mut trail = Trail::default();
            let root = plan.root(&mut trail);
            let place = path.iter().fold(root, |place, step| plan.descend(place, *step, &mut trail));
            plan.source(place, &trail)
        };
        let (messages, content) = (Step::Key("messages"), Step::Key("content"));
        assert_eq!(source(&[messages]), None);
        assert_eq!(source(&[messages, Step::Element]), Some(Source::Turn));
        assert_eq!(source(&[messages, Step::Element, content]), None);
        assert_eq!(source(&[messages, Step::Element, content, content]), Some(Source::Of(Origin::Tool)));
        assert!(Plan::compile([]).unwrap().with_marks([mark("a..b", Source::Turn)]).is_err());
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        for path in ["", "a..b", "a.*", "a[", "a{b}", "a[].[x]"] {
            assert!(Plan::compile([Selector { path, treatment: Treatment::Text }]).is_err(), "{path}");
        }
    }

    #[test]
    fn leaving_a_place_restores_the_trail() {
        let plan = Plan::compile(TABLE.iter().map(|&(path, treatment)| Selector { path, treatment })).unwrap();
        let mut trail = Trail::default();
        let root = plan.root(&mut trail);
        let before = trail.nodes.clone();
        let place = plan.descend(root, Step::Key("tools"), &mut trail);
        plan.ascend(place, &mut trail);
        assert_eq!(trail.nodes, before);
    }
}
