//! Path patterns such as `/openai/deployments/{id}/chat/completions`, and what a canonical path is.

use std::fmt;

/// A path with parameters. `{id}` is one whole segment; `{id}:verb` is the part of one before its verb.
#[derive(Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    segments: Vec<Segment>,
    /// Whether a parameter may hold `%2F`. Bedrock's model ids do; elsewhere it only serves to confuse.
    encoded_slash: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    /// Name, and what follows it: nothing, or a colon and a verb.
    Param(String, String),
}

/// The values of a pattern's parameters, as they were written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Params<'a>(Vec<(&'a str, &'a str)>);

/// A path to be filled with the parameters of another.
#[derive(Clone, PartialEq, Eq)]
pub struct Template(Pattern);

impl Pattern {
    /// # Errors
    /// What is wrong with `text`, to be shown to who wrote it.
    pub(super) fn parse(text: &str, encoded_slash: bool) -> Result<Self, String> {
        let path = text.strip_prefix('/').ok_or("must begin with /")?;
        let segments = path.split('/').map(Segment::parse).collect::<Result<Vec<Segment>, String>>()?;
        let names: Vec<&str> = segments.iter().filter_map(Segment::name).collect();
        let twice = |(i, name): (usize, &&str)| names.iter().take(i).any(|earlier| earlier == name);
        match names.iter().enumerate().any(twice) {
            true => Err("names a parameter twice".to_owned()),
            false => Ok(Pattern { text: text.to_owned(), segments, encoded_slash }),
        }
    }

    /// As the configuration writes it.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn segments(&self) -> usize {
        self.segments.len()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(Segment::name)
    }

    /// The parameters if `path`, which must be canonical, matches.
    pub(super) fn matches<'a>(&'a self, path: &'a str) -> Option<Params<'a>> {
        let mut given = path.split('/').skip(1);
        let mut params = Vec::new();
        for segment in &self.segments {
            let given = given.next()?;
            match segment {
                Segment::Literal(text) => (text == given).then_some(())?,
                Segment::Param(name, verb) => params.push((name.as_str(), self.value(given, verb)?)),
            }
        }
        given.next().is_none().then_some(Params(params))
    }

    pub(super) fn same_shape(&self, other: &Pattern) -> bool {
        let shape = |(a, b): (&Segment, &Segment)| match (a, b) {
            (Segment::Literal(a), Segment::Literal(b)) | (Segment::Param(_, a), Segment::Param(_, b)) => a == b,
            _ => false,
        };
        self.segments.len() == other.segments.len() && self.segments.iter().zip(&other.segments).all(shape)
    }

    /// True when one path could match both and neither is at least as literal in every segment.
    pub(super) fn ties_with(&self, other: &Pattern) -> bool {
        let pairs = || self.segments.iter().zip(&other.segments);
        self.segments.len() == other.segments.len()
            && pairs().all(|(a, b)| a.overlaps(b))
            && pairs().any(|(a, b)| a.literalness() < b.literalness())
            && pairs().any(|(a, b)| a.literalness() > b.literalness())
    }

    pub(super) fn literalness(&self) -> u32 {
        self.segments.iter().map(Segment::literalness).sum()
    }

    fn value<'a>(&self, given: &'a str, verb: &str) -> Option<&'a str> {
        let value = given.strip_suffix(verb)?;
        // A second colon would leave open which one begins the verb.
        let one_verb = verb.is_empty() || !value.contains(':');
        (!value.is_empty() && one_verb && (self.encoded_slash || !has_encoded_slash(value))).then_some(value)
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix('{') else {
            return Self::literal(text).map(Segment::Literal);
        };
        let (name, verb) = rest.split_once('}').ok_or("holds a { without a }")?;
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
            return Err("holds a parameter whose name is not a-z and _".to_owned());
        }
        match verb.strip_prefix(':') {
            None if verb.is_empty() => Ok(Segment::Param(name.to_owned(), String::new())),
            Some(word) if !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric()) => {
                Ok(Segment::Param(name.to_owned(), verb.to_owned()))
            }
            _ => Err("holds a parameter that is neither a whole segment nor followed by :verb".to_owned()),
        }
    }

    fn literal(text: &str) -> Result<String, String> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:@!$&'()*+,=".contains(&b);
        match text {
            "" => Err("holds an empty segment, or ends with /".to_owned()),
            "." | ".." => Err("holds a . or .. segment".to_owned()),
            _ if text.bytes().all(plain) => Ok(text.to_owned()),
            _ => Err("holds a character that no canonical path has".to_owned()),
        }
    }

    fn name(&self) -> Option<&str> {
        match self {
            Segment::Literal(_) => None,
            Segment::Param(name, _) => Some(name),
        }
    }

    fn literalness(&self) -> u32 {
        match self {
            Segment::Param(_, verb) if verb.is_empty() => 0,
            Segment::Param(..) => 1,
            Segment::Literal(_) => 2,
        }
    }

    fn overlaps(&self, other: &Segment) -> bool {
        match (self, other) {
            (Segment::Literal(a), Segment::Literal(b)) => a == b,
            (Segment::Literal(text), Segment::Param(_, verb)) | (Segment::Param(_, verb), Segment::Literal(text)) => {
                text.ends_with(verb.as_str())
            }
            (Segment::Param(_, a), Segment::Param(_, b)) => a == b || a.is_empty() || b.is_empty(),
        }
    }
}

impl<'a> Params<'a> {
    pub(super) fn first(&self) -> Option<&'a str> {
        self.0.first().map(|(_, value)| *value)
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}

impl Template {
    /// # Errors
    /// What is wrong with `text`, or the parameter it names that `pattern` does not have.
    pub(super) fn parse(text: &str, pattern: &Pattern) -> Result<Self, String> {
        let template = Pattern::parse(text, false)?;
        let unknown = template.names().find(|name| pattern.names().all(|known| known != *name));
        match unknown {
            Some(name) => Err(format!("names the parameter {{{name}}}, which path does not have")),
            None => Ok(Template(template)),
        }
    }

    pub(super) fn fill(&self, params: &Params<'_>) -> String {
        let mut path = String::new();
        for segment in &self.0.segments {
            path.push('/');
            match segment {
                Segment::Literal(text) => path.push_str(text),
                Segment::Param(name, verb) => {
                    path.push_str(params.get(name).unwrap_or_default());
                    path.push_str(verb);
                }
            }
        }
        path
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

/// True when every reader of RFC 3986 sees the same segments in `path`: it is absolute and ASCII, has no empty or dot segment
/// (also not behind an encoded slash), no backslash, no `;` parameters, and encodes nothing but a few characters that occur
/// in model ids. In particular no unreserved character, no NUL, no percent sign.
pub(super) fn is_canonical(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else { return false };
    let decoded_slashes = rest.replace("%2F", "/").replace("%2f", "/");
    decoded_slashes.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
        && rest.bytes().all(is_path_byte)
        && rest.split('%').skip(1).all(begins_with_allowed_code)
}

fn is_path_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-._~:@!$&'()*+,=%/".contains(&b)
}

fn begins_with_allowed_code(after_percent: &str) -> bool {
    // : / @ + = , and space
    const ALLOWED: [&str; 7] = ["3A", "2F", "40", "2B", "3D", "2C", "20"];
    after_percent.get(..2).is_some_and(|code| ALLOWED.iter().any(|allowed| allowed.eq_ignore_ascii_case(code)))
}

fn has_encoded_slash(value: &str) -> bool {
    value.contains("%2F") || value.contains("%2f")
}
