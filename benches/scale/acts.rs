//! What is measured: each act as the server does it, on rows picked by chance.

use std::time::{Duration, Instant};

use portcullis::rules::figures::Range;
use portcullis::rules::record::{SessionSearch, SessionStatus};
use portcullis::service::figures::overview;
use portcullis::store::audit::AuditSearch;

use crate::doing::{check, clean_up, end_one, my_sessions, renew, search, sign_in};
use crate::rows::Rows;
use crate::scene::{KNOWN, Scene};

/// Rows of a page and of a clean-up, as the server has them.
pub(crate) const PAGE: u64 = 50;
pub(crate) const BATCH: u64 = 50;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Act {
    SignIn,
    Check,
    Refresh,
    End,
    MySessions,
    /// A page of the sessions that match; the hundredth if `deep`.
    Search {
        by: By,
        deep: bool,
    },
    Count(By),
    Users(Text),
    CountUsers(Text),
    AuditOfUser,
    Overview,
    CleanUp,
}

/// What sessions are searched by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum By {
    All,
    Live,
    User,
    Home,
    Office,
    Email,
    Part,
    Ten,
    Family,
    Short,
}

/// What users are searched by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Text {
    Nothing,
    Email,
    Part,
    Ten,
    Family,
}

pub(crate) const ACTS: &[Act] = &[
    Act::SignIn,
    Act::Check,
    Act::Refresh,
    Act::End,
    Act::MySessions,
    Act::Search {
        by: By::All,
        deep: false,
    },
    Act::Search {
        by: By::All,
        deep: true,
    },
    Act::Search {
        by: By::Live,
        deep: false,
    },
    Act::Search {
        by: By::User,
        deep: false,
    },
    Act::Search {
        by: By::Home,
        deep: false,
    },
    Act::Search {
        by: By::Office,
        deep: false,
    },
    Act::Search {
        by: By::Email,
        deep: false,
    },
    Act::Search {
        by: By::Part,
        deep: false,
    },
    Act::Search {
        by: By::Ten,
        deep: false,
    },
    Act::Search {
        by: By::Family,
        deep: false,
    },
    Act::Search {
        by: By::Short,
        deep: false,
    },
    Act::Count(By::All),
    Act::Count(By::Live),
    Act::Count(By::User),
    Act::Count(By::Office),
    Act::Count(By::Email),
    Act::Count(By::Part),
    Act::Count(By::Ten),
    Act::Count(By::Family),
    Act::Users(Text::Nothing),
    Act::Users(Text::Email),
    Act::Users(Text::Part),
    Act::Users(Text::Ten),
    Act::Users(Text::Family),
    Act::CountUsers(Text::Nothing),
    Act::CountUsers(Text::Email),
    Act::CountUsers(Text::Part),
    Act::CountUsers(Text::Ten),
    Act::AuditOfUser,
    Act::Overview,
    Act::CleanUp,
];

impl Act {
    pub(crate) fn name(self) -> String {
        match self {
            Self::SignIn => "sign-in, but for the hash".to_owned(),
            Self::Check => "check of a session that is not in memory".to_owned(),
            Self::Refresh => "refresh".to_owned(),
            Self::End => "end one".to_owned(),
            Self::MySessions => "my sessions, live and ended lately".to_owned(),
            Self::Search { by, deep: false } => format!("admin search {}, first page", by.name()),
            Self::Search { by, deep: true } => {
                format!("admin search {}, hundredth page", by.name())
            }
            Self::Count(by) => format!("how many match {}", by.name()),
            Self::Users(text) => format!("users {}, first page", text.name()),
            Self::CountUsers(text) => format!("how many users {}", text.name()),
            Self::AuditOfUser => "audit of a user".to_owned(),
            Self::Overview => "figures of the overview".to_owned(),
            Self::CleanUp => format!("clean-up of {BATCH}"),
        }
    }

    /// Is there more to answer on the large database? Ten thousand live sessions, sessions of a
    /// frequent name or of an office, or users, to which is counted, are not on the small one.
    pub(crate) fn answers_more(self) -> bool {
        matches!(
            self,
            Self::Count(By::Live | By::Office | By::Family) | Self::CountUsers(Text::Nothing)
        )
    }

    /// How often it is done before it is counted, so that what it needs is in memory, and counted.
    pub(crate) fn rounds(self) -> (usize, usize) {
        // A small database has no more live sessions to clean up.
        if self == Self::CleanUp {
            (4, 56)
        } else {
            (2 * KNOWN as usize, 200)
        }
    }

    /// Does it once, and says how long that took: without what is needed to have something to do.
    pub(crate) async fn run(self, scene: &mut Scene) -> Duration {
        match self {
            Self::SignIn => sign_in(scene).await,
            Self::Check => check(scene).await,
            Self::Refresh => renew(scene).await,
            Self::End => end_one(scene).await,
            Self::MySessions => my_sessions(scene).await,
            Self::Search { by, deep } => search(scene, by, deep).await,
            Self::Count(by) => {
                let (search, now) = (by.search(scene), scene.context.now());
                timed(scene.context.store.count_sessions(&search, now)).await
            }
            Self::Users(text) => {
                let (text, now) = (text.search(scene), scene.context.now());
                timed(scene.context.store.search_users(&text, None, PAGE, now)).await
            }
            Self::CountUsers(text) => {
                let text = text.search(scene);
                timed(scene.context.store.count_users(&text)).await
            }
            Self::AuditOfUser => {
                let user = scene.user();
                let search = AuditSearch {
                    receipt_id: None,
                    user_id: Some(scene.rows.user_id(user)),
                    ..AuditSearch::default()
                };
                timed(scene.context.store.search_audit(search, None, PAGE)).await
            }
            Self::Overview => timed(overview(&scene.context, Range::Month)).await,
            Self::CleanUp => clean_up(scene).await,
        }
    }
}

impl By {
    fn name(self) -> &'static str {
        match self {
            Self::All => "of all",
            Self::Live => "of live ones",
            Self::User => "by user",
            Self::Home => "by address",
            Self::Office => "by address of many",
            Self::Email => "by a whole e-mail address",
            Self::Part => "by part of an e-mail address",
            Self::Ten => "by part of some ten addresses",
            Self::Family => "by a frequent name",
            Self::Short => "by two letters",
        }
    }

    pub(crate) fn search(self, scene: &mut Scene) -> SessionSearch {
        let user = scene.user();
        let text = match self {
            Self::All | Self::Live | Self::User => String::new(),
            Self::Home => Rows::home(user),
            Self::Office => Rows::office(user),
            Self::Email => Rows::email(user),
            Self::Part => part(user),
            Self::Ten => ten(scene),
            Self::Family => FREQUENT.to_owned(),
            Self::Short => SHORT.to_owned(),
        };
        SessionSearch {
            user_id: (self == Self::User).then(|| scene.rows.user_id(user)),
            status: if self == Self::Live {
                SessionStatus::Live
            } else {
                SessionStatus::All
            },
            text,
        }
    }
}

pub(crate) async fn timed<T, E: std::fmt::Debug>(
    question: impl Future<Output = Result<T, E>>,
) -> Duration {
    let began = Instant::now();
    // Past its patience the store gives up; then that is how long it took.
    let _ = std::hint::black_box(question.await);
    began.elapsed()
}

impl Text {
    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "of all",
            Self::Email => "by a whole e-mail address",
            Self::Part => "by part of an e-mail address",
            Self::Ten => "by part of some ten addresses",
            Self::Family => "by a frequent name",
        }
    }

    fn search(self, scene: &mut Scene) -> String {
        let user = scene.user();
        match self {
            Self::Nothing => String::new(),
            Self::Email => Rows::email(user),
            Self::Part => part(user),
            Self::Ten => ten(scene),
            Self::Family => FREQUENT.to_owned(),
        }
    }
}

/// A name that one user in eleven has, and two letters that one in eight begins with: a page of them
/// is full at once.
const FREQUENT: &str = "lovelace";
const SHORT: &str = "gr";

/// A text that is in the addresses of some ten users, however many there are, so that on both
/// databases the answer is as large.
fn ten(scene: &Scene) -> String {
    let numbers = ["1", "12", "100", "1002", "10000"];
    let found = |number: &str| {
        let text = number.to_owned();
        let with = |user: &u64| Rows::email(*user).contains(&format!("hopper{text}"));
        (0..scene.rows.users()).filter(with).count()
    };
    let number = scene.ten.get_or_init(|| {
        let few = numbers.iter().find(|number| found(number) <= 12);
        (*few.unwrap()).to_owned()
    });
    format!("hopper{number}")
}

/// A text that is in the address of one user.
fn part(user: u64) -> String {
    let email = Rows::email(user);
    email.trim_end_matches("example").to_owned()
}
