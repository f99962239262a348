//! Ages as people and scripts write them: `30d`, `12h`, and Go's `1h30m` and `10m0s`.

use std::time::Duration;

/// An age as it was written.
#[derive(Clone, Debug)]
pub(crate) struct Age {
    pub(crate) text: String,
    pub(crate) duration: Duration,
}

/// Reads an age: numbers, each with a unit.
///
/// # Errors
/// What is wrong with the text.
pub(crate) fn parse_age(text: &str) -> Result<Age, String> {
    let mut rest = text;
    let mut duration = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: u64 =
            rest[..digits].parse().map_err(|_| format!("'{text}' is no number with a unit, as in 30d"))?;
        let after = &rest[digits..];
        let letters = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let seconds = match &after[..letters] {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            "w" => 604_800,
            _ => return Err(format!("'{text}' has no unit; use s, m, h, d or w, as in 30d")),
        };
        let part = number.checked_mul(seconds).map(Duration::from_secs);
        let sum = part.and_then(|part| duration.checked_add(part));
        duration = sum.ok_or_else(|| format!("'{text}' is too long"))?;
        rest = &after[letters..];
    }
    if text.is_empty() {
        Err("an age is a number with a unit, as in 30d".into())
    } else {
        Ok(Age { text: text.into(), duration })
    }
}

#[cfg(test)]
mod tests {
    use super::parse_age;

    #[test]
    fn ages() {
        let seconds = |text: &str| parse_age(text).expect("an age").duration.as_secs();
        assert_eq!(seconds("30d"), 2_592_000);
        assert_eq!(seconds("1h30m"), 5_400);
        assert_eq!(seconds("10m0s"), 600);
        assert_eq!(seconds("0s"), 0);
        for wrong in ["", "30", "d", "3y", "1h30", "99999999999999999999d", "99999999999999999w"] {
            assert!(parse_age(wrong).is_err(), "{wrong}");
        }
    }
}
