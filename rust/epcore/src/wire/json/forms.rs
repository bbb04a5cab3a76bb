//! Values that nobody here gives a meaning to, learned as texts with holes: `managedFields` and `ownerReferences` above all, of which each
//! object of a cluster has some, and which are most of what is around the endpoints of a slice.
//!
//! A form is the text of a value that was read, with holes where it had plain texts and whole numbers, and what its canonical JSON is with
//! the same holes. A text with the same bytes around the holes, and with such values in them, has that canonical JSON, since these values
//! are copied and no order depends on them.

use std::cell::Cell;
use std::ops::Range;

use crate::Error;
use crate::thread;
use crate::wire::json::hole::{after, digits_length};
use crate::wire::json::reader::{Kind, MAX_DEPTH, OWNER, Reader, Spot, UID_LENGTH, plain_length};

/// Most forms to remember, the longest of them, and most holes in one.
const MOST: usize = 16;
const LONGEST: usize = 8 << 10;
const MOST_HOLES: usize = 64;
/// Values that are read for each form that is learned, on average: where no two look alike, learning is lost work.
const PRICE: usize = 8;
/// Objects and arrays within each other in a form: it is right wherever there is room for so many.
const LEVELS: usize = 16;

thread_local! {
    /// What values looked like that were read on this thread: the next is likely to look the same.
    static KEPT: Cell<Option<Box<Forms>>> = const { Cell::new(None) };
}

/// Read a value of any kind into canonical JSON, as [`Reader::canonical`] does. It is likely to look like one before.
pub(crate) fn canonical_like_others(reader: &mut Reader<'_>) -> Result<String, Error> {
    let is_worth_it = matches!(reader.peek(), Some(b'{' | b'[')) && reader.depth() + LEVELS <= MAX_DEPTH;
    if !is_worth_it {
        return reader.canonical();
    }
    let mut forms = thread::take(&KEPT).unwrap_or_else(|| Box::new(Forms::new()));
    let read = forms.read(reader);
    thread::keep(&KEPT, Some(forms));
    read
}

/// Forms that values have had, the one used last first.
struct Forms {
    learned: Vec<Form>,
    credit: usize,
}

/// The text of a value, and its canonical JSON. Both have the same holes, those of the text in its order.
struct Form {
    text: Box<[u8]>,
    holes: Vec<Hole>,
    json: Box<str>,
    /// Which hole is where in the canonical JSON, by place.
    order: Vec<(usize, Range<usize>)>,
}

struct Hole {
    kind: Kind,
    /// Where it is in the text of the form.
    place: Range<usize>,
    /// Where it is in the value that was compared last.
    found: Range<usize>,
}

impl Forms {
    fn new() -> Self {
        Self { learned: Vec::new(), credit: MOST * PRICE }
    }

    fn read(&mut self, reader: &mut Reader<'_>) -> Result<String, Error> {
        if let Some((which, end)) = self.find(reader)
            && let Some(json) = self.learned[which].canonical(reader, end)
        {
            self.learned.swap(0, which);
            self.credit = (self.credit + 1).min(MOST * PRICE);
            reader.jump(end);
            return Ok(json);
        }
        let start = reader.clone();
        let json = reader.canonical()?;
        self.learn(&start, reader.position());
        Ok(json)
    }

    /// A form that the value under the reader has, and where it ends.
    fn find(&mut self, reader: &Reader<'_>) -> Option<(usize, usize)> {
        let (bytes, start) = (reader.bytes(), reader.position());
        self.learned.iter_mut().enumerate().find_map(|(which, form)| Some((which, form.fit(bytes, start)?)))
    }

    /// Learn from a value that was read.
    fn learn(&mut self, start: &Reader<'_>, end: usize) {
        self.credit += 1;
        if self.credit <= PRICE || end - start.position() > LONGEST {
            return;
        }
        self.credit -= PRICE;
        if let Some(form) = Form::of(start, end) {
            self.learned.truncate(MOST - 1);
            self.learned.insert(0, form);
        }
    }
}

impl Form {
    #[cold]
    fn of(start: &Reader<'_>, end: usize) -> Option<Self> {
        let from = start.position();
        let (json, mut spots) = start.shallow(from, LEVELS).canonical_and_spots().ok()?;
        if json.matches(OWNER).count() != 1 {
            // Which of two owners is the first depends on their UIDs.
            spots.retain(|spot| spot.kind != Kind::OwnerUid);
        }
        if spots.len() > MOST_HOLES {
            return None;
        }
        let mut order: Vec<_> =
            spots.iter().enumerate().map(|(number, spot)| (number, spot.at..spot.at + spot.length)).collect();
        order.sort_by_key(|(_, place)| place.start);
        let hole = |spot: Spot| {
            let place = spot.from - from..spot.from - from + spot.length;
            Hole { kind: spot.kind, found: place.clone(), place }
        };
        Some(Self {
            text: start.bytes()[from..end].into(),
            holes: spots.into_iter().map(hole).collect(),
            json: json.into(),
            order,
        })
    }

    /// Where the value that begins at a place ends, if it has this form.
    fn fit(&mut self, bytes: &[u8], start: usize) -> Option<usize> {
        let (mut at, mut from) = (start, 0);
        for hole in &mut self.holes {
            at = after(&self.text[from..hole.place.start], bytes, at)?;
            let length = hole.kind.length(&bytes[at..])?;
            hole.found = at..at + length;
            (at, from) = (at + length, hole.place.end);
        }
        after(&self.text[from..], bytes, at)
    }

    /// The canonical JSON of the value under the reader, which was found to have this form and to end at a place.
    fn canonical(&self, reader: &mut Reader<'_>, end: usize) -> Option<String> {
        let start = reader.position();
        let text = reader.text(start, end).ok()?;
        let grown = text.len() + self.json.len() - self.text.len();
        let (mut json, mut from) = (String::with_capacity(grown), 0);
        for (number, place) in &self.order {
            let found = &self.holes.get(*number)?.found;
            json.push_str(&self.json[from..place.start]);
            json.push_str(&text[found.start - start..found.end - start]);
            from = place.end;
        }
        json.push_str(&self.json[from..]);
        Some(json)
    }
}

impl Kind {
    /// How long what is of this kind is, at the beginning of a text. What must be behind it is for the next literal to look at.
    fn length(self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Text => Some(plain_length(bytes)),
            Self::Digits => digits_length(bytes),
            Self::OwnerUid => {
                let uid: &[u8; UID_LENGTH] = bytes.first_chunk()?;
                uid.iter().fold(true, |all, &byte| all & is_of_uid(byte)).then_some(UID_LENGTH)
            }
        }
    }
}

#[expect(clippy::needless_bitwise_bool, reason = "without branches many bytes are looked at at once")]
fn is_of_uid(byte: u8) -> bool {
    byte.is_ascii_digit() | (byte.wrapping_sub(b'a') < 6) | (byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of the values are read by a form.
    fn read_by_form(forms: &mut Forms, values: &[&str]) -> Vec<bool> {
        let read = |value: &&str| {
            let mut reader = Reader::new(value);
            let is_known = forms.find(&reader).is_some();
            let json = forms.read(&mut reader).unwrap();
            assert_eq!(json, Reader::new(value).canonical().unwrap());
            assert_eq!(reader.position(), value.len());
            is_known
        };
        values.iter().map(read).collect()
    }

    fn owner(uid: &str) -> String {
        format!(r#"{{"f:x":{{}},"k:{{\"uid\":\"{uid}\"}}":{{}},".":{{}}}}"#)
    }

    #[test]
    fn what_is_spelled_alike_is_read_by_its_form() {
        let mut forms = Forms::new();
        let found = read_by_form(
            &mut forms,
            &[
                r#"{"name":"web","generation":1,"a":[true]}"#,
                r#"{"name":"été","generation":20,"a":[true]}"#,
                r#"{"name":"","generation":0,"a":[true]}"#,
                r#"{"name":"web","generation":1,"a":[false]}"#,
                r#"{"name":"w\u0065b","generation":1,"a":[true]}"#,
                r#"{"name":"web","generation":-1,"a":[true]}"#,
                r#"{"name":"web","generation":1.5,"a":[true]}"#,
                r#"{"name":"web","generation":1,"b":[true]}"#,
            ],
        );
        assert_eq!(found, [false, true, true, false, false, false, false, false]);
        let [one, other, wrong] =
            ["76aab8c4-8e74-4648-8491-00000000000a", "00000000-8e74-4648-8491-ffffffffffff", "76AAB8C4"].map(owner);
        assert_eq!(read_by_form(&mut forms, &[&one, &other, &wrong, &one]), [false, true, false, true]);
    }

    #[test]
    fn what_is_short_deep_or_long_is_not_remembered() {
        let mut forms = Forms::new();
        let deep = format!("{}1{}", "[".repeat(LEVELS + 1), "]".repeat(LEVELS + 1));
        let long = format!(r#"["{}"]"#, "x".repeat(LONGEST));
        let wide = format!("[1{}]", ",1".repeat(MOST_HOLES));
        assert_eq!(read_by_form(&mut forms, &[&deep, &deep, &long, &long, &wide, &wide]), [false; 6]);
        assert!(forms.learned.is_empty());
        assert!(canonical_like_others(&mut Reader::new("8")).is_ok());
        assert!(KEPT.take().is_none());
    }

    #[test]
    fn what_may_be_too_deep_is_read() {
        let value = format!("{}1{}", "[".repeat(LEVELS), "]".repeat(LEVELS));
        let read = |depth: usize| {
            let text = format!("{value}{}", " ".repeat(16));
            canonical_like_others(&mut Reader::new(&text).shallow(0, MAX_DEPTH - depth)).is_ok()
        };
        assert!(read(0) && read(0) && read(MAX_DEPTH - LEVELS));
        assert!((MAX_DEPTH - LEVELS + 1..MAX_DEPTH).all(|depth| !read(depth)));
    }

    #[test]
    fn where_no_two_look_alike_little_is_learned() {
        let mut forms = Forms::new();
        let mut learned = 0;
        for number in 0..400 {
            let before = forms.credit;
            forms.read(&mut Reader::new(&format!(r#"{{"k{number}":1}}"#))).unwrap();
            learned += usize::from(forms.credit < before);
        }
        assert!((MOST..=MOST + 400 / PRICE).contains(&learned), "{learned}");
        assert_eq!(forms.learned.len(), MOST);
    }
}
