//! Rows in great number, made by the database itself, and what is in each of them.
//!
//! A row follows from its number by plain arithmetic, which SQL and Rust do alike: millions are made
//! by one statement, and whoever measures knows each of them without asking. Rows are as old as
//! their numbers are small, as identifiers in the order of time are.

mod load;

use chrono::{DateTime, TimeDelta, Utc};
use portcullis::rules::amr::Amr;
use portcullis::rules::id::{SessionId, UserId};
use portcullis::rules::person::Person;
use portcullis::rules::role::Role;
use portcullis::rules::session::Facts;
use uuid::Uuid;

/// Sessions of each user.
pub(crate) const SESSIONS_OF_A_USER: u64 = 10;

/// Sessions were opened within this time before now, users made within it before that.
const SPAN: TimeDelta = TimeDelta::days(29);
const LIFETIME: TimeDelta = TimeDelta::days(30);
const IDLE: TimeDelta = TimeDelta::days(7);

/// One session in so many was opened at an office, of which there are few.
const OFFICE: u64 = 4;
const OFFICES: u64 = 8;

const GIVEN: [&str; 8] = [
    "Ada", "Grace", "Edsger", "Barbara", "Donald", "Radia", "Leslie", "Margaret",
];
const FAMILY: [&str; 11] = [
    "Lovelace", "Hopper", "Dijkstra", "Liskov", "Knuth", "Perlman", "Lamport", "Hamilton", "Allen",
    "Goldberg", "Naur",
];
const DEVICES: [[&str; 4]; 4] = [
    [
        "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
        "Computer",
        "Firefox 145",
        "Linux",
    ],
    [
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
        "Computer",
        "Chrome 142",
        "Windows",
    ],
    [
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1",
        "Phone",
        "Safari 26",
        "iOS",
    ],
    [
        "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
        "Phone",
        "Chrome 142",
        "Android",
    ],
];

/// Which rows there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows {
    /// When they are made.
    pub(crate) now: DateTime<Utc>,
    /// How many sessions; users are fewer in proportion.
    pub(crate) sessions: u64,
    /// Have some of them ended: most of the oldest, few of the youngest, half of all?
    pub(crate) some_ended: bool,
}

impl Rows {
    pub(crate) fn users(&self) -> u64 {
        self.sessions.div_ceil(SESSIONS_OF_A_USER)
    }

    pub(crate) fn owner(&self, session: u64) -> u64 {
        // 7919 is prime: each user's sessions lie far apart.
        session * 7919 % self.users()
    }

    pub(crate) fn is_live(&self, session: u64) -> bool {
        !self.some_ended || session * 2_654_435_761 % 1000 >= 1000 - session * 1000 / self.sessions
    }

    pub(crate) fn session_id(&self, session: u64) -> SessionId {
        SessionId(id(self.opened(session), session, OF_SESSIONS))
    }

    pub(crate) fn user_id(&self, user: u64) -> UserId {
        UserId(id(self.made(user), user, OF_USERS))
    }

    pub(crate) fn email(user: u64) -> String {
        let (given, family) = names(user);
        format!("{given}.{family}{user}@company{}.example", user % 97).to_lowercase()
    }

    /// The address that a user has at home.
    pub(crate) fn home(user: u64) -> String {
        format!("10.{}.{}.{}", user / 65536, user / 256 % 256, user % 256)
    }

    /// The address of an office, from which many sign in.
    pub(crate) fn office(number: u64) -> String {
        format!("198.51.100.{}", number % OFFICES)
    }

    /// As the store would read them.
    pub(crate) fn facts(&self, session: u64) -> Facts {
        let user = self.owner(session);
        let (given, family) = names(user);
        let opened = self.opened(session);
        Facts {
            session_id: self.session_id(session),
            user_id: self.user_id(user),
            person: Person::new(
                &Self::email(user),
                &format!("{given} {family}"),
                [Role::new("member").unwrap()],
            ),
            user_enabled: true,
            organization_id: None,
            created_at: millis(opened).into(),
            auth_time: millis(opened).into(),
            amr: Amr::new("pwd"),
            remembered: true,
            idle_timeout_secs: u32::try_from(IDLE.num_seconds()).unwrap(),
            last_seen: self.now.into(),
            expires_at: (millis(opened) + LIFETIME).into(),
            impersonation: None,
        }
    }

    fn opened(&self, session: u64) -> i64 {
        let first = (self.now - SPAN).timestamp_millis();
        first + number(session) * SPAN.num_milliseconds() / number(self.sessions)
    }

    fn made(&self, user: u64) -> i64 {
        let first = (self.now - SPAN * 2).timestamp_millis();
        first + number(user) * SPAN.num_milliseconds() / number(self.users())
    }
}

fn names(user: u64) -> (&'static str, &'static str) {
    let at = |length: usize| usize::try_from(user % length as u64).unwrap();
    (GIVEN[at(GIVEN.len())], FAMILY[at(FAMILY.len())])
}

/// Told apart in the last bytes of their identifiers.
const OF_SESSIONS: u64 = 0;
const OF_USERS: u64 = 1_013_904_223;

/// UUID v7, with the row's number where chance would be, and something like chance in its last
/// bytes, which the server finds its places by.
fn id(millis: i64, row: u64, kind: u64) -> Uuid {
    let chance = (row * row % 4_294_967_291 + row + kind) * 1_103_515_245 % 4_294_967_296;
    let (high, low) = (chance % 65536, chance / 65536);
    let text = format!(
        "{millis:012x}7{:03x}8{row:07x}{high:04x}{low:04x}",
        row % 4096
    );
    Uuid::try_parse(&text).unwrap()
}

fn millis(since_epoch: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(since_epoch).unwrap()
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap()
}
