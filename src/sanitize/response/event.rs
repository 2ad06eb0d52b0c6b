//! One JSON document of an answer, taken apart: its strings with the places they stand at, what else is told of them, and
//! edits of them put back into its bytes. Decides nothing and finds nothing.

use std::ops::Range;

use crate::codec::frame::Edit;
use crate::codec::json::{Container, Limits, Sink, SyntaxError, Tokenizer};
use crate::codec::selector::{AnswerPart, Place, Plan, Source, Step, Trail, Treatment, UsagePart};
use crate::text::Origin;

/// One document.
#[derive(Debug, Default)]
pub(super) struct Event {
    is_json: bool,
    pub leaves: Vec<Leaf>,
    nodes: Vec<Node>,
    /// Values that repeat the answer's text in other words: ranges of the document, and what is left of them.
    echoes: Vec<(Range<usize>, &'static str)>,
    /// Where it says that text has ended.
    ends: Vec<Option<usize>>,
    /// Tokens that the provider counted.
    pub usage: Vec<(UsagePart, u64)>,
}

/// A string value.
#[derive(Debug)]
pub(super) struct Leaf {
    pub treatment: Treatment,
    /// Whose text it is, where the dialect tells.
    pub origin: Option<Origin>,
    /// Unescaped.
    pub text: String,
    /// Between the quotes, in the document.
    raw: Range<usize>,
    escapes: Vec<Escape>,
    /// Its container, and its place there.
    node: Option<usize>,
    step: u64,
}

/// One escaped character: where it stands in the text and in the document, and its length in each.
#[derive(Debug)]
struct Escape {
    text: usize,
    text_len: usize,
    raw: usize,
    raw_len: usize,
}

/// A container.
#[derive(Debug)]
struct Node {
    parent: Option<usize>,
    /// Of what stands in it.
    origin: Option<Origin>,
    /// Hash of its key, or nothing for an element.
    key: Option<u64>,
    /// Number among the elements of its array.
    position: u64,
    elements: u64,
    /// Members that number it: `index`, `output_index`.
    numbers: Vec<(u64, u64)>,
}

/// What tells one text of an answer from another: the numbers of the choice, the part, the tool call it belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks(Vec<(u64, u64)>);

impl Marks {
    /// Whether all of these are among the others.
    pub fn are_of(&self, others: &Marks) -> bool {
        self.0.iter().all(|mark| others.0.contains(mark))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Event {
    /// `name` is the event's, if its framing has one.
    ///
    /// # Errors
    /// Where the payload is no JSON.
    pub fn read(payload: &[u8], name: &str, plan: &Plan, limits: Limits) -> Result<Event, SyntaxError> {
        let mut trail = Trail::default();
        let root = plan.root(&mut trail);
        let mut reader = Reader {
            plan,
            payload,
            trail,
            next: Some((root, None)),
            open: Vec::with_capacity(USUAL),
            event: Event {
                is_json: true,
                leaves: Vec::with_capacity(USUAL),
                nodes: Vec::with_capacity(USUAL / 2),
                ..Event::default()
            },
            at: 0,
            key_end: 0,
            number: None,
            usage: None,
            echo: None,
            kind: None,
        };
        let mut tokenizer = Tokenizer::new(limits);
        tokenizer.feed(payload, &mut reader)?;
        tokenizer.finish(&mut reader)?;
        let (kind, mut event) = (reader.kind, reader.event);
        if kind.is_some_and(|kind| says_end(&kind)) || says_end(name) {
            // Of what the root's own numbers say.
            event.ends.push(if event.nodes.is_empty() { None } else { Some(0) });
        }
        Ok(event)
    }

    /// The document as one text, if it is no JSON.
    pub fn plain(text: &str) -> Event {
        let leaf = Leaf {
            treatment: Treatment::Text,
            origin: None,
            text: text.to_owned(),
            raw: 0..text.len(),
            escapes: Vec::new(),
            node: None,
            step: 0,
        };
        Event { leaves: vec![leaf], ..Event::default() }
    }

    /// What a leaf belongs to, and a number for its place, the same for the same place of every event.
    pub fn place(&self, leaf: &Leaf) -> (Marks, u64) {
        let joined = leaf.treatment == Treatment::Answer(AnswerPart::Row);
        let (marks, mut path) = self.marks(leaf.node, joined);
        path = mix(path, leaf.step);
        for (name, number) in &marks.0 {
            path = mix(mix(path, *name), *number);
        }
        (marks, path)
    }

    /// The document with these changes.
    pub fn with(&self, changes: &[Change], document: &[u8]) -> Vec<u8> {
        let mut output = Vec::with_capacity(document.len());
        let mut sent = 0;
        for edit in self.edits(changes) {
            output.extend_from_slice(&document[sent..edit.at.start]);
            output.extend_from_slice(&edit.text);
            sent = edit.at.end;
        }
        output.extend_from_slice(&document[sent..]);
        output
    }

    /// Texts of which nothing follows: all whose marks have these among them.
    pub fn ends(&self) -> impl Iterator<Item = Marks> {
        self.ends.iter().map(|node| self.marks(*node, false).0)
    }

    /// With `joined`, the elements of the innermost array are one.
    fn marks(&self, mut node: Option<usize>, mut joined: bool) -> (Marks, u64) {
        let (mut marks, mut path) = (Vec::new(), 0);
        while let Some(current) = node.and_then(|index| self.nodes.get(index)) {
            match current.key {
                Some(key) => {
                    path = mix(path, key);
                    marks.extend(current.numbers.iter().copied());
                }
                None if current.parent.is_some() => {
                    let array = current.parent.and_then(|parent| self.nodes.get(parent));
                    let array = array.and_then(|array| array.key).unwrap_or_default();
                    let own = current.numbers.iter().find(|(name, _)| *name == INDEX);
                    if !std::mem::take(&mut joined) {
                        marks.push((array, own.map_or(current.position, |(_, number)| *number)));
                    }
                    marks.extend(current.numbers.iter().filter(|(name, _)| *name != INDEX).copied());
                    path = mix(path, 1);
                }
                None => marks.extend(current.numbers.iter().copied()),
            }
            node = current.parent;
        }
        marks.sort_unstable();
        (Marks(marks), path)
    }

    /// The edits of the document that put these in place of stretches of its leaves' texts. Both are in order. What repeats
    /// the text goes with the first of them.
    pub fn edits(&self, changes: &[Change]) -> Vec<Edit> {
        let mut edits: Vec<Edit> = Vec::with_capacity(changes.len() + self.echoes.len());
        for change in changes {
            let Some(leaf) = self.leaves.get(change.leaf) else { continue };
            let text = if self.is_json { escaped(&change.text) } else { change.text.clone() };
            let at = leaf.raw_at(change.at.start)..leaf.raw_at(change.at.end);
            edits.push(Edit { at, text: text.into_bytes() });
        }
        if !edits.is_empty() {
            edits
                .extend(self.echoes.iter().map(|(at, empty)| Edit { at: at.clone(), text: empty.as_bytes().to_vec() }));
            edits.sort_by_key(|edit| edit.at.start);
        }
        edits
    }
}

/// A replacement in a leaf's text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub leaf: usize,
    pub at: Range<usize>,
    pub text: String,
}

impl Leaf {
    /// Position in the document of a position in the text.
    fn raw_at(&self, at: usize) -> usize {
        let after = self.escapes.partition_point(|escape| escape.text < at);
        match after.checked_sub(1).and_then(|index| self.escapes.get(index)) {
            Some(escape) => escape.raw + escape.raw_len + at.saturating_sub(escape.text + escape.text_len),
            None => self.raw.start + at,
        }
    }
}

/// As the content of a JSON string. Line ends that Unicode knows and JSON does not are escaped too: some clients cut lines
/// there.
pub(super) fn escaped(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap_or_default();
    let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    match inner.contains(['\u{2028}', '\u{2029}', '\u{85}']) {
        true => inner.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029").replace('\u{85}', "\\u0085"),
        false => inner.to_owned(),
    }
}

/// The tokenizer's sink.
struct Reader<'p> {
    plan: &'p Plan,
    payload: &'p [u8],
    trail: Trail,
    /// Place of the next value, when a key has named it, and the key's hash.
    next: Option<(Place, Option<u64>)>,
    /// The open containers: places, and their nodes.
    open: Vec<(Place, usize)>,
    event: Event,
    /// How much of the document was reported.
    at: usize,
    key_end: usize,
    /// A member that numbers its object, and where its value begins.
    number: Option<(u64, usize)>,
    /// A count of tokens, and where it begins.
    usage: Option<(UsagePart, usize)>,
    /// The container inside a value that repeats text, and where that begins.
    echo: Option<(usize, usize)>,
    /// What the root's `type` says.
    kind: Option<String>,
}

impl Reader<'_> {
    /// The place of the value that begins here, and its step: the hash of its key, or nothing.
    fn place(&mut self) -> (Place, Option<u64>) {
        if let Some(named) = self.next.take() {
            return named;
        }
        match self.open.last() {
            Some((place, _)) => (self.plan.descend(*place, Step::Element, &mut self.trail), None),
            None => (self.plan.root(&mut self.trail), None),
        }
    }

    /// The number of an element that begins here.
    fn position(&mut self, named: bool) -> u64 {
        let parent = self.open.last().and_then(|(_, node)| self.event.nodes.get_mut(*node));
        match parent {
            Some(parent) if !named => {
                parent.elements += 1;
                parent.elements - 1
            }
            _ => 0,
        }
    }

    /// By the mark at the place, or the nearest above it.
    fn origin(&self, place: Place) -> Option<Origin> {
        if !self.plan.is_marked() {
            return None;
        }
        match self.plan.source(place, &self.trail) {
            Some(Source::Of(origin)) => Some(origin),
            // Answers are no conversations.
            Some(Source::Turn) | None => self.node().and_then(|node| self.event.nodes.get(node)?.origin),
        }
    }

    fn node(&self) -> Option<usize> {
        self.open.last().map(|(_, node)| *node)
    }
}

impl Sink for Reader<'_> {
    type Error = SyntaxError;

    fn raw(&mut self, bytes: &[u8]) {
        self.at += bytes.len();
    }

    fn open(&mut self, _: Container) -> Result<(), SyntaxError> {
        let (place, key) = self.place();
        let (parent, position) = (self.node(), self.position(key.is_some()));
        let origin = self.origin(place);
        self.event.nodes.push(Node { parent, origin, key, position, elements: 0, numbers: Vec::new() });
        let treatment = self.plan.treatment(place, &self.trail);
        if treatment == Treatment::Answer(AnswerPart::Echo) && self.echo.is_none() && key.is_some() {
            self.echo = Some((self.open.len(), self.value_start()));
        }
        self.open.push((place, self.event.nodes.len() - 1));
        Ok(())
    }

    fn close(&mut self) -> Result<(), SyntaxError> {
        let Some((place, _)) = self.open.pop() else { return Ok(()) };
        if let Some((_, start)) = self.echo.filter(|(depth, _)| *depth == self.open.len()) {
            // The bracket itself is reported after this.
            let empty = if self.payload.get(start) == Some(&b'[') { "[]" } else { "null" };
            self.event.echoes.push((start..self.at + 1, empty));
            self.echo = None;
        }
        self.plan.ascend(place, &mut self.trail);
        Ok(())
    }

    fn key(&mut self, key: &str, _: u64, end: u64) -> Result<(), SyntaxError> {
        let Some((place, _)) = self.open.last() else { return Ok(()) };
        let step = hash(key);
        self.key_end = end as usize;
        self.next = Some((self.plan.descend(*place, Step::Key(key), &mut self.trail), Some(step)));
        self.number = NUMBERS.contains(&step).then_some((step, 0));
        Ok(())
    }

    fn begin_string(&mut self, at: u64) -> Result<(), SyntaxError> {
        let (place, key) = self.place();
        self.position(key.is_some());
        let treatment = match self.echo {
            Some(_) => Treatment::Sealed,
            None => self.plan.treatment(place, &self.trail),
        };
        let (node, start, origin) = (self.node(), at as usize, self.origin(place));
        if treatment == Treatment::Answer(AnswerPart::End) {
            self.event.ends.push(node);
        }
        self.event.leaves.push(Leaf {
            treatment,
            origin,
            text: String::new(),
            raw: start..start,
            escapes: Vec::new(),
            node,
            step: key.unwrap_or_default(),
        });
        self.plan.ascend(place, &mut self.trail);
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), SyntaxError> {
        self.at += text.len();
        if let Some(leaf) = self.event.leaves.last_mut() {
            leaf.text.push_str(text);
        }
        Ok(())
    }

    fn escape(&mut self, character: char, raw: &[u8]) -> Result<(), SyntaxError> {
        if let Some(leaf) = self.event.leaves.last_mut() {
            let (text, text_len) = (leaf.text.len(), character.len_utf8());
            leaf.escapes.push(Escape { text, text_len, raw: self.at, raw_len: raw.len() });
            leaf.text.push(character);
        }
        self.at += raw.len();
        Ok(())
    }

    fn end_string(&mut self, at: u64) -> Result<(), SyntaxError> {
        let root = self.open.len() == 1;
        if let Some(leaf) = self.event.leaves.last_mut() {
            leaf.raw.end = at as usize;
            if root && KINDS.contains(&leaf.step) {
                self.kind = Some(leaf.text.clone());
            }
        }
        Ok(())
    }

    fn begin_scalar(&mut self, at: u64) -> Result<(), SyntaxError> {
        let (place, key) = self.place();
        self.position(key.is_some());
        match self.plan.treatment(place, &self.trail) {
            Treatment::Answer(AnswerPart::End) if self.payload.get(at as usize) == Some(&b't') => {
                let node = self.node();
                self.event.ends.push(node);
            }
            Treatment::Answer(AnswerPart::Usage(part)) => self.usage = Some((part, at as usize)),
            _ => {}
        }
        if let Some(number) = self.number.as_mut().filter(|_| key.is_some()) {
            number.1 = at as usize;
        }
        self.plan.ascend(place, &mut self.trail);
        Ok(())
    }

    fn end_scalar(&mut self, at: u64) -> Result<(), SyntaxError> {
        if let Some((part, start)) = self.usage.take() {
            self.event.usage.extend(self.number(start, at).map(|tokens| (part, tokens)));
        }
        let Some((name, start)) = self.number.take() else { return Ok(()) };
        let number = self.number(start, at);
        let node = self.open.last().and_then(|(_, node)| self.event.nodes.get_mut(*node));
        if let (Some(number), Some(node)) = (number, node) {
            node.numbers.push((name, number));
        }
        Ok(())
    }
}

impl Reader<'_> {
    /// The scalar between these places, if it is a whole number. Cohere's counts may be written with a fraction of zero.
    fn number(&self, start: usize, end: u64) -> Option<u64> {
        let text = std::str::from_utf8(self.payload.get(start..end as usize)?).ok()?;
        text.strip_suffix(".0").unwrap_or(text).parse().ok()
    }

    /// Where the value of the last key begins.
    fn value_start(&self) -> usize {
        let behind = self.payload.get(self.key_end + 1..).unwrap_or_default();
        let gap = behind.iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == b':').count();
        self.key_end + 1 + gap
    }
}

/// Whether an event of that type ends texts: `content_block_stop`, `response.output_text.done`, `message-end`.
fn says_end(kind: &str) -> bool {
    ENDS.iter().any(|end| kind.ends_with(end))
}

const ENDS: &[&str] =
    &["_stop", "Stop", ".stop", ".done", "-end", ".completed", ".incomplete", ".failed", "message_delta", "error"];
/// Members of a root that name the event's type.
const KINDS: [u64; 2] = [hash("type"), hash("event_type")];
const INDEX: u64 = hash("index");
/// Members that number the object they stand in.
const NUMBERS: [u64; 6] = [
    INDEX,
    hash("output_index"),
    hash("content_index"),
    hash("summary_index"),
    hash("contentBlockIndex"),
    hash("annotation_index"),
];
/// Strings of most events.
const USUAL: usize = 8;

/// FNV-1a: places are told apart by the names a dialect has, not by what an attacker chooses.
const fn hash(text: &str) -> u64 {
    let (bytes, mut hash, mut at) = (text.as_bytes(), 0xcbf2_9ce4_8422_2325_u64, 0);
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
}

const fn mix(seed: u64, value: u64) -> u64 {
    (seed.rotate_left(5) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
