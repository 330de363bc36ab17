//! The few things templates can't say in Tera itself: how numbers and waits read.
//!
//! Pure functions of their input; they never mark anything as safe HTML.

use tera::{Kwargs, State, Tera};

use crate::rules::throttle::wait_in_words;

/// Makes the filters known to every template.
pub(super) fn register(tera: &mut Tera) {
    tera.register_filter("grouped", |number: u64, _: Kwargs, _: &State| {
        grouped(number)
    });
    tera.register_filter("wait", |seconds: u64, _: Kwargs, _: &State| {
        wait_in_words(seconds)
    });
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
}
