//! Everybody who may stand before a door.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::json;

use crate::support::browser::form_token;
use crate::support::{Server, TestUser};

/// Who stands there.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Kind {
    Nobody,
    Garbage,
    ExpiredToken,
    EndedSession,
    DeletedUser,
    DisabledUser,
    User,
    OtherUser,
    StaleUser,
    StaleAdmin,
    Admin,
    /// An administrator with the right to look on as others.
    Opener,
    /// Such an administrator, who looks on as a user.
    ReadOnlyImpersonator,
    /// Such an administrator, who may also change things.
    Impersonator,
}

impl Kind {
    pub(super) const ALL: [Self; 14] = [
        Self::Nobody,
        Self::Garbage,
        Self::ExpiredToken,
        Self::EndedSession,
        Self::DeletedUser,
        Self::DisabledUser,
        Self::User,
        Self::OtherUser,
        Self::StaleUser,
        Self::StaleAdmin,
        Self::Admin,
        Self::Opener,
        Self::ReadOnlyImpersonator,
        Self::Impersonator,
    ];

    const LIVE: [Self; 8] = [
        Self::User,
        Self::OtherUser,
        Self::StaleUser,
        Self::StaleAdmin,
        Self::Admin,
        Self::Opener,
        Self::ReadOnlyImpersonator,
        Self::Impersonator,
    ];

    pub(super) fn is_live(self) -> bool {
        Self::LIVE.contains(&self)
    }

    /// Why nobody by this credential is let in anywhere that asks who they are.
    pub(super) fn refusal(self) -> Option<&'static str> {
        match self {
            Self::Nobody => Some("no-credential"),
            Self::Garbage => Some("invalid-token"),
            Self::ExpiredToken => Some("token-expired"),
            Self::EndedSession => Some("session-ended"),
            Self::DeletedUser => Some("user-gone"),
            Self::DisabledUser => Some("user-disabled"),
            Self::User
            | Self::OtherUser
            | Self::StaleUser
            | Self::StaleAdmin
            | Self::Admin
            | Self::Opener
            | Self::ReadOnlyImpersonator
            | Self::Impersonator => None,
        }
    }

    pub(super) fn is_admin(self) -> bool {
        matches!(self, Self::StaleAdmin | Self::Admin | Self::Opener)
    }

    /// Looks on as somebody else.
    pub(super) fn looks_on(self) -> bool {
        matches!(self, Self::ReadOnlyImpersonator | Self::Impersonator)
    }

    pub(super) fn is_stale(self) -> bool {
        matches!(self, Self::StaleUser | Self::StaleAdmin)
    }
}

/// What a caller presents.
#[derive(Clone, Debug, Default)]
pub(super) struct Caller {
    /// The access token, as bearer or in the cookie.
    pub(super) access: Option<String>,
    /// The hidden text of the caller's forms, if there can be any.
    pub(super) form_token: Option<String>,
    /// The value of the cookie of a browser that is not signed in, and its forms' hidden text.
    pub(super) before_sign_in: Option<String>,
}

/// All callers, kept alive.
pub(super) struct Callers {
    users: BTreeMap<Kind, TestUser>,
    callers: BTreeMap<Kind, Caller>,
}

impl Callers {
    pub(super) async fn gather(server: &Server) -> Self {
        let mut all = Self {
            users: BTreeMap::new(),
            callers: BTreeMap::new(),
        };
        for kind in Kind::LIVE {
            let roles: &[&str] = if kind == Kind::Opener {
                &["admin", "impersonator"]
            } else if kind.is_admin() {
                &["admin"]
            } else {
                &[]
            };
            let email = format!("{kind:?}@test.example").to_lowercase();
            all.users.insert(kind, server.user(&email, roles).await);
            all.bring(server, kind).await;
        }
        let admin = all.of(Kind::Admin).access.clone();
        for kind in [
            Kind::ExpiredToken,
            Kind::EndedSession,
            Kind::DeletedUser,
            Kind::DisabledUser,
        ] {
            let user = server
                .user(&format!("{kind:?}@test.example").to_lowercase(), &[])
                .await;
            if kind == Kind::ExpiredToken {
                server.advance(-400);
            }
            let tokens = server.sign_in(&user).await;
            let path = format!("/api/admin/users/{}", user.id);
            let done = match kind {
                Kind::ExpiredToken => {
                    server.advance(400);
                    server.get("/health/live", None).await
                }
                Kind::EndedSession => {
                    server
                        .call(
                            Method::POST,
                            "/api/auth/sign-out",
                            Some(&tokens.access),
                            None,
                        )
                        .await
                }
                Kind::DeletedUser => server.delete(&path, admin.as_deref()).await,
                Kind::DisabledUser
                | Kind::Nobody
                | Kind::Garbage
                | Kind::User
                | Kind::OtherUser
                | Kind::StaleUser
                | Kind::StaleAdmin
                | Kind::Admin
                | Kind::Opener
                | Kind::ReadOnlyImpersonator
                | Kind::Impersonator => {
                    assert_eq!(kind, Kind::DisabledUser);
                    let patch = serde_json::json!({ "enabled": false });
                    server
                        .call(Method::PATCH, &path, admin.as_deref(), Some(patch))
                        .await
                }
            };
            assert!(done.status.is_success(), "{kind:?}: {}", done.text);
            all.insert(kind, Some(tokens.access));
        }
        all.insert(Kind::Garbage, Some("garbage".to_owned()));
        let mut browser = server.browser();
        let page = browser.get("/sign-in").await;
        all.callers.insert(
            Kind::Nobody,
            Caller {
                access: None,
                form_token: Some(form_token(&page.text)),
                before_sign_in: browser.access_cookie().cloned(),
            },
        );
        all
    }

    /// The caller, in a state to go on: what an earlier call ended is begun anew.
    pub(super) async fn ready(&mut self, server: &Server, kind: Kind) -> Caller {
        if kind.is_live() {
            let access = self.of(kind).access.clone().unwrap_or_default();
            if server.verify(&access).await.status != 200 {
                self.bring(server, kind).await;
            }
        }
        self.of(kind).clone()
    }

    async fn bring(&mut self, server: &Server, kind: Kind) {
        let user = &self.users[&kind];
        let mut tokens;
        if kind.is_stale() {
            server.advance(-700);
            tokens = server.sign_in(user).await;
            server.advance(700);
            let renewed = server.refresh(&tokens.refresh).await;
            assert_eq!(renewed.status, 200, "{}", renewed.text);
            tokens = crate::support::Tokens::from(renewed.json());
        } else if kind.looks_on() {
            // From a session of its own, which nobody else ends.
            let console = server.sign_in(&self.users[&Kind::Opener]).await;
            let path = format!("/api/admin/users/{}/impersonate", user.id);
            let read_only = kind == Kind::ReadOnlyImpersonator;
            let document = json!({"reason": "to try every door", "read_only": read_only});
            let answer = server.post(&path, Some(&console.access), document).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            tokens = crate::support::Tokens::from(answer.json());
        } else {
            tokens = server.sign_in(user).await;
        }
        let mut browser = server.browser();
        browser
            .cookies
            .insert("portcullis".to_owned(), tokens.access.clone());
        let page = browser.get("/account").await;
        assert_eq!(page.status, 200, "{kind:?}: {}", page.text);
        let form_token = Some(form_token(&page.text));
        self.callers.insert(
            kind,
            Caller {
                access: Some(tokens.access),
                form_token,
                before_sign_in: None,
            },
        );
    }

    fn insert(&mut self, kind: Kind, access: Option<String>) {
        self.callers.insert(
            kind,
            Caller {
                access,
                ..Caller::default()
            },
        );
    }

    fn of(&self, kind: Kind) -> &Caller {
        &self.callers[&kind]
    }
}
