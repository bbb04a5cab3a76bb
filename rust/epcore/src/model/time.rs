//! RFC 3339 times, as far as comparing them and writing whole seconds needs.

/// Seconds since 1970 and nanoseconds; `None` sorts first and stands for a text that is no time. Leap seconds count as the next second.
pub(crate) fn timestamp(text: &str) -> Option<(i64, u32)> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = text.get(from..to).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
        digits.parse().ok()
    };
    let signs = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    if signs.iter().any(|&(at, sign)| bytes.get(at) != Some(&sign)) || !matches!(bytes.get(10)?, b'T' | b't' | b' ') {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
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
    let two_digits = |text: &str| text.parse::<u8>().ok().filter(|_| text.len() == 2).map(i64::from);
    Some(sign * (two_digits(hours)? * 3600 + two_digits(minutes)? * 60))
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
    use super::{rfc3339, timestamp};

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
        assert_eq!(timestamp("2026-11-23T08:03:15+1:00"), None);
    }
}
