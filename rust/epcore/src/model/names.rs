//! The naming rules of the API (upstream `k8s.io/apimachinery/pkg/util/validation`).

use crate::model::short::{SHORT, filled};

/// `[a-z0-9]([-a-z0-9]*[a-z0-9])?`, at most 63 bytes.
#[must_use]
pub fn is_dns_label(text: &str) -> bool {
    text.len() <= 63 && is_label_of_any_length(text)
}

/// Labels of lower-case letters, digits and dashes joined by dots, at most 253 bytes.
#[must_use]
pub fn is_dns_subdomain(text: &str) -> bool {
    is_subdomain(text.as_bytes())
}

/// The same of the bytes of a text.
pub(crate) fn is_subdomain(text: &[u8]) -> bool {
    let (Some(&first), Some(&last)) = (text.first(), text.last()) else { return false };
    if text.len() > 253 || !is_edge(first) || !is_edge(last) {
        return false;
    }
    let mut pairs = Pairs([true; SHORT]);
    match text.last_chunk() {
        Some(end) => {
            // Windows have a byte in common, so that each pair is in one of them; the last two may have more.
            let mut rest = text;
            while let Some(window) = rest.first_chunk() {
                pairs.look_at(window);
                rest = &rest[WINDOW - 1..];
            }
            pairs.look_at(end);
        }
        None => pairs.look_at_both(padded(text)),
    }
    pairs.0 == [true; SHORT]
}

/// Seventeen bytes make sixteen pairs, which the compiler looks at all at once.
const WINDOW: usize = SHORT + 1;

/// Which of the pairs of some windows fit.
struct Pairs([bool; SHORT]);

impl Pairs {
    #[inline]
    fn look_at(&mut self, window: &[u8; WINDOW]) {
        let [Some(left), Some(right)] = [window.first_chunk(), window.last_chunk()] else { return };
        self.look_at_both([*left, *right]);
    }

    /// The left byte of each pair, and the right one.
    #[inline]
    fn look_at_both(&mut self, [left, right]: [[u8; SHORT]; 2]) {
        for (index, fits) in self.0.iter_mut().enumerate() {
            *fits &= pair_fits(left[index], right[index]);
        }
    }
}

/// The pairs of a text that is shorter than a window. The last byte may have a letter after it.
#[inline]
fn padded(text: &[u8]) -> [[u8; SHORT]; 2] {
    let left = filled(text, b'a');
    let right = left >> 8 | u128::from(b'a') << (8 * (SHORT - 1));
    [left, right].map(u128::to_le_bytes)
}

/// True if the left byte may be in a subdomain, and before the right one: each label begins and ends with a letter or a digit.
#[inline]
#[expect(clippy::needless_bitwise_bool, reason = "without branches many pairs are looked at at once")]
fn pair_fits(left: u8, right: u8) -> bool {
    // Between '-' and '9' there is all but the letters, and '/'. Of '-' and '.' only the former may meet itself.
    let joins = |byte: u8| byte.wrapping_sub(b'-') < 2;
    let fits = (left.wrapping_sub(b'a') < 26) | ((left.wrapping_sub(b'-') < 13) & (left != b'/'));
    let meet = joins(left) & joins(right) & ((left | right) != b'-');
    fits & !meet
}

#[inline]
fn is_edge(byte: u8) -> bool {
    (byte.wrapping_sub(b'a') < 26) | (byte.wrapping_sub(b'0') < 10)
}

fn is_label_of_any_length(text: &str) -> bool {
    let bytes = text.as_bytes();
    match (bytes.first(), bytes.last()) {
        (Some(&first), Some(&last)) => {
            is_edge(first) && is_edge(last) && bytes.iter().all(|&byte| is_edge(byte) || byte == b'-')
        }
        _ => false,
    }
}

/// A subdomain of at least two labels of at most 63 bytes; one dot may follow (upstream `IsFullyQualifiedDomainName`).
pub(crate) fn is_fqdn(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    name.contains('.') && is_dns_subdomain(name) && name.split('.').all(|label| label.len() <= 63)
}

/// `name` or `prefix/name`: letters, digits, `-`, `_`, `.`, the name at most 63 bytes, the prefix a subdomain.
pub(crate) fn is_qualified_name(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => is_dns_subdomain(prefix) && is_label_key(name),
        None => is_label_key(text),
    }
}

/// Empty, or as the name of a label key.
pub(crate) fn is_label_value(text: &str) -> bool {
    text.is_empty() || is_label_key(text)
}

fn is_label_key(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

/// A text cut to a length that fits a message.
pub(crate) fn shorten(text: &str) -> &str {
    const MOST: usize = 80;
    &text[..text.floor_char_boundary(MOST)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_the_api() {
        assert!(is_dns_label("a-1") && !is_dns_label("-a") && !is_dns_label("A") && !is_dns_label(""));
        assert!(!is_dns_label(&"a".repeat(64)) && is_dns_label(&"a".repeat(63)));
        assert!(is_dns_subdomain("a.b-c.d") && !is_dns_subdomain("a..b") && !is_dns_subdomain("a."));
        for length in 1..60 {
            let good: String = "a-b.c--d".chars().cycle().take(length).collect::<String>() + "z";
            assert!(is_dns_subdomain(&good), "{good}");
            for at in 0..good.len() {
                for bad in ["..", "A", "_", "/", "\u{7f}", ".-.", "-.", ".-", "é", "`", ":"] {
                    assert!(
                        !is_dns_subdomain(&format!("{}{bad}{}", &good[..at], &good[at..])),
                        "{bad} in {good} at {at}"
                    );
                }
            }
        }
        assert!(is_dns_subdomain(&"a".repeat(253)) && !is_dns_subdomain(&"a".repeat(254)));
        assert!(is_fqdn("db.example.org.") && !is_fqdn("db") && !is_fqdn(".db.org"));
        assert!(is_qualified_name("example.com/My_proto.1") && !is_qualified_name("/x") && !is_qualified_name("a/b/c"));
        assert!(is_label_value("") && is_label_value("Zone-1") && !is_label_value("a b"));
    }
}
