//! RFC 3339 times, as far as comparing them and writing whole seconds needs.

/// Seconds since 1970 and nanoseconds; `None` sorts first and stands for a text that is no time. Leap seconds count as the next second.
pub(crate) fn timestamp(text: &str) -> Option<(i64, u32)> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| digits(text.get(from..to)?);
    let signs = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    if signs.iter().any(|&(at, sign)| bytes.get(at) != Some(&sign)) || !matches!(bytes.get(10)?, b'T' | b't' | b' ') {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if !(1..=12).contains(&month)
        || !(1..=days_in(year, month)).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    let mut rest = text.get(19..)?;
    let mut nanoseconds = 0;
    if let Some(fraction) = rest.strip_prefix('.') {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        let known = &fraction[..digits.min(9)];
        nanoseconds = known.parse::<u32>().ok()? * 10u32.pow(9 - u32::try_from(known.len()).ok()?);
        rest = &fraction[digits..];
    }
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some((seconds - offset(rest)?, nanoseconds))
}

/// `Z`, or hours and minutes east of it, in seconds.
fn offset(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if text.starts_with('+') { 1 } else { -1 };
    let (hours, minutes) = text.strip_prefix(['+', '-'])?.split_once(':')?;
    let number = |text: &str| digits(text).filter(|_| text.len() == 2);
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// A number without sign.
fn digits(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of the proleptic Gregorian calendar, counted in years that begin in March.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 719_469
}

/// Seconds since 1970 as a time in UTC, if the year has four digits.
pub(crate) fn rfc3339(seconds: i64) -> Option<String> {
    const DAY: i64 = 86_400;
    let (days, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    // Days since the first of March of the year 0 fall into eras of 400 years, and those into years that begin in March.
    let days = days.checked_add(719_468)?;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + next;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    if !(0..10_000).contains(&year) {
        return None;
    }
    let mut text = *b"0000-00-00T00:00:00Z";
    let parts = [(0, year / 100), (2, year), (5, month), (8, day), (11, hour), (14, minute), (17, second)];
    for (place, number) in parts {
        let number = u8::try_from(number % 100).unwrap_or_default();
        (text[place], text[place + 1]) = (b'0' + number / 10, b'0' + number % 10);
    }
    std::str::from_utf8(&text).ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{rfc3339, timestamp};

    /// The same by its shape, and by counting days.
    fn counted(text: &str) -> Option<(i64, u32)> {
        let mut shape: String = text.chars().map(|sign| if sign.is_ascii_digit() { '0' } else { sign }).collect();
        while shape.contains(".00") {
            shape = shape.replace(".00", ".0");
        }
        let shape = shape.to_ascii_uppercase().replacen(' ', "T", 1);
        let rest = shape.strip_prefix("0000-00-00T00:00:00")?;
        if !["Z", "+00:00", "-00:00"].contains(&rest.strip_prefix(".0").unwrap_or(rest)) {
            return None;
        }
        let mut parts = text.split(|sign: char| !sign.is_ascii_digit());
        let fraction = rest.starts_with('.').then(|| format!("{:0<9}", parts.clone().nth(6).unwrap()));
        let nanoseconds = fraction.map_or(0, |fraction| fraction[..9].parse().unwrap());
        let mut next = || parts.next().unwrap_or_default().parse::<i64>().unwrap_or(0);
        let [year, month, day, hour, minute, second] = [(); 6].map(|()| next());
        if rest.starts_with('.') {
            next();
        }
        let (east_hours, east_minutes) = (next(), next());
        let is_leap = |year: &i64| year % 400 == 0 || year % 4 == 0 && year % 100 != 0;
        let months = [31, 28 + i64::from(is_leap(&year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let before = usize::try_from(month - 1).ok().filter(|before| *before < 12)?;
        if day < 1 || day > months[before] || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        if east_hours > 23 || east_minutes > 59 {
            return None;
        }
        let years: i64 = (0..year).map(|year| 365 + i64::from(is_leap(&year))).sum();
        let days = years + months[..before].iter().sum::<i64>() + day - 1 - 719_528;
        let east = (east_hours * 60 + east_minutes) * if rest.contains('-') { -60 } else { 60 };
        Some((days * 86_400 + hour * 3600 + minute * 60 + second - east, nanoseconds))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn a_time_is_what_rfc_3339_has(
            (year, month, day) in (0..10_000, 0..14, 0..33),
            (hour, minute, second) in (0..25, 0..61, 0..62),
            fraction in "(\\.[0-9]{0,10})?",
            zone in "[zZ]|[+-][0-9]{2}:[0-9]{2}|[+-][+-]?[0-9]:[0-9]{2}|",
            strange in prop::option::weighted(0.2, (0..25_usize, "[-+:. 0-9TtZé]")),
        ) {
            let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}");
            if let Some((place, sign)) = strange && place < text.len() {
                text.replace_range(place..=place, &sign);
            }
            prop_assert_eq!(timestamp(&text), counted(&text), "{}", text);
        }
    }

    #[test]
    fn times_are_written_as_they_are_read() {
        assert_eq!(rfc3339(0).as_deref(), Some("1970-01-01T00:00:00Z"));
        for day in -719_528..2_932_897_i64 {
            let seconds = day * 86_400 + day.rem_euclid(86_400);
            let text = rfc3339(seconds).unwrap();
            assert_eq!(timestamp(&text), Some((seconds, 0)), "{text}");
        }
        assert_eq!(rfc3339(253_402_300_799).as_deref(), Some("9999-12-31T23:59:59Z"));
        assert_eq!(rfc3339(-62_167_219_200).as_deref(), Some("0000-01-01T00:00:00Z"));
        for none in [253_402_300_800, -62_167_219_201, i64::MAX, i64::MIN] {
            assert_eq!(rfc3339(none), None);
        }
    }

    #[test]
    fn times_compare_whatever_their_spelling() {
        assert_eq!(timestamp("1970-01-01T00:00:00Z"), Some((0, 0)));
        assert_eq!(timestamp("2000-03-01T00:00:00Z"), Some((951_868_800, 0)));
        assert_eq!(timestamp("2026-11-23T08:03:15.25Z"), timestamp("2026-11-23T09:03:15.250000000+01:00"));
        assert!(timestamp("2026-11-23T08:03:15Z") < timestamp("2026-11-23T08:03:15.000000001Z"));
        assert!(timestamp("2024-02-29T23:59:59Z") < timestamp("2024-03-01T00:00:00Z"));
        assert_eq!(timestamp("1969-12-31T23:59:59Z"), Some((-1, 0)));
    }

    #[test]
    fn what_is_no_time_comes_first() {
        for text in [
            "",
            "yesterday",
            "2026-13-01T00:00:00Z",
            "2026-11-23T08:03:15",
            "2026-11-23T08:03:15.Z",
            "+026-11-23T08:03:15Z",
        ] {
            assert_eq!(timestamp(text), None, "{text}");
        }
        for zone in ["+1:00", "++1:00", "-+1:00", "+01:+1", "+24:00", "+01:60"] {
            assert_eq!(timestamp(&format!("2026-11-23T08:03:15{zone}")), None, "{zone}");
        }
        for date in ["2024-02-30", "2023-02-29", "1900-02-29", "2026-04-31", "2026-12-32", "2026-01-00"] {
            assert_eq!(timestamp(&format!("{date}T00:00:00Z")), None, "{date}");
        }
        assert!(timestamp("2000-02-29T00:00:00Z").is_some());
    }
}
