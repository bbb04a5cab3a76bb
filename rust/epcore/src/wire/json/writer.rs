//! Pieces of JSON text.

use std::io::Write as _;

use crate::model::{Address, write_v4};
use crate::wire::json::reader::{is_all_plain, is_end};

/// Write a string with quotes, escaping no more than JSON asks for.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    if is_all_plain(bytes) {
        write_plain(out, bytes);
    } else {
        write_escaped(out, bytes);
    }
}

/// Write a text that needs no escapes, in quotes.
#[inline]
fn write_plain(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    out.extend_from_slice(bytes);
    out.push(b'"');
}

#[cold]
fn write_escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    let mut done = 0;
    for (index, &byte) in bytes.iter().enumerate().filter(|(_, byte)| is_end(**byte)) {
        out.extend_from_slice(&bytes[done..index]);
        done = index + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => drop(write!(out, "\\u{byte:04x}")),
        }
    }
    out.extend_from_slice(&bytes[done..]);
    out.push(b'"');
}

/// Write an address in quotes.
pub(crate) fn write_address(out: &mut Vec<u8>, address: Address<'_>) {
    match address {
        Address::Name(name) => write_string(out, name),
        Address::V4(address) => {
            out.push(b'"');
            write_v4(out, address);
            out.push(b'"');
        }
        Address::V6(address) => drop(write!(out, "\"{address}\"")),
    }
}

/// Write members whose values are JSON already.
pub(crate) fn write_raw_object<'a>(out: &mut Vec<u8>, members: impl Iterator<Item = (&'a str, &'a str)>) {
    let mut object = Object::start(out);
    for (name, json) in members {
        object.raw(name, json);
    }
    object.end();
}

/// An object under way; commas come by themselves.
pub(crate) struct Object<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Object<'a> {
    pub(crate) fn start(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    /// Begin a member; the caller writes its value.
    pub(crate) fn member(&mut self, name: &str) -> &mut Vec<u8> {
        self.comma();
        write_string(self.out, name);
        self.out.push(b':');
        self.out
    }

    /// Begin a member of the API, whose name needs no escapes.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "to copy a name of known length takes no call")]
    pub(crate) fn known(&mut self, name: &'static str) -> &mut Vec<u8> {
        // Comma, quotes and colon.
        self.out.reserve(name.len() + 4);
        self.comma();
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// The same of one that `write` writes, unless it says that there is none.
    pub(crate) fn known_if<E>(
        &mut self,
        name: &'static str,
        write: impl FnOnce(&mut Vec<u8>) -> Result<bool, E>,
    ) -> Result<(), E> {
        let (start, empty) = (self.out.len(), self.empty);
        if !write(self.known(name))? {
            self.out.truncate(start);
            self.empty = empty;
        }
        Ok(())
    }

    #[inline]
    fn comma(&mut self) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
    }

    /// A text member of the API, left out if the text is empty.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as above")]
    pub(crate) fn text(&mut self, name: &'static str, text: &str) {
        if !text.is_empty() {
            write_string(self.known(name), text);
        }
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as above")]
    pub(crate) fn boolean(&mut self, name: &'static str, value: Option<bool>) {
        if let Some(value) = value {
            self.known(name).extend_from_slice(if value { b"true" } else { b"false" });
        }
    }

    pub(crate) fn raw(&mut self, name: &str, json: &str) {
        self.member(name).extend_from_slice(json.as_bytes());
    }

    /// The members of an object that is JSON already.
    pub(crate) fn spread(&mut self, json: &str) {
        if let Some(members) =
            json.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).filter(|members| !members.is_empty())
        {
            self.comma();
            self.out.extend_from_slice(members.as_bytes());
        }
    }

    pub(crate) fn number(&mut self, name: &'static str, value: impl std::fmt::Display) {
        drop(write!(self.known(name), "{value}"));
    }

    pub(crate) fn members(&mut self, members: Option<&crate::model::Members>) {
        for (name, json) in members.into_iter().flat_map(crate::model::Members::iter) {
            self.raw(name, json);
        }
    }

    pub(crate) fn end(self) {
        self.out.push(b'}');
    }
}

/// Write an array, one call of `item` for each item.
pub(crate) fn write_array<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut item: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(b'[');
    for (index, value) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        item(out, value);
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    #[test]
    fn a_character_is_escaped_wherever_it_is() {
        let characters = (0..0x80).map(char::from).chain("é\u{80}\u{ff}\u{2028}😀".chars());
        for character in characters {
            for length in 0..20 {
                for at in 0..=length {
                    let text = format!("{}{character}{}", "a".repeat(at), "é".repeat(length - at));
                    let [fast, slow] =
                        [written(|out| write_string(out, &text)), written(|out| write_escaped(out, text.as_bytes()))];
                    assert_eq!(fast, slow, "{text:?}");
                }
            }
        }
    }

    #[test]
    fn an_address_is_written_as_it_shows_itself() {
        for octet in 0..=255 {
            let address = std::net::Ipv4Addr::from([octet, octet / 2, 255 - octet, octet / 30]);
            let text = written(|out| write_address(out, Address::V4(address)));
            assert_eq!(text, format!("\"{address}\"").into_bytes());
        }
    }
}
