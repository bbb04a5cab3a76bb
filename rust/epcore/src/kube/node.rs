//! The Node: its zone, and its share of the work.

/// A `v1` Node, as far as endpoints depend on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Name.
    pub name: String,
    /// Version of the object.
    pub resource_version: String,
    /// Label `topology.kubernetes.io/zone`, `""` if unset.
    pub zone: String,
    /// The condition `Ready` is true.
    pub is_ready: bool,
    /// It has the label of a control plane, so that no Pods of users are expected on it.
    pub is_control_plane: bool,
    /// CPU that Pods may use, in billionths of a core.
    pub cpu: i128,
}

impl Node {
    /// Take what a label says about endpoints.
    pub(crate) fn label(&mut self, key: &str, value: &str) {
        match key {
            "topology.kubernetes.io/zone" => value.clone_into(&mut self.zone),
            "node-role.kubernetes.io/control-plane" | "node-role.kubernetes.io/master" => self.is_control_plane = true,
            _ => {}
        }
    }
}

/// Read a Kubernetes quantity (`4`, `3920m`, `0.5`, `1e3`, `2Ki`) in billionths, rounded up. `None` if it is none.
pub(crate) fn parse_quantity(text: &str) -> Option<i128> {
    let digits = text.find(|character: char| !matches!(character, '0'..='9' | '.' | '+' | '-')).unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let negative = whole.starts_with('-');
    let whole = whole.strip_prefix(['+', '-']).unwrap_or(whole);
    let all = format!("{whole}{fraction}");
    if all.is_empty() || all.len() > 18 || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mantissa: i128 = all.parse().ok()?;
    let power = |suffix: &str| match suffix {
        "n" => Some(-9),
        "u" => Some(-6),
        "m" => Some(-3),
        "" => Some(0),
        "k" => Some(3),
        "M" => Some(6),
        "G" => Some(9),
        "T" => Some(12),
        "P" => Some(15),
        "E" => Some(18),
        _ => suffix.strip_prefix(['e', 'E'])?.parse::<i32>().ok().filter(|power| power.abs() <= 18),
    };
    let binary = match suffix {
        "Ki" => 10,
        "Mi" => 20,
        "Gi" => 30,
        "Ti" => 40,
        "Pi" => 50,
        "Ei" => 60,
        _ => 0,
    };
    let power = if binary > 0 { 0 } else { power(suffix)? } + 9 - i32::try_from(fraction.len()).ok()?;
    let ten = |power: i32| 10i128.checked_pow(u32::try_from(power).ok()?);
    let scaled = mantissa.checked_mul(1 << binary)?;
    let value = if power >= 0 { scaled.checked_mul(ten(power)?)? } else { -((-scaled).div_euclid(ten(-power)?)) };
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_in_every_form() {
        for (text, cores) in [
            ("4", 4_000_000_000),
            ("3920m", 3_920_000_000),
            ("0.5", 500_000_000),
            ("+.5", 500_000_000),
            ("1e3", 1_000_000_000_000),
            ("1E1", 10_000_000_000),
            ("2Ki", 2_048_000_000_000),
            ("1n", 1),
            ("0.1n", 1),
            ("-1", -1_000_000_000),
            ("0", 0),
        ] {
            assert_eq!(parse_quantity(text), Some(cores), "{text}");
        }
        for text in ["", "m", "1.2.3", "one", "1 k", "1x", "--1", "1e", "1e99"] {
            assert_eq!(parse_quantity(text), None, "{text}");
        }
    }
}
