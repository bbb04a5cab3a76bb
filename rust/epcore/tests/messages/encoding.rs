//! Fields of protobuf as bytes.
#![allow(dead_code, reason = "each of them needs some of it")]

/// A number, with so many bytes more than it needs.
pub(crate) fn number(mut value: usize, needless: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(0x80 | u8::try_from(value & 0x7f).unwrap_or(0));
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap_or(0));
    for _ in 0..needless {
        if let Some(last) = out.last_mut() {
            *last |= 0x80;
        }
        out.push(0);
    }
    out
}

/// A field with bytes.
pub(crate) fn field(tag: usize, bytes: &[u8]) -> Vec<u8> {
    [number(tag << 3 | 2, 0), number(bytes.len(), 0), bytes.to_vec()].concat()
}

/// A field with a number.
pub(crate) fn value(tag: usize, value: usize) -> Vec<u8> {
    [number(tag << 3, 0), number(value, 0)].concat()
}
