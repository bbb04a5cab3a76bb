//! Pieces of JSON text.

use std::io::Write as _;

/// Write a string with quotes, escaping no more than JSON asks for.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut done = 0;
    for (index, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
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

/// Write anything that shows itself as text that needs no escapes, in quotes.
pub(crate) fn write_text(out: &mut Vec<u8>, text: impl std::fmt::Display) {
    drop(write!(out, "\"{text}\""));
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
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        write_string(self.out, name);
        self.out.push(b':');
        self.out
    }

    /// A text member, left out if the text is empty.
    pub(crate) fn text(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            write_string(self.member(name), text);
        }
    }

    pub(crate) fn boolean(&mut self, name: &str, value: Option<bool>) {
        if let Some(value) = value {
            self.raw(name, if value { "true" } else { "false" });
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
            if !self.empty {
                self.out.push(b',');
            }
            self.empty = false;
            self.out.extend_from_slice(members.as_bytes());
        }
    }

    pub(crate) fn number(&mut self, name: &str, value: impl std::fmt::Display) {
        drop(write!(self.member(name), "{value}"));
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
