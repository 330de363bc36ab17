//! The parts made-up pages are put together from.
//!
//! Fixed people, devices and times, so that two runs draw the same pages.

use chrono::{DateTime, TimeDelta, Utc};

use super::sessions::SessionCard;
use super::{Instant, LookingOn, Notice, NoticeKind, Section, Shell, ShellUser};

/// An id of the shape real ones have, told apart by its last digit.
pub(super) fn id(last: u8) -> String {
    format!("019aa5f3-6c1e-7d20-9b44-0c5f2e8ad{last:03x}")
}

/// `seconds` from the samples' now, 21 Nov 2026, 08:15 UTC; negative is the past.
pub(super) fn instant(seconds: i64) -> Instant {
    let now: DateTime<Utc> = DateTime::UNIX_EPOCH + TimeDelta::seconds(1_795_248_900);
    Instant::new(now + TimeDelta::seconds(seconds), now)
}

/// A frame nobody is signed in to.
pub(super) fn signed_out(title: &str) -> Shell {
    Shell {
        title: title.to_owned(),
        user: None,
        csrf_token: "sample-form-token-0".to_owned(),
        impersonation: None,
        notice: None,
        section: Section::None,
    }
}

/// A frame for somebody without a role.
pub(super) fn member(title: &str, section: Section) -> Shell {
    Shell {
        user: Some(ShellUser {
            id: id(1),
            name: "Ada Lovelace".to_owned(),
            email: "ada@example.org".to_owned(),
            is_admin: false,
        }),
        section,
        ..signed_out(title)
    }
}

/// A frame for an administrator; without a name, so the e-mail address stands in.
pub(super) fn admin(title: &str, section: Section) -> Shell {
    Shell {
        user: Some(ShellUser {
            id: id(2),
            name: String::new(),
            email: "grace@example.org".to_owned(),
            is_admin: true,
        }),
        section,
        ..signed_out(title)
    }
}

/// The frame for an administrator who looks on as somebody.
pub(super) fn looking_on(title: &str, section: Section, read_only: bool) -> Shell {
    Shell {
        impersonation: Some(LookingOn {
            name: "Ada Lovelace".to_owned(),
            reason: "the invoice she asked about on Monday does not show".to_owned(),
            ends_at: instant(25 * 60),
            read_only,
        }),
        ..member(title, section)
    }
}

/// The same frame with a message.
pub(super) fn noticed(shell: Shell, kind: NoticeKind, text: &str) -> Shell {
    Shell {
        notice: Some(Notice {
            kind,
            text: text.to_owned(),
        }),
        ..shell
    }
}

/// One live session, used from the device that looks at the page.
pub(super) fn this_device() -> SessionCard {
    SessionCard {
        id: id(16),
        current: true,
        name: Some("Work laptop".to_owned()),
        device: "PC".to_owned(),
        browser: "Firefox 145".to_owned(),
        os: "Linux".to_owned(),
        ip: Some("2001:db8:4a1:77::1f".to_owned()),
        place: Some("Cambridge, United Kingdom".to_owned()),
        created_at: instant(-2 * 3_600),
        last_seen_at: instant(-20),
        idle_expires_at: instant(3_580),
        expires_at: instant(6 * 3_600),
        remembered: false,
        ended_at: None,
        end_reason: None,
        ended_by_other: false,
        opened_by_admin: None,
    }
}

/// A session that an administrator opened.
pub(super) fn looked_on() -> SessionCard {
    SessionCard {
        id: id(19),
        current: false,
        name: None,
        opened_by_admin: Some("the invoice she asked about does not show".to_owned()),
        idle_expires_at: instant(25 * 60),
        expires_at: instant(25 * 60),
        ..this_device()
    }
}

/// Another live session, remembered, without a name.
pub(super) fn phone() -> SessionCard {
    SessionCard {
        id: id(17),
        current: false,
        name: None,
        device: "Phone".to_owned(),
        browser: "Safari 26".to_owned(),
        os: "iOS".to_owned(),
        ip: Some("203.0.113.7".to_owned()),
        place: Some("Norway".to_owned()),
        created_at: instant(-9 * 86_400),
        last_seen_at: instant(-26 * 3_600),
        idle_expires_at: instant(5 * 86_400),
        expires_at: instant(21 * 86_400),
        remembered: true,
        ..this_device()
    }
}

/// A session of a program that told nothing about itself.
pub(super) fn unknown_device() -> SessionCard {
    SessionCard {
        id: id(18),
        device: String::new(),
        browser: String::new(),
        os: String::new(),
        ip: Some("198.51.100.23".to_owned()),
        place: None,
        created_at: instant(-40 * 60),
        last_seen_at: instant(-31 * 60),
        ..SessionCard {
            remembered: false,
            ..phone()
        }
    }
}

/// The three ways an ended session shows: by the person, by somebody else, and for no stored
/// reason.
pub(super) fn ended() -> Vec<SessionCard> {
    let by = |last: u8, reason: Option<&str>, ended_by_other: bool| SessionCard {
        id: id(last),
        ended_at: Some(instant(-3_600 * i64::from(last))),
        end_reason: reason.map(str::to_owned),
        ended_by_other,
        ..phone()
    };
    vec![
        by(32, Some("an administrator ended this session"), true),
        SessionCard {
            name: Some("Old tablet".to_owned()),
            ip: None,
            ..by(33, Some("you signed out"), false)
        },
        SessionCard {
            ip: None,
            place: None,
            ..by(34, None, false)
        },
    ]
}
