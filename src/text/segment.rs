//! Cuts letters without spaces into the words they most probably are. Knows the words it is given and what each costs.

use std::ops::Range;

/// The words as a tree of letters. Children of a node lie together, in order.
pub(super) struct Tree {
    nodes: Vec<Node>,
    /// What every letter costs that is a word.
    alone: [Option<u16>; LETTERS],
    /// The node of every two letters, zero where no word begins with them: most letters are no further from the root.
    pairs: Box<[u32; PAIRS]>,
    /// Every three letters that a word of `TELLING` letters or more begins with, five bits each.
    beginnings: Box<[u64; THREE / 64]>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Node {
    /// Which letters go on, as bits.
    letters: u32,
    first: u32,
    /// Of the word that ends here.
    cost: Option<u16>,
}

/// A word, or letters between words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    start: u32,
    end: u32,
    known: bool,
}

impl Cut {
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// How much it speaks for a cut that makes sense: short words are found in any letters.
    pub fn value(self) -> i32 {
        let len = i32::try_from(self.len()).unwrap_or(i32::MAX / 4);
        match (self.known, len) {
            (false, _) => -2 * len,
            (true, 1) => -1,
            (true, 2) => 0,
            (true, 3) => 1,
            (true, _) => len,
        }
    }
}

/// What is known of the best cut up to a position.
#[derive(Clone, Copy, Debug)]
struct Best {
    cost: u32,
    len: u16,
    known: bool,
}

impl Tree {
    /// Of words of letters a to z, and their costs.
    pub fn new<'w>(words: impl Iterator<Item = (&'w str, u32)>) -> Self {
        let mut words: Vec<(&[u8], u16)> =
            words.map(|(word, cost)| (word.as_bytes(), u16::try_from(cost).unwrap_or(u16::MAX))).collect();
        words.sort_unstable();
        let beginnings = beginnings(&words);
        let mut nodes = vec![Node::default()];
        // Every node with the words below it and how deep it lies; nodes are numbered as they are met.
        let mut open = std::collections::VecDeque::from([(0, &words[..], 0)]);
        while let Some((node, below, depth)) = open.pop_front() {
            let ended = below.iter().take_while(|(word, _)| word.len() == depth).count();
            let (here, below) = below.split_at(ended);
            nodes[node].cost = here.iter().map(|(_, cost)| *cost).min();
            nodes[node].first = nodes.len() as u32;
            for group in below.chunk_by(|(a, _), (b, _)| a[depth] == b[depth]) {
                nodes[node].letters |= 1 << (group[0].0[depth] - b'a');
                open.push_back((nodes.len(), group, depth + 1));
                nodes.push(Node::default());
            }
        }
        let mut tree = Tree { nodes, alone: [None; LETTERS], pairs: Box::new([0; PAIRS]), beginnings };
        for (number, first) in (0..LETTERS).zip(b'a'..=b'z') {
            let Some(node) = tree.root().and_then(|root| tree.child(root, first)) else { continue };
            tree.alone[number] = node.cost;
            for (pair, second) in (number * LETTERS..).zip(b'a'..=b'z') {
                tree.pairs[pair] = tree.place(node, second).unwrap_or(0);
            }
        }
        tree
    }

    /// The cheapest way to cut `letters`. Neighbouring letters that belong to no word are one piece.
    pub fn cut(&self, letters: &[u8]) -> Vec<Cut> {
        let mut best = vec![Best { cost: u32::MAX, len: 0, known: false }; letters.len() + 1];
        best[0].cost = 0;
        for start in 0..letters.len() {
            let before = best[start].cost;
            let mut offer = |len: usize, cost: u32, known: bool| {
                let cost = before.saturating_add(cost);
                if cost < best[start + len].cost {
                    best[start + len] = Best { cost, len: len as u16, known };
                }
            };
            offer(1, UNKNOWN, false);
            let alone = self.alone.get(usize::from(letters[start].wrapping_sub(b'a'))).copied().flatten();
            alone.into_iter().for_each(|cost| offer(1, u32::from(cost), true));
            let Some(mut node) = self.after_two(&letters[start..]) else { continue };
            node.cost.into_iter().for_each(|cost| offer(2, u32::from(cost), true));
            for (length, letter) in letters[start..].iter().enumerate().skip(2) {
                let Some(next) = self.child(node, *letter) else { break };
                node = next;
                node.cost.into_iter().for_each(|cost| offer(length + 1, u32::from(cost), true));
            }
        }
        trace(&best)
    }

    /// Whether a word of `TELLING` letters or more stands in `letters`: told in a fraction of the time it takes to cut them.
    pub fn tells(&self, letters: &[u8]) -> bool {
        let (mut three, mut count) = (0, 0);
        (0..).zip(letters).any(|(end, letter)| {
            let number = usize::from(letter.wrapping_sub(b'a'));
            count = if number < LETTERS { count + 1 } else { 0 };
            three = (three << 5 | number & 31) % THREE;
            let begins = count >= 3 && self.beginnings[three / 64] >> (three % 64) & 1 == 1;
            begins && self.begins_telling(&letters[end - 2..])
        })
    }

    /// Whether `letters` begin with such a word.
    fn begins_telling(&self, letters: &[u8]) -> bool {
        let Some(mut node) = self.after_two(letters) else { return false };
        for (before, letter) in letters.iter().enumerate().skip(2) {
            // What follows is not looked at: a text of nothing but beginnings would be read once for each of them.
            let Some(next) = self.child(node, *letter) else { return false };
            if before + 1 >= TELLING && next.cost.is_some() {
                return true;
            }
            node = next;
        }
        false
    }

    /// Some word has at each place one of the letters that the byte there may stand for.
    pub fn holds(&self, token: &[u8], letters: impl Fn(u8) -> [u8; 2]) -> bool {
        self.root().is_some_and(|root| self.goes_on(root, token, &letters))
    }

    fn goes_on(&self, mut node: Node, mut rest: &[u8], letters: &impl Fn(u8) -> [u8; 2]) -> bool {
        while let Some((byte, after)) = rest.split_first() {
            let [one, other] = letters(*byte);
            if other > 0 && self.child(node, other).is_some_and(|next| self.goes_on(next, after, letters)) {
                return true;
            }
            let Some(next) = self.child(node, one) else { return false };
            (node, rest) = (next, after);
        }
        node.cost.is_some()
    }

    fn root(&self) -> Option<Node> {
        self.nodes.first().copied()
    }

    /// The node of the first two of `letters`.
    fn after_two(&self, letters: &[u8]) -> Option<Node> {
        let place = *self.pairs.get(pair(letters.first_chunk()?)?)?;
        if place == 0 { None } else { self.nodes.get(place as usize).copied() }
    }

    fn child(&self, node: Node, letter: u8) -> Option<Node> {
        self.nodes.get(self.place(node, letter)? as usize).copied()
    }

    fn place(&self, node: Node, letter: u8) -> Option<u32> {
        let bit = 1_u32.checked_shl(u32::from(letter.wrapping_sub(b'a')))?;
        let before = (node.letters & (bit - 1)).count_ones();
        (node.letters & bit != 0).then_some(node.first + before)
    }
}

/// The number of two letters, if that is what they are.
fn pair(letters: &[u8; 2]) -> Option<usize> {
    let [first, second] = letters.map(|letter| usize::from(letter.wrapping_sub(b'a')));
    (first < LETTERS && second < LETTERS).then_some(first * LETTERS + second)
}

fn beginnings(words: &[(&[u8], u16)]) -> Box<[u64; THREE / 64]> {
    let mut beginnings = Box::new([0; THREE / 64]);
    let long = words.iter().filter(|(word, _)| word.len() >= TELLING);
    for three in long.filter_map(|(word, _)| word.first_chunk::<3>()) {
        let three = three.iter().fold(0, |three, letter| three << 5 | usize::from(letter.wrapping_sub(b'a') & 31));
        beginnings[three / 64] |= 1 << (three % 64);
    }
    beginnings
}

fn trace(best: &[Best]) -> Vec<Cut> {
    let (mut cuts, mut end): (Vec<Cut>, usize) = (Vec::new(), best.len() - 1);
    while end > 0 {
        let Best { len, known, .. } = best[end];
        let start = end - usize::from(len.max(1));
        match cuts.last_mut() {
            Some(last) if !last.known && !known => last.start = start as u32,
            _ => cuts.push(Cut { start: start as u32, end: end as u32, known }),
        }
        end = start;
    }
    cuts.reverse();
    cuts
}

/// Cost of a letter that belongs to no word: more than a rare word, so that no word is left.
const UNKNOWN: u32 = 120;
const LETTERS: usize = 26;
const PAIRS: usize = LETTERS * LETTERS;
const THREE: usize = 1 << 15;
/// Letters of a word that tells that letters make sense.
const TELLING: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_cut_where_words_meet() {
        let words = [("a", 40), ("all", 50), ("the", 30), ("them", 70), ("man", 100), ("an", 60), ("ignore", 100)];
        let tree = Tree::new(words.into_iter());
        for (text, expected) in
            [("ignoreall", "ignore all"), ("theman", "the man"), ("xqall", "xq all"), ("xyz", "xyz"), ("", "")]
        {
            let cuts = tree.cut(text.as_bytes());
            let pieces: Vec<&str> = cuts.iter().map(|cut| &text[cut.range()]).collect();
            assert_eq!(pieces.join(" "), expected);
        }
        for (letters, tells) in
            [("xqthemx", true), ("xqall", false), ("the.man", false), ("ign0re", false), ("", false)]
        {
            assert_eq!(tree.tells(letters.as_bytes()), tells, "{letters}");
        }
        assert_eq!(tree.cut(b"xqall")[1], Cut { start: 2, end: 5, known: true });
        assert_eq!(tree.cut("é".as_bytes()).len(), 1);
    }
}
