//! Where in a text an address stands that its reader's program may fetch: of an image or a link, in Markdown or HTML.
//! Follows the text character by character and holds none of it.

/// What kind of address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Address {
    Image,
    Link,
}

/// The reader. Markdown and HTML are read side by side: what is begun in one hides nothing of the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Addresses {
    markdown: Markdown,
    before: char,
    /// Whether a `!` stood before the last `[`.
    image: bool,
    /// Labels that are open around the one that ended last.
    outer: u8,
    /// What of a reference's address was read, and of an HTML tag, in lower case.
    reference: String,
    tag: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Markdown {
    #[default]
    Text,
    /// Inside `[...]`, which may be the text of a link; how many brackets are open.
    Label(u8),
    /// Behind `]`.
    Labelled,
    /// Behind `](`.
    Inside(Address),
    /// Behind `]:`.
    Reference,
}

impl Addresses {
    /// Whether what comes next stands in an address, and in which.
    pub fn here(&self) -> Option<Address> {
        let markdown = match self.markdown {
            Markdown::Inside(address) => Some(address),
            // Images are given by reference, too.
            Markdown::Reference if self.reference.starts_with("http") => Some(Address::Image),
            _ => None,
        };
        markdown.or_else(|| attribute(self.tag.as_deref()?))
    }

    pub fn read(&mut self, text: &str) {
        for character in text.chars() {
            self.markdown = self.markdown(character);
            self.html(character);
            self.before = character;
        }
    }

    fn markdown(&mut self, c: char) -> Markdown {
        match (self.markdown, c) {
            (Markdown::Label(depth), '[') => self.label(depth.saturating_add(1)),
            (Markdown::Text | Markdown::Labelled, '[') => self.label(1),
            // `[![alt]` is an image's, and its address follows.
            (Markdown::Label(depth), ']') if depth == 1 || self.image => {
                self.outer = depth - 1;
                Markdown::Labelled
            }
            (Markdown::Label(depth), ']') => Markdown::Label(depth - 1),
            (Markdown::Labelled, '(') => Markdown::Inside(if self.image { Address::Image } else { Address::Link }),
            (Markdown::Labelled, ':') => {
                self.reference.clear();
                Markdown::Reference
            }
            (Markdown::Labelled, _) | (Markdown::Inside(_), ')') | (Markdown::Reference, '\n') => self.around(),
            (Markdown::Reference, _) => {
                if self.reference.len() < NAME && !matches!(c, ' ' | '<') {
                    self.reference.push(c.to_ascii_lowercase());
                }
                Markdown::Reference
            }
            (state, _) => state,
        }
    }

    /// What stands around a label and its address: another label, or text.
    fn around(&mut self) -> Markdown {
        self.image = false;
        match std::mem::take(&mut self.outer) {
            0 => Markdown::Text,
            depth => Markdown::Label(depth),
        }
    }

    fn label(&mut self, depth: u8) -> Markdown {
        self.image = self.before == '!';
        Markdown::Label(depth)
    }

    fn html(&mut self, c: char) {
        match (&mut self.tag, c) {
            (_, '<') => self.tag = Some(String::new()),
            (Some(_), '>') => self.tag = None,
            (Some(tag), _) if tag.is_empty() && !c.is_ascii_alphabetic() => self.tag = None,
            (Some(tag), _) => {
                if tag.len() >= LONGEST {
                    // Of a long tag its beginning and what was read last is needed.
                    let middle = tag.floor_char_boundary(NAME)..tag.ceil_char_boundary(LONGEST / 2);
                    tag.replace_range(middle, "");
                }
                tag.push(c.to_ascii_lowercase());
            }
            (None, _) => {}
        }
    }
}

/// What is given a value where the tag so far ends: `<https://...>`, or an attribute such as `src="`.
fn attribute(tag: &str) -> Option<Address> {
    if tag.starts_with("http") {
        return Some(Address::Link);
    }
    let attributes = ATTRIBUTES.iter().filter_map(|(name, address)| Some((tag.rfind(name)? + name.len(), *address)));
    let (value, address) = attributes.max()?;
    let value = tag.get(value..)?;
    let quotes = value.bytes().filter(|byte| matches!(byte, b'"' | b'\'')).count();
    let open = if quotes > 0 { quotes == 1 } else { !value.trim_start().contains(' ') };
    open.then_some(address)
}

const ATTRIBUTES: &[(&str, Address)] = &[
    ("src=", Address::Image),
    ("srcset=", Address::Image),
    ("poster=", Address::Image),
    ("background=", Address::Image),
    ("data=", Address::Image),
    ("url(", Address::Image),
    ("href=", Address::Link),
    ("action=", Address::Link),
];
/// Of a tag or an address, what is remembered at most, and how much of that is its beginning.
const LONGEST: usize = 256;
const NAME: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_images_and_links_are_told_from_text() {
        use Address::{Image, Link};
        for (before, expected) in [
            ("see ", None),
            ("see ![alt](https://e.example/?q=", Some(Image)),
            ("see ![alt](https://e.example/?q=1) and ", None),
            ("see [text](https://e.example/", Some(Link)),
            ("see [text", None),
            ("see [text] ", None),
            ("see [text](x) (", None),
            ("[![alt](https://e.example/", Some(Image)),
            ("[![alt](https://e.example/)](https://", Some(Link)),
            ("[ref]: https://e.example/?", Some(Image)),
            ("[ref]: https://e.example/?\n", None),
            ("[INFO]: mail of ", None),
            ("a <b and ![alt](https://e.example/", Some(Image)),
            ("a[0 ![alt](https://e.example/", Some(Image)),
            ("<img alt='x' src=\"https://e.example/", Some(Image)),
            ("<img src=\"https://e.example/\" alt=\"", None),
            ("<img src=https://e.example/", Some(Image)),
            ("<a href='https://e.example/", Some(Link)),
            ("<a href='x'>", None),
            ("<https://e.example/", Some(Link)),
            ("a < b and ", None),
            ("fn f(a: &[u8", None),
        ] {
            let mut whole = Addresses::default();
            whole.read(before);
            assert_eq!(whole.here(), expected, "{before:?}");
        }
    }
}
