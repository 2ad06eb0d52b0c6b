//! Reads Rust as far as the house rules need it: words, paths, where tests are. Not a parser.

use std::sync::LazyLock;

use regex::Regex;

#[derive(Clone, Copy)]
pub struct Token<'a> {
    pub text: &'a str,
    pub line: usize,
}

/// A path with its groups expanded: `use a::{b, c::d}` is `a::b` and `a::c::d`. A lone word is a path too.
pub struct UsePath<'a> {
    pub names: Vec<&'a str>,
    pub line: usize,
    /// `mod x { ... }` blocks around it, each of which `super` has to climb.
    pub inline_modules: usize,
}

/// Words and punctuation; comments and literals are gone.
pub fn tokens(text: &str) -> Vec<Token<'_>> {
    static LEXER: LazyLock<Regex> = LazyLock::new(|| {
        let raw = ["###", "##", "#", ""].map(|hashes| format!(r#"[bc]?r{hashes}"(?s:.*?)"{hashes}"#)).join("|");
        let quoted = r#"[bc]?"(?s:\\.|[^"\\])*"|b?'(?:\\[^\n']+|\\'|[^'\\\n])'"#;
        let skipped = format!(r"//[^\n]*|(?s:/\*.*?\*/)|{raw}|{quoted}|'\w+|\b\d\w*");
        Regex::new(&format!(r"{skipped}|(?<kept>(?:r\#)?[A-Za-z_]\w*|::|\S)")).expect("a constant pattern")
    });
    let mut line = 1;
    let mut at = 0;
    let kept = LEXER.captures_iter(text).filter_map(|found| found.name("kept"));
    kept.map(|found| {
        line += text[at..found.start()].matches('\n').count();
        at = found.start();
        Token { text: found.as_str(), line }
    })
    .collect()
}

/// The tokens outside `#[cfg(test)]` items.
pub fn without_tests<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let marked = tokens[at..].iter().map(|token| token.text).take(MARK.len()).eq(MARK);
        if marked {
            at = end_of_item(tokens, at + MARK.len());
        } else {
            kept.push(tokens[at]);
            at += 1;
        }
    }
    kept
}

/// Behind the item that starts at `at`: after its closing brace, or after its semicolon.
fn end_of_item(tokens: &[Token<'_>], mut at: usize) -> usize {
    let mut depth = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token.text {
            "{" => depth += 1,
            "}" if depth == 1 => return at,
            "}" => depth -= 1,
            ";" if depth == 0 => return at,
            _ => {}
        }
    }
    at
}

pub fn paths<'a>(tokens: &[Token<'a>]) -> Vec<UsePath<'a>> {
    let mut found = Vec::new();
    let (mut at, mut depth) = (0, 0);
    let mut modules = Vec::new();
    while let Some(token) = tokens.get(at) {
        match token.text {
            "mod" if tokens.get(at + 2).is_some_and(|token| token.text == "{") => modules.push(depth),
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                if modules.last() == Some(&depth) {
                    modules.pop();
                }
            }
            word if is_word(word) => {
                at = path(tokens, at, &[], modules.len(), &mut found);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Reads one path, or the tree of paths of one `use`, from `at`; returns where it ends.
fn path<'a>(
    tokens: &[Token<'a>],
    mut at: usize,
    prefix: &[&'a str],
    inline_modules: usize,
    found: &mut Vec<UsePath<'a>>,
) -> usize {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let line = tokens[at].line;
    let mut names = prefix.to_vec();
    while is_word(text(at)) || text(at) == "*" {
        names.push(text(at));
        at += 1;
        if text(at) != "::" {
            break;
        }
        at += 1;
    }
    if text(at) != "{" || text(at - 1) != "::" {
        found.push(UsePath { names, line, inline_modules });
        return at;
    }
    at += 1;
    while !["}", ""].contains(&text(at)) {
        if is_word(text(at)) || text(at) == "*" {
            at = path(tokens, at, &names, inline_modules, found);
        }
        while !["}", ",", ""].contains(&text(at)) {
            at += 1;
        }
        at += usize::from(text(at) == ",");
    }
    at + 1
}

fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
}
