//! Cuts letters without spaces into the words they most probably are. Knows the words it is given and what each costs.

use std::ops::Range;

/// The words as a tree of letters. Children of a node lie together, in order.
pub(super) struct Tree(Vec<Node>);

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
        Tree(nodes)
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
            let mut node = self.0.first().copied().unwrap_or_default();
            for (length, letter) in letters[start..].iter().enumerate() {
                let Some(next) = self.child(node, *letter) else { break };
                node = next;
                node.cost.into_iter().for_each(|cost| offer(length + 1, u32::from(cost), true));
            }
        }
        trace(&best)
    }

    /// Some word has at each place one of the letters that the byte there may stand for.
    pub fn holds(&self, token: &[u8], letters: impl Fn(u8) -> [u8; 2]) -> bool {
        self.0.first().is_some_and(|root| self.goes_on(*root, token, &letters))
    }

    fn goes_on(&self, node: Node, rest: &[u8], letters: &impl Fn(u8) -> [u8; 2]) -> bool {
        let Some((byte, rest)) = rest.split_first() else { return node.cost.is_some() };
        let children = letters(*byte).into_iter().filter_map(|letter| self.child(node, letter));
        children.into_iter().any(|next| self.goes_on(next, rest, letters))
    }

    fn child(&self, node: Node, letter: u8) -> Option<Node> {
        let bit = 1_u32.checked_shl(u32::from(letter.wrapping_sub(b'a')))?;
        let before = (node.letters & (bit - 1)).count_ones();
        if node.letters & bit == 0 { None } else { self.0.get((node.first + before) as usize).copied() }
    }
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
        assert_eq!(tree.cut(b"xqall")[1], Cut { start: 2, end: 5, known: true });
        assert_eq!(tree.cut("é".as_bytes()).len(), 1);
    }
}
