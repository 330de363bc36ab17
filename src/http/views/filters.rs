//! The few things templates can't say in Tera itself: how numbers and durations read in words.
//!
//! Pure functions of their input; they never mark anything as safe HTML.

use tera::{Kwargs, State, Tera};

/// Makes the filters known to every template.
pub(super) fn register(tera: &mut Tera) {
    tera.register_filter("grouped", |number: u64, _: Kwargs, _: &State| {
        grouped(number)
    });
    tera.register_filter("wait", |seconds: u64, _: Kwargs, _: &State| wait(seconds));
}

/// 1234567 as "1,234,567".
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// How long to wait, rounded up so that nobody comes back too early.
fn wait(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..=119 => (seconds.max(1), "second"),
        120..=7199 => (seconds.div_ceil(60), "minute"),
        _ => (seconds.div_ceil(3600), "hour"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, text) in [
            (0, "0"),
            (7, "7"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345, "12,345"),
            (999_999, "999,999"),
            (1_000_000, "1,000,000"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn waits_are_rounded_up() {
        for (seconds, text) in [
            (0, "1 second"),
            (1, "1 second"),
            (2, "2 seconds"),
            (119, "119 seconds"),
            (120, "2 minutes"),
            (121, "3 minutes"),
            (7_199, "120 minutes"),
            (7_200, "2 hours"),
            (7_201, "3 hours"),
        ] {
            assert_eq!(wait(seconds), text);
        }
    }
}
