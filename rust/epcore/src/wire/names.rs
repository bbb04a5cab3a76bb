//! Names that endpoints say again and again, those of nodes above all: each is kept once for each list.

use crate::model::{Ascii, EndpointList, Text, is_subdomain};

/// Names that were read, of this list or others.
pub(super) struct Names {
    /// None until the first one.
    known: Vec<Name>,
    /// Which of two names goes the next time that there is no room for a third.
    takes_first: bool,
    /// Number of the list that is read: what is remembered of another is not in its text.
    list: usize,
}

#[derive(Clone)]
struct Name {
    /// With zeros behind it.
    bytes: [u8; LONGEST],
    length: usize,
    is_subdomain: bool,
    /// The list that has it as a text.
    list: usize,
    text: Text,
}

/// Most names to remember.
const MOST: usize = 1024;

impl Default for Names {
    fn default() -> Self {
        Self { known: Vec::new(), takes_first: false, list: 1 }
    }
}

impl Names {
    /// Begin with another list.
    pub(super) fn forget(&mut self) {
        self.list += 1;
    }

    pub(super) fn list(&self) -> usize {
        self.list
    }

    /// True if all names that are remembered of the list that is read are texts of this one. Else it is another list, or lost some.
    pub(super) fn are_in(&self, list: &EndpointList) -> bool {
        let mut remembered = self.known.iter().filter(|name| name.list == self.list);
        remembered.all(|name| list.text().has(name.text, &name.bytes[..name.length]))
    }

    /// The text of the name that is at a place of a document, if there is room for it, and whether it is a subdomain or `""`.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a text that goes through memory takes much longer")]
    pub(super) fn keep(
        &mut self,
        bytes: &[u8],
        (start, end): (usize, usize),
        texts: &mut Ascii,
    ) -> Option<(Text, bool)> {
        let around = start.checked_sub(BEFORE).and_then(|from| bytes.get(from..)?.first_chunk());
        match (around, end - start) {
            (_, 0) => Some((Text::NONE, true)),
            (Some(around), length @ ..=LONGEST) => self.keep_in(around, length, texts),
            _ => self.keep_alone(bytes.get(start..end)?, texts),
        }
    }

    /// The same of a name by itself.
    #[inline(never)]
    pub(super) fn keep_alone(&mut self, name: &[u8], texts: &mut Ascii) -> Option<(Text, bool)> {
        let mut around = [0; AROUND];
        match around[BEFORE..][..LONGEST].get_mut(..name.len()) {
            Some([]) => Some((Text::NONE, true)),
            Some(place) => {
                place.copy_from_slice(name);
                self.keep_in(&around, name.len(), texts)
            }
            None => Some((texts.keep_part(name, 0, name.len())?, is_subdomain(name))),
        }
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a text that goes through memory takes much longer")]
    fn keep_in(&mut self, around: &[u8; AROUND], length: usize, texts: &mut Ascii) -> Option<(Text, bool)> {
        let [mut place, other] = places(around, length);
        if !self.known.get(place).is_some_and(|name| name.is_in(around, length)) {
            place = self.find_or_learn(around, length, [place, other]);
        }
        let name = self.known.get_mut(place)?;
        if name.list != self.list {
            (name.text, name.list) = (texts.keep_part(around, BEFORE, length)?, self.list);
        }
        Some((name.text, name.is_subdomain))
    }

    /// The place of a name that is not in its first one. Each has two: where there is room for all, all find it in time.
    #[inline(never)]
    fn find_or_learn(&mut self, around: &[u8; AROUND], length: usize, [first, second]: [usize; 2]) -> usize {
        if self.known.is_empty() {
            self.known.resize(MOST, Name::of(&[0; AROUND], 0));
        }
        if self.known[second].is_in(around, length) {
            return second;
        }
        self.takes_first = !self.takes_first;
        let free = [first, second].into_iter().find(|&place| self.known[place].length == 0);
        let place = free.unwrap_or(if self.takes_first { first } else { second });
        self.known[place] = Name::of(around, length);
        place
    }
}

impl Name {
    fn of(around: &[u8; AROUND], length: usize) -> Self {
        let name = &around[BEFORE..][..length];
        let mut bytes = [0; LONGEST];
        bytes[..length].copy_from_slice(name);
        Self { bytes, length, is_subdomain: is_subdomain(name), list: 0, text: Text::NONE }
    }

    /// True if it is in the middle of these bytes.
    #[inline]
    fn is_in(&self, around: &[u8; AROUND], length: usize) -> bool {
        let there = around[BEFORE..].first_chunk::<LONGEST>();
        let (Some(there), Some(mask)) = (there, MASKS[LONGEST - length..].first_chunk::<LONGEST>()) else {
            return false;
        };
        let differ = |at: usize| (self.bytes[at] ^ there[at]) & mask[at];
        self.length == length && (0..LONGEST).fold(0, |found, at| found | differ(at)) == 0
    }
}

/// Longest name to remember, and bytes around one in a document: before it, and all.
const LONGEST: usize = 64;
const BEFORE: usize = 8;
const AROUND: usize = BEFORE + LONGEST + 16;

/// Each byte of a text, and no other, where this begins as many bytes before its middle.
static MASKS: [u8; 2 * LONGEST] = {
    let mut masks = [0; 2 * LONGEST];
    let mut at = 0;
    while at < LONGEST {
        masks[at] = 0xff;
        at += 1;
    }
    masks
};

/// The places that a name may have. Names of one kind differ near their end, or, where a domain follows, in their first half.
#[inline]
fn places(around: &[u8; AROUND], length: usize) -> [usize; 2] {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let eight = |at: usize| around[at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
    let word = eight(length) ^ eight(BEFORE + length / 4).rotate_left(17);
    // The high half knows the end of the name, the low half its beginning.
    let wide = u128::from(word) * u128::from(ODD);
    let [.., one, two, three, four, _, _, _, _] = (wide >> 64 ^ wide).to_be_bytes();
    [[one, two], [three, four]].map(|half| usize::from(u16::from_be_bytes(half) >> (u16::BITS - MOST.ilog2())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each name as it is kept in one list, by its place in a document or by itself, and what is told of it.
    fn kept(names: &mut Names, all: &[String]) -> Vec<(String, bool)> {
        let (mut list, mut texts) = (EndpointList::default(), Ascii::default());
        texts.begin(list.text_mut(), 1 << 20);
        names.forget();
        let mut keep = |(number, name): (usize, &String)| {
            let document = [&b"12345678"[..number % 9], name.as_bytes(), &b"x".repeat(number % 100)].concat();
            let start = number % 9;
            let place = (start, start + name.len());
            let other = names.keep_alone(name.as_bytes(), &mut texts).unwrap();
            let (text, is_valid) = names.keep(&document, place, &mut texts).unwrap();
            assert_eq!(is_valid, other.1, "{name}");
            [(text, is_valid), other]
        };
        let found: Vec<_> = all.iter().enumerate().flat_map(&mut keep).collect();
        assert!(texts.end(list.text_mut()));
        found.into_iter().map(|(text, is_valid)| (list.text().get(text).to_owned(), is_valid)).collect()
    }

    #[test]
    fn a_name_is_itself_in_each_list_whatever_was_there_before() {
        let name = |number: usize| match number % 7 {
            0 => String::new(),
            1 => "n".repeat(number % 90),
            2 => format!("Node-{number}"),
            3 => format!("{number}"),
            _ => format!("ip-10-0-0-{number}.internal"),
        };
        let mut names = Names::default();
        for step in [1, 3, 7] {
            let all: Vec<String> = (0..3000).map(|number| name(number * step % 2500)).collect();
            let found = kept(&mut names, &all);
            for (name, found) in all.iter().zip(found.chunks(2)) {
                let is_valid = name.is_empty() || is_subdomain(name.as_bytes());
                assert!(found.iter().all(|found| *found == (name.clone(), is_valid)), "{name:?}: {found:?}");
            }
        }
    }

    #[test]
    fn names_of_a_cluster_all_find_room() {
        let all: Vec<String> = (0..300).map(|number| format!("ip-10-0-0-{number}.internal")).collect();
        let (mut names, mut texts) = (Names::default(), Ascii::default());
        let mut size_of = |_| {
            names.forget();
            texts.begin(EndpointList::default().text_mut(), 1 << 20);
            for _ in 0..20 {
                let mut keep = |name: &String| names.keep_alone(name.as_bytes(), &mut texts).is_some();
                assert!(all.iter().all(&mut keep));
            }
            texts.len()
        };
        let sizes: Vec<usize> = (0..3).map(&mut size_of).collect();
        assert_eq!(sizes[2], all.concat().len(), "each is kept once: {sizes:?}");
    }
}
