//! The few things templates can't say in Tera itself: how numbers and waits read.
//!
//! Pure functions of their input; they never mark anything as safe HTML.

use tera::{Kwargs, State, Tera};

use super::chart::grouped;
use crate::rules::throttle::wait_in_words;
use crate::store::COUNTED;

/// Makes the filters known to every template.
pub(super) fn register(tera: &mut Tera) {
    tera.register_filter("grouped", |number: u64, _: Kwargs, _: &State| {
        grouped(number.into())
    });
    tera.register_filter("counted", |number: u64, _: Kwargs, _: &State| {
        counted(number)
    });
    tera.register_filter("level", |number: u64, _: Kwargs, _: &State| level(number));
    tera.register_filter("wait", |seconds: u64, _: Kwargs, _: &State| {
        wait_in_words(seconds)
    });
}

/// How many were found, where they are counted only so far.
fn counted(number: u64) -> String {
    if number > COUNTED {
        return format!("More than {}", grouped(COUNTED.into()));
    }
    grouped(number.into())
}

/// How many there are, where one more than is counted stands for more.
fn level(number: u64) -> String {
    if number == COUNTED + 1 {
        return format!("{}+", grouped(COUNTED.into()));
    }
    grouped(number.into())
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
            assert_eq!(grouped(number.into()), text);
        }
    }

    #[test]
    fn what_is_not_counted_to_the_end_is_said_so() {
        assert_eq!(counted(1), "1");
        assert_eq!(counted(COUNTED), "10,000");
        assert_eq!(counted(COUNTED + 1), "More than 10,000");
        assert_eq!(level(COUNTED), "10,000");
        assert_eq!(level(COUNTED + 1), "10,000+");
        assert_eq!(level(COUNTED + 2), "10,002", "that was measured");
    }
}
