//! Fields that this crate gives no meaning to: kept as canonical JSON and written back.

use std::collections::BTreeMap;

/// Members of an object by name, each value as canonical JSON text (no space between tokens, sorted keys, numbers as they were).
///
/// A newer API may have fields that we don't know; they survive here. `null` stands for "take it away" in wanted content.
///
/// Fields of protobuf have numbers and no names. Those that nobody here knows are kept as they are, count as content, and are written to
/// protobuf alone: JSON has no word for them.
#[derive(Clone, Debug, Default)]
pub struct Members {
    named: BTreeMap<Box<str>, Box<str>>,
    numbered: Box<[u8]>,
}

impl PartialEq for Members {
    /// A member that is `null` is one that is not there.
    fn eq(&self, other: &Self) -> bool {
        // Nearly always there is nothing, see `same_text`.
        let (ours, theirs) = (&self.numbered, &other.numbered);
        self.iter().eq(other.iter()) && ours.len() == theirs.len() && (ours.is_empty() || ours == theirs)
    }
}

impl Eq for Members {}

impl Members {
    /// True if there is none, or only `null`.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none() && self.numbered.is_empty()
    }

    /// True if there is something to remember, be it that a member is to be taken away.
    pub(crate) fn says_something(&self) -> bool {
        !self.named.is_empty() || !self.numbered.is_empty()
    }

    /// The canonical JSON of a member.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.named.get(name).map(AsRef::as_ref)
    }

    /// Set a member; true if it was not there yet.
    pub(crate) fn insert(&mut self, name: &str, json: String) -> bool {
        self.named.insert(name.into(), json.into_boxed_str()).is_none()
    }

    /// Set a member, or take it away.
    pub(crate) fn replace(&mut self, name: &str, json: Option<&str>) {
        match json {
            Some(json) => drop(self.named.insert(name.into(), json.into())),
            None => drop(self.named.remove(name)),
        }
    }

    /// Name and canonical JSON of each member that is not `null`, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.named.iter().filter(|(_, json)| &***json != "null").map(|(name, json)| (&**name, &**json))
    }

    /// Name and canonical JSON of each member, `null` or not.
    pub(crate) fn iter_all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.named.iter().map(|(name, json)| (&**name, &**json))
    }

    /// No JSON form of the members is longer than this.
    pub(crate) fn size_bound(&self) -> usize {
        self.iter().map(|(name, json)| 6 * name.len() + json.len() + 4).sum()
    }

    /// True if writing `self` over `kept` changes nothing: members that `self` does not name stay as they are.
    pub(crate) fn is_kept_by(&self, kept: &Self) -> bool {
        self.named.iter().all(|(name, json)| match kept.get(name) {
            Some(before) => before == &**json,
            None => &**json == "null",
        }) && (self.numbered.is_empty() || self.numbered == kept.numbered)
    }

    /// `self` written over `kept`.
    pub(crate) fn over(&self, kept: &Self) -> Self {
        let mut named = kept.named.clone();
        named.extend(self.named.iter().map(|(name, json)| (name.clone(), json.clone())));
        named.retain(|_, json| &**json != "null");
        let numbered = if self.numbered.is_empty() { &kept.numbered } else { &self.numbered };
        Self { named, numbered: numbered.clone() }
    }

    /// Fields of protobuf that nobody here knows, as they were.
    pub(crate) fn numbered(&self) -> &[u8] {
        &self.numbered
    }

    /// Those that JSON has a word for.
    pub(crate) fn without_numbered(&self) -> Self {
        Self { named: self.named.clone(), ..Self::default() }
    }

    /// Keep another field of protobuf.
    pub(crate) fn keep_numbered(&mut self, field: &[u8]) {
        let mut kept = std::mem::take(&mut self.numbered).into_vec();
        kept.extend_from_slice(field);
        self.numbered = kept.into_boxed_slice();
    }
}
