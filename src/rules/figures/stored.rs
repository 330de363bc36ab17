//! What the rows of the table are called, and how many of them an hour may have.

macro_rules! codes {
    ($(#[$doc:meta])* $type:ident { $($(#[$each:meta])* $name:ident = $code:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum $type {
            $($(#[$each])* $name,)*
        }

        impl $type {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code in the table.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The one with this code.
            pub fn from_code(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }
        }
    };
}

codes! {
    /// What a row counts.
    Kind {
        /// Sessions opened in the hour.
        Created = "created",
        /// Sessions ended in it.
        Ended = "ended",
        /// Sign-ins refused in it.
        SignInFailed = "sign-in-failed",
        /// Live sessions, as last measured in it.
        Live = "live",
        /// The most that were measured in it.
        LivePeak = "live-peak",
        /// Users with a live session, as last measured in it.
        SignedInUsers = "signed-in-users",
        /// Users, as last measured in it.
        Users = "users",
        /// Disabled ones of these.
        DisabledUsers = "disabled-users",
        /// Access tokens checked in it.
        Checks = "checks",
        /// Reads of the database for these.
        Loads = "loads",
    }
}

codes! {
    /// By what a row counts.
    Dimension {
        /// All there is.
        All = "all",
        /// By the reason of the end.
        Reason = "reason",
        /// By the organisation the session was opened in.
        Organization = "organization",
        /// By each role of the session's user.
        Role = "role",
        /// By the method of proof.
        Method = "method",
        /// By the node that counted.
        Node = "node",
    }
}

/// Stands for all members that have no row of their own.
pub const REST: &str = "*";

/// Members of one dimension that have rows of their own in an hour.
const MEMBERS: usize = 50;

/// The members with the highest counts; what the others count is added up as [`REST`]. So an hour
/// has a bounded number of rows, however many organisations there are.
pub fn largest<T>(
    mut members: Vec<(String, T)>,
    count: impl Fn(&T) -> u64,
    add: impl Fn(&mut T, T),
) -> Vec<(String, T)> {
    let by_count = |one: &(String, T), other: &(String, T)| {
        let (most, least) = (count(&other.1), count(&one.1));
        most.cmp(&least).then_with(|| one.0.cmp(&other.0))
    };
    members.sort_by(by_count);
    let mut rest = members.split_off(members.len().min(MEMBERS)).into_iter();
    if let Some((_, mut all)) = rest.next() {
        for (_, other) in rest {
            add(&mut all, other);
        }
        members.push((REST.to_owned(), all));
    }
    members
}
