//! What is written over and over with few differences.
#![expect(clippy::inline_always, reason = "to copy a block takes no call")]

use crate::model::{Address, Text, TextBuffer, dotted, v4_size};

/// Endpoints under way. Texts are copied as blocks of one size, which takes no call: what is too much of one is written over by what follows.
pub(super) struct Line {
    bytes: [u8; Line::ROOM],
    end: usize,
}

impl Line {
    pub(super) fn new() -> Self {
        Self { bytes: [0; Self::ROOM], end: 0 }
    }

    /// Have room for one more endpoint.
    #[inline(always)]
    pub(super) fn make_room(&mut self, out: &mut Vec<u8>) {
        if self.end > Self::ROOM - Self::ENDPOINT {
            self.flush(out);
        }
    }

    /// Append what was put, and begin anew.
    pub(super) fn flush(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes[..self.end]);
        self.end = 0;
    }

    /// Room for some usual endpoints. To copy each by itself takes longer: the processor waits for what was written last.
    const ROOM: usize = 2 * Self::ENDPOINT;

    /// Three times what a usual endpoint takes.
    const ENDPOINT: usize = 1024;

    /// Few texts are longer.
    pub(super) const BLOCK: usize = 64;

    /// Put what there is room for.
    #[inline(always)]
    pub(super) fn put<const LENGTH: usize>(&mut self, text: &[u8; LENGTH]) {
        self.bytes[self.end..][..LENGTH].copy_from_slice(text);
        self.end += LENGTH;
    }

    /// The same, of which only the first bytes count.
    #[inline(always)]
    pub(super) fn put_first<const LENGTH: usize>(&mut self, text: &[u8; LENGTH], count: usize) {
        self.bytes[self.end..][..LENGTH].copy_from_slice(text);
        self.end += count;
    }

    /// Put bytes of another length each time.
    #[inline(always)]
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.bytes[self.end..][..bytes.len()].copy_from_slice(bytes);
        self.end += bytes.len();
    }

    /// Put a text of a list.
    #[inline(always)]
    pub(super) fn text(&mut self, buffer: &TextBuffer, text: Text) {
        match buffer.block::<{ Line::BLOCK }>(text) {
            Some(block) if text.len() <= Self::BLOCK => self.put_first(block, text.len()),
            _ => self.bytes(buffer.bytes(text)),
        }
    }

    /// Put an address as it shows itself.
    #[inline(always)]
    pub(super) fn address(&mut self, address: Address<'_>) {
        match address {
            Address::V4(address) => {
                let (text, length) = dotted(address);
                // Without the last dot.
                self.put_first(&text, length - 1);
            }
            other => self.bytes(other.to_string().as_bytes()),
        }
    }
}

/// How many bytes that takes.
#[inline]
pub(super) fn address_size(address: Address<'_>) -> usize {
    match address {
        Address::V4(address) => v4_size(address),
        other => other.to_string().len(),
    }
}
