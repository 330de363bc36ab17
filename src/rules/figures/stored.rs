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
pub const MEMBERS: usize = 50;

/// How many, and for sessions that ended how long they lasted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// How many.
    pub count: u64,
    /// How long they lasted, added up, in seconds.
    pub sum_secs: u64,
    /// How long the longest lasted, in seconds.
    pub longest_secs: u64,
}

impl Tally {
    /// A number without durations.
    pub fn of(count: u64) -> Self {
        Self {
            count,
            ..Self::default()
        }
    }

    /// Adds others.
    pub fn add(&mut self, other: Self) {
        self.count += other.count;
        self.sum_secs += other.sum_secs;
        self.longest_secs = self.longest_secs.max(other.longest_secs);
    }
}

/// A row of an hour.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Row {
    /// What it counts.
    pub kind: Kind,
    /// By what.
    pub dimension: Dimension,
    /// Code or id of what it counts; empty for all there is, and for "none".
    pub member: String,
}

/// The members with the highest counts; what the others count is added up as [`REST`]. So an hour
/// has a bounded number of rows, however many organisations there are.
pub fn largest(mut members: Vec<(String, Tally)>, at_most: usize) -> Vec<(String, Tally)> {
    members.sort_by(|one, other| {
        let by_count = other.1.count.cmp(&one.1.count);
        by_count.then_with(|| one.0.cmp(&other.0))
    });
    let rest = members.split_off(members.len().min(at_most));
    if !rest.is_empty() {
        let mut all = Tally::default();
        for (_, tally) in rest {
            all.add(tally);
        }
        members.push((REST.to_owned(), all));
    }
    members
}
