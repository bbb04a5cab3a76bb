//! What endpoints of the usual form have in common: an endpoint like one before is compared with it, and only what is its own is read.
//!
//! Between the address and the name of the target are conditions, kind, namespace and lengths, the *head*; behind the name of the node are zone and
//! hints, the *tail*. There are few of each, which are remembered with what they say. Parts that begin at the same place of a message and have the
//! same bytes are the same, if the message ends where they do.

use std::net::Ipv4Addr;

use crate::model::{Ascii, Block, Conditions, Text};
use crate::wire::json::Literal;
use crate::wire::names::Names;
use crate::wire::proto::hints::KnownHints;
use crate::wire::proto::parts::Parts;
use crate::wire::proto::ways::{Way, Ways};

/// From the address to the name of the target, and where that name, the UID and the name of the node are.
pub(super) struct Head<'a> {
    bytes: &'a [u8],
    literal: Literal,
    pub(super) conditions: Conditions,
    names: [&'a [u8]; 2],
    /// Length of the name.
    pub(super) name: usize,
    before_uid: [u8; 2],
    /// Length of the UID.
    pub(super) uid: usize,
    /// From the UID to the length of the node's name.
    before_node: Literal,
    /// The list that has kind and namespace as texts.
    list: usize,
    pub(super) kind: Text,
    pub(super) namespace: Text,
}

/// All behind the name of the node.
pub(super) struct Tail<'a> {
    bytes: &'a [u8],
    literal: Literal,
    names: [&'a [u8]; 2],
    /// The list that has zone and hints as texts.
    list: usize,
    pub(super) zone: Text,
    pub(super) hints: Text,
    pub(super) are_hints_valid: bool,
}

/// Heads and tails that were read.
pub(super) struct Shapes<'a> {
    heads: Ways<Head<'a>>,
    tails: Ways<Tail<'a>>,
    pub(super) block: Block,
    /// What was not learned yet for endpoints that were read.
    credit: u32,
}

/// Endpoints that pay for learning from one, so that it costs little where no two are alike.
const PRICE: u32 = 8;
const MOST_CREDIT: u32 = 8 * PRICE;

/// Where the parts of an endpoint are, counted from its tag.
pub(super) struct Fit {
    head: usize,
    tail: usize,
    pub(super) address: Ipv4Addr,
    pub(super) name: usize,
    /// Beginning and end.
    pub(super) node: (usize, usize),
    pub(super) end: usize,
}

impl Default for Shapes<'_> {
    fn default() -> Self {
        Self { heads: Ways::default(), tails: Ways::default(), block: Block::default(), credit: MOST_CREDIT }
    }
}

impl<'a> Shapes<'a> {
    /// The parts of the endpoint at the beginning of some bytes, if it is like ones before.
    #[inline]
    pub(super) fn fit(&mut self, bytes: &[u8]) -> Option<Fit> {
        self.credit = MOST_CREDIT.min(self.credit + 1);
        let (length, at) = match bytes {
            [_, length @ 0..0x80, ..] => (usize::from(*length), 2),
            [_, low, high @ 0..0x80, ..] => (usize::from(low & 0x7f) | usize::from(*high) << 7, 3),
            _ => return None,
        };
        let end = at + length;
        let [0x0a, size @ 0..0x80, ..] = bytes.get(at..)? else { return None };
        let size = usize::from(*size);
        let address = self.block.address(bytes, at + 2, size)?;
        let start = at + 2 + size;
        let (which, name) = self.heads.find(bytes, start, end)?;
        let head = self.heads.get(which)?;
        let after_name = name + head.name;
        (bytes.get(after_name..)?.first_chunk() == Some(&head.before_uid)).then_some(())?;
        let before_node = head.before_node.after(bytes, after_name + head.before_uid.len() + head.uid)?;
        let size @ 0..0x80 = *bytes.get(before_node)? else { return None };
        let node = (before_node + 1, before_node + 1 + usize::from(size));
        let (tail, _) = self.tails.find(bytes, node.1, end)?;
        Some(Fit { head: which, tail, address, name, node, end })
    }

    /// Head and tail of an endpoint, with their texts in the list that is read, behind which so many bytes are left to read.
    #[inline]
    pub(super) fn kept(
        &mut self,
        fit: &Fit,
        left: usize,
        texts: &mut Ascii,
        names: &mut Names,
        hints: &mut KnownHints<'a>,
    ) -> Option<(&Head<'a>, &Tail<'a>)> {
        let (head, tail) = (self.heads.get_mut(fit.head)?, self.tails.get_mut(fit.tail)?);
        if head.list != names.list() {
            head.keep(texts, names)?;
        }
        if tail.list != names.list() {
            tail.keep(left, texts, names, hints)?;
        }
        Some((head, tail))
    }

    /// Learn from an endpoint that was read field by field.
    #[inline(never)]
    pub(super) fn learn(&mut self, message: &'a [u8]) {
        if self.credit >= PRICE
            && let Some((head, tail)) = learn(message)
        {
            self.credit -= PRICE;
            self.heads.learn(head, |one, other| one.bytes == other.bytes);
            self.tails.learn(tail, |one, other| one.bytes == other.bytes);
        }
    }
}

impl Way for Head<'_> {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the call is half of the work")]
    fn end(&self, bytes: &[u8], at: usize, _: usize) -> Option<usize> {
        self.literal.after(bytes, at)
    }
}

impl Way for Tail<'_> {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the call is half of the work")]
    fn end(&self, bytes: &[u8], at: usize, end: usize) -> Option<usize> {
        self.literal.after(bytes, at).filter(|after| *after == end)
    }
}

impl Head<'_> {
    #[inline(never)]
    fn keep(&mut self, texts: &mut Ascii, names: &mut Names) -> Option<()> {
        let [kind, namespace] = self.names;
        self.kind = names.keep_alone(kind, texts)?.0;
        self.namespace = names.keep_alone(namespace, texts)?.0;
        self.list = names.list();
        Some(())
    }
}

impl<'a> Tail<'a> {
    #[inline(never)]
    fn keep(&mut self, left: usize, texts: &mut Ascii, names: &mut Names, hints: &mut KnownHints<'a>) -> Option<()> {
        let [zone, of_hints] = self.names;
        self.zone = names.keep_alone(zone, texts)?.0;
        (self.hints, self.are_hints_valid) = hints.keep_in(of_hints, texts, left)?;
        self.list = names.list();
        Some(())
    }
}

/// What an endpoint says, none of one that has no target with name and UID or no node, or a host name, which would be another in each.
fn learn(message: &[u8]) -> Option<(Head<'_>, Tail<'_>)> {
    let mut fields = Parts(message);
    fields.bytes(1)?;
    let start = fields.0;
    let conditions = conditions(fields.bytes(2)?)?;
    let mut target = Parts(fields.bytes(4)?);
    // Places are counted from the address on; what is left of the target is before what is left of the endpoint.
    let at = |rest: &[u8]| start.len() - rest.len();
    let (after_target, names) = (at(fields.0), [target.bytes(1)?, target.bytes(2)?]);
    let end_in_target = |target: &Parts<'_>| after_target - target.0.len();
    let name = target.bytes(3)?.len();
    let name_end = end_in_target(&target);
    let uid = target.bytes(4)?.len();
    let uid_end = end_in_target(&target);
    let node = fields.bytes(6)?.len();
    let node_at = at(fields.0) - node;
    // Before the name of a node is its length, which is one byte: of two the last would be taken for it.
    if [name, uid, node].contains(&0) || start.get(node_at - 1).map(|&size| usize::from(size)) != Some(node) {
        return None;
    }
    let (bytes, tail) = (&start[..name_end - name], fields.0);
    let head = Head {
        bytes,
        literal: Literal::of(bytes),
        conditions,
        names,
        name,
        before_uid: start[name_end..uid_end - uid].try_into().ok()?,
        uid,
        before_node: Literal::of(&start[uid_end..node_at - 1]),
        list: 0,
        kind: Text::NONE,
        namespace: Text::NONE,
    };
    let names = [fields.bytes(7)?, fields.bytes(8)?];
    let literal = Literal::of(tail);
    let (zone, hints) = (Text::NONE, Text::NONE);
    Some((head, Tail { bytes: tail, literal, names, list: 0, zone, hints, are_hints_valid: true }))
}

/// Conditions of a message that has each at most once, in order, and nothing else.
pub(super) fn conditions(mut message: &[u8]) -> Option<Conditions> {
    let mut condition = |number: u8| match message {
        [tag, value @ 0..=1, rest @ ..] if *tag == number << 3 => {
            message = rest;
            Some(*value == 1)
        }
        _ => None,
    };
    let conditions = Conditions::new(condition(1), condition(2), condition(3));
    message.is_empty().then_some(conditions)
}
