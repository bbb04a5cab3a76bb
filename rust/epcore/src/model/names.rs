//! The naming rules of the API (upstream `k8s.io/apimachinery/pkg/util/validation`).

/// `[a-z0-9]([-a-z0-9]*[a-z0-9])?`, at most 63 bytes.
#[must_use]
pub fn is_dns_label(text: &str) -> bool {
    text.len() <= 63 && is_label_of_any_length(text)
}

/// Labels of lower-case letters, digits and dashes joined by dots, at most 253 bytes.
#[must_use]
pub fn is_dns_subdomain(text: &str) -> bool {
    // One pass: each label begins and ends with a letter or a digit.
    let mut before = b'.';
    for &byte in text.as_bytes() {
        let fits = match byte {
            b'a'..=b'z' | b'0'..=b'9' => true,
            b'-' => before != b'.',
            b'.' => before != b'.' && before != b'-',
            _ => false,
        };
        if !fits {
            return false;
        }
        before = byte;
    }
    text.len() <= 253 && before != b'.' && before != b'-'
}

fn is_label_of_any_length(text: &str) -> bool {
    let bytes = text.as_bytes();
    let edge = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    match (bytes.first(), bytes.last()) {
        (Some(&first), Some(&last)) => {
            edge(first) && edge(last) && bytes.iter().all(|&byte| edge(byte) || byte == b'-')
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
        assert!(is_fqdn("db.example.org.") && !is_fqdn("db") && !is_fqdn(".db.org"));
        assert!(is_qualified_name("example.com/My_proto.1") && !is_qualified_name("/x") && !is_qualified_name("a/b/c"));
        assert!(is_label_value("") && is_label_value("Zone-1") && !is_label_value("a b"));
    }
}
