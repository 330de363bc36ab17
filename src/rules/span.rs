//! Lengths of time as people type them: `90`, `90s`, `10m`, `8h`, `30d`.

const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];

/// Not a length of time.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "write a length of time as a whole number of seconds, or with s, m, h or d behind it, as 90, 10m, 8h or 30d"
)]
pub struct SpanError;

/// The seconds of a length of time.
pub fn parse(text: &str) -> Result<u64, SpanError> {
    let text = text.trim();
    let (digits, factor) = UNITS
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(*unit)?, *factor)))
        .unwrap_or((text, 1));
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(SpanError);
    }
    let count: u64 = digits.parse().map_err(|_| SpanError)?;
    count.checked_mul(factor).ok_or(SpanError)
}

/// As [`parse`] reads it, in the largest unit of which it is a whole number.
pub fn short(seconds: u64) -> String {
    let (unit, factor) = UNITS
        .iter()
        .find(|(_, factor)| seconds > 0 && seconds.is_multiple_of(*factor))
        .unwrap_or(&('s', 1));
    format!("{}{unit}", seconds / factor)
}

/// In words, in the largest unit of which it is a whole number.
pub fn words(seconds: u64) -> String {
    let short = short(seconds);
    let (count, unit) = short.split_at(short.len() - 1);
    let unit = match unit {
        "d" => "day",
        "h" => "hour",
        "m" => "minute",
        _ => "second",
    };
    let plural = if count == "1" { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

/// About how long, in its two largest units: `2 h 14 min`. Rounded down.
pub fn rough(seconds: u64) -> String {
    const NAMES: [&str; 4] = ["d", "h", "min", "s"];
    let mut rest = seconds;
    let parts = UNITS.iter().zip(NAMES).map(|((_, factor), name)| {
        let count = rest / factor;
        rest %= factor;
        (count, name)
    });
    let from_largest = parts.skip_while(|(count, _)| *count == 0).take(2);
    let said: Vec<String> = from_largest
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    if said.is_empty() {
        return "0 s".to_owned();
    }
    said.join(" ")
}

#[cfg(test)]
mod tests {
    use super::{SpanError, parse, rough, short, words};

    #[test]
    fn what_is_roughly_said_has_two_units_that_follow_one_another() {
        for (seconds, said) in [
            (0, "0 s"),
            (1, "1 s"),
            (59, "59 s"),
            (60, "1 min"),
            (61, "1 min 1 s"),
            (3_599, "59 min 59 s"),
            (3_601, "1 h"),
            (8_079, "2 h 14 min"),
            (86_399, "23 h 59 min"),
            (86_400, "1 d"),
            (86_460, "1 d"),
            (2_588_400, "29 d 23 h"),
            (u64::MAX, "213503982334601 d 7 h"),
        ] {
            assert_eq!(rough(seconds), said, "{seconds}");
        }
    }

    #[test]
    fn what_is_typed_is_read_and_written_alike() {
        for (text, seconds, again, said) in [
            ("0", 0, "0s", "0 seconds"),
            ("1", 1, "1s", "1 second"),
            ("90s", 90, "90s", "90 seconds"),
            (" 10m ", 600, "10m", "10 minutes"),
            ("60", 60, "1m", "1 minute"),
            ("8h", 28_800, "8h", "8 hours"),
            ("24h", 86_400, "1d", "1 day"),
            ("30d", 2_592_000, "30d", "30 days"),
        ] {
            assert_eq!(parse(text), Ok(seconds), "{text}");
            assert_eq!(short(seconds), again);
            assert_eq!(words(seconds), said);
        }
        for text in [
            "",
            "m",
            "-1",
            "+1",
            "1.5h",
            "1w",
            "1 h",
            "ten",
            "99999999999999999999",
            "9999999999999999999d",
        ] {
            assert_eq!(parse(text), Err(SpanError), "{text}");
        }
    }
}
