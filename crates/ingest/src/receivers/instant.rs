//! Reading times as sources write them.

use agentprov_model::EventTime;

/// Reads RFC 3339 with any offset and any number of fraction digits; those beyond nanoseconds are cut.
pub fn parse_rfc3339(text: &str) -> Option<EventTime> {
    let bytes = text.as_bytes();
    if !text.is_ascii() || bytes.len() < 20 {
        return None;
    }
    let digits = |from: usize, to: usize| -> Option<i64> {
        let part = text.get(from..to)?;
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())?
    };
    let mark = |at: usize, allowed: &[u8]| bytes.get(at).is_some_and(|byte| allowed.contains(byte));
    if !(mark(4, b"-") && mark(7, b"-") && mark(10, b"Tt ") && mark(13, b":") && mark(16, b":")) {
        return None;
    }
    let (year, month, day) = (digits(0, 4)?, digits(5, 7)?, digits(8, 10)?);
    let (hour, minute, second) = (digits(11, 13)?, digits(14, 16)?, digits(17, 19)?);
    // 60 is a leap second; it is read as the first second after.
    if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (nanos, rest) = fraction(text.get(19..)?)?;
    let offset = offset_seconds(rest)?;
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos).map(EventTime::from_nanos)
}

/// Reads RFC 3339, or seconds since the epoch with or without a fraction.
pub fn parse_text(text: &str) -> Option<EventTime> {
    let text = text.trim();
    if let Some(time) = parse_rfc3339(text) {
        return Some(time);
    }
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let number: i64 = whole.parse().ok()?;
    if rest.is_empty() {
        return Some(from_epoch(number));
    }
    let (nanos, rest) = fraction(rest)?;
    if !rest.is_empty() || number < 0 {
        return None;
    }
    number.checked_mul(1_000_000_000)?.checked_add(nanos).map(EventTime::from_nanos)
}

/// A number since the epoch: its size tells seconds, milliseconds, microseconds and nanoseconds apart.
pub fn from_epoch(number: i64) -> EventTime {
    let scale = match number.unsigned_abs() {
        0..100_000_000_000 => 1_000_000_000,
        100_000_000_000..100_000_000_000_000 => 1_000_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000,
        _ => 1,
    };
    EventTime::from_nanos(number.saturating_mul(scale))
}

/// Nanoseconds of `.ddd...`, and what follows; no fraction is zero.
fn fraction(text: &str) -> Option<(i64, &str)> {
    let Some(rest) = text.strip_prefix(['.', ',']) else { return Some((0, text)) };
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, rest) = rest.split_at(end);
    if digits.is_empty() {
        return None;
    }
    let nanos =
        digits.bytes().chain(std::iter::repeat(b'0')).take(9).fold(0, |sum, byte| sum * 10 + i64::from(byte - b'0'));
    Some((nanos, rest))
}

fn offset_seconds(text: &str) -> Option<i64> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let rest: String = text[1..].split(':').collect();
    if rest.len() != 4 || !rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (i64, i64) = (rest[..2].parse().ok()?, rest[2..].parse().ok()?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a proleptic Gregorian date.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_and_precisions_are_one_instant() {
        let expected = EventTime::from_nanos(1_709_164_800_123_456_789);
        for text in [
            "2024-02-29T00:00:00.123456789Z",
            "2024-02-29t00:00:00.1234567899z",
            "2024-02-29 05:30:00.123456789+05:30",
            "2024-02-28T16:00:00.123456789-0800",
        ] {
            assert_eq!(parse_rfc3339(text), Some(expected), "{text}");
        }
        assert_eq!(parse_rfc3339("1969-12-31T23:59:59.5Z"), Some(EventTime::from_nanos(-500_000_000)));
    }

    #[test]
    fn what_is_no_time() {
        for text in ["", "2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z", "2024-01-01T00:00:00", "2024-01-01T24:00:00Z"]
        {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
        assert_eq!(parse_rfc3339("9999-01-01T00:00:00Z"), None, "beyond 64 bits of nanoseconds");
    }

    #[test]
    fn numbers_since_the_epoch() {
        let second = EventTime::from_nanos(1_700_000_000_000_000_000);
        for text in ["1700000000", "1700000000000", "1700000000000000", "1700000000000000000", "1700000000.0"] {
            assert_eq!(parse_text(text), Some(second), "{text}");
        }
        assert_eq!(parse_text("1700000000.000000001"), Some(EventTime::from_nanos(second.as_nanos() + 1)));
    }
}
