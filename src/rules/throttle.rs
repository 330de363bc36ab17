//! How long to wait after failed attempts (ASVS 6.3.1, 2.4.1; NIST SP 800-63B-4 §3.2.2).
//!
//! The delay grows but is capped, and an account's count is kept apart for addresses it has signed
//! in from before, so nobody can lock an owner out for ever by guessing.

use chrono::TimeDelta;

/// What failed attempts are counted for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Counter {
    /// One account, tried from addresses it has never signed in from.
    Account,
    /// One account, tried from one address it has signed in from.
    AccountFromKnownAddress,
    /// Everything tried from one address.
    Address,
    /// Refresh tokens nobody issued, from one address.
    RefreshFromAddress,
    /// Mails asked for to one e-mail address.
    MailToAccount,
    /// Mails asked for from one address.
    MailFromAddress,
}

impl Counter {
    /// Failures that cost no wait.
    fn free(self) -> u32 {
        match self {
            Self::Account | Self::AccountFromKnownAddress => 5,
            Self::Address => 20,
            Self::RefreshFromAddress => 100,
            Self::MailToAccount => 3,
            Self::MailFromAddress => 10,
        }
    }

    /// The longest wait.
    fn cap(self) -> TimeDelta {
        match self {
            Self::Account | Self::Address | Self::MailToAccount | Self::MailFromAddress => {
                TimeDelta::minutes(15)
            }
            Self::AccountFromKnownAddress | Self::RefreshFromAddress => TimeDelta::minutes(1),
        }
    }

    /// The first wait, in seconds. A mailbox is filled sooner than a password is guessed.
    fn first_secs(self) -> i64 {
        match self {
            Self::MailToAccount | Self::MailFromAddress => 60,
            Self::Account
            | Self::AccountFromKnownAddress
            | Self::Address
            | Self::RefreshFromAddress => 1,
        }
    }

    /// How long nothing more is tried after this many consecutive failures: nothing at first, then
    /// the first wait, doubled each time up to the cap.
    pub fn delay(self, failures: u32) -> TimeDelta {
        let beyond = failures.saturating_sub(self.free());
        if beyond == 0 {
            return TimeDelta::zero();
        }
        TimeDelta::seconds(self.first_secs() << (beyond - 1).min(20)).min(self.cap())
    }
}

/// Failures older than this are forgotten.
pub const FORGOTTEN_AFTER: TimeDelta = TimeDelta::hours(24);

/// How long to wait, rounded up so that nobody comes back too early.
pub fn wait_in_words(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..=119 => (seconds.max(1), "second"),
        120..=7199 => (seconds.div_ceil(60), "minute"),
        _ => (seconds.div_ceil(3600), "hour"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::{Counter, wait_in_words};

    #[test]
    fn the_wait_grows_and_is_capped() {
        let cases = [
            (Counter::Account, 0, 0),
            (Counter::Account, 5, 0),
            (Counter::Account, 6, 1),
            (Counter::Account, 7, 2),
            (Counter::Account, 15, 512),
            (Counter::Account, 16, 900),
            (Counter::Account, u32::MAX, 900),
            (Counter::AccountFromKnownAddress, 100, 60),
            (Counter::Address, 20, 0),
            (Counter::Address, 21, 1),
            (Counter::RefreshFromAddress, 100, 0),
            (Counter::RefreshFromAddress, 101, 1),
            (Counter::MailToAccount, 3, 0),
            (Counter::MailToAccount, 4, 60),
            (Counter::MailToAccount, 8, 900),
            (Counter::MailFromAddress, 10, 0),
            (Counter::MailFromAddress, 11, 60),
        ];
        for (counter, failures, seconds) in cases {
            assert_eq!(counter.delay(failures), TimeDelta::seconds(seconds));
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
            assert_eq!(wait_in_words(seconds), text);
        }
    }
}
