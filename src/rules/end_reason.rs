//! Why a session ended: one reason each, as code for machines and as words for people.

use serde::{Deserialize, Serialize};

macro_rules! end_reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $words:literal;)*) => {
        /// Why a session ended.
        #[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
        pub enum EndReason {
            $($(#[$doc])* #[serde(rename = $code)] $name,)*
        }

        impl EndReason {
            /// Every reason there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code in the table, the audit and the API.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The second half of "You were signed out because …".
            pub fn words(self) -> &'static str {
                match self { $(Self::$name => $words,)* }
            }

            /// The reason with this code, if there is one.
            pub fn from_code(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }
        }
    };
}

end_reasons! {
    /// The person signed out on that device.
    SignedOut = "signed-out", "you signed out";
    /// The person signed in again in the same browser.
    SignedInAgain = "signed-in-again", "you signed in again in the same browser";
    /// The person ended it from another device.
    EndedByUser = "ended-by-user", "you ended this session from another device";
    /// An administrator ended it.
    EndedByAdmin = "ended-by-admin", "an administrator ended this session";
    /// An administrator ended everyone's.
    EveryoneOut = "everyone-out", "an administrator ended everyone's sessions";
    /// The password was changed or reset elsewhere.
    PasswordChanged = "password-changed", "the password of your account was changed";
    /// The e-mail address was changed elsewhere.
    EmailChanged = "email-changed", "the e-mail address of your account was changed";
    /// The person said that a sign-in was not theirs.
    Reported = "reported", "a sign-in to your account was reported as somebody else's";
    /// The account was disabled.
    UserDisabled = "user-disabled", "your account was disabled";
    /// The account was deleted.
    UserDeleted = "user-deleted", "your account was deleted";
    /// Not used for longer than the idle timeout.
    Idle = "idle", "it was not used for a while";
    /// The absolute lifetime is over.
    AbsoluteLifetime = "absolute-lifetime", "it reached its longest allowed duration";
    /// A refresh token was used a second time, as a thief would.
    RefreshReuse = "refresh-reuse", "a copy of this session, perhaps a stolen one, was used";
    /// Too many sessions at once.
    SessionLimit = "session-limit", "you signed in on more devices than are allowed at once";
    /// The administrator who had opened it stopped looking on.
    ImpersonationStopped = "impersonation-stopped", "the administrator who had opened it is done with it";
    /// The administrator who had opened it may not have it open any more.
    ImpersonatorGone = "impersonator-gone", "the administrator who had opened it was signed out or may no longer have it open";
    /// A role or membership was taken away, and a policy ends the sessions then.
    RoleTaken = "role-taken", "a role or membership of your account was taken away";
    /// The demonstration data was laid anew.
    Reseeded = "reseeded", "the demonstration data was laid anew";
}

impl std::fmt::Display for EndReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::EndReason;

    #[test]
    fn every_code_leads_back_to_its_reason_and_has_words() {
        for reason in EndReason::ALL {
            assert_eq!(EndReason::from_code(reason.code()), Some(*reason));
            assert!(!reason.words().is_empty());
        }
        assert_eq!(EndReason::from_code("no-such-reason"), None);
    }
}
