//! What callers know of one another: users, and sessions with their tokens.
//!
//! Knows nothing of servers. Whether a session is thought to live decides how it is used, not what
//! may be said of it.

use std::collections::VecDeque;
use std::time::Duration;

use crate::history::{Ends, Name, Session, User};
use crate::support::chance::Chance;

/// Sessions whose end was asked for, and that are still checked.
const OVER: usize = 60;

/// Those whose end is news.
const NEWS: usize = 8;

/// A session that somebody has tokens of.
#[derive(Clone, Debug)]
pub struct Held {
    pub session: Name,
    pub user: User,
    pub access: String,
    /// None while somebody renews it, and for good if nobody knows what came of that: presented
    /// again too late it would look stolen.
    pub refresh: Option<String>,
}

#[derive(Debug, Default)]
pub struct Known {
    pub users: Vec<User>,
    pub admins: Vec<User>,
    pub live: Vec<Held>,
    over: VecDeque<Held>,
}

impl Known {
    pub fn some_live(&self, chance: &mut Chance) -> Option<Held> {
        chance.pick(&self.live).cloned()
    }

    /// One that should be over: half the time one whose end is news.
    pub fn some_over(&self, chance: &mut Chance) -> Option<Held> {
        let latest = if chance.below(2) == 0 { NEWS } else { OVER };
        let number = chance.below(self.over.len().min(latest));
        self.over.iter().rev().nth(number).cloned()
    }

    pub fn some_user(&self, chance: &mut Chance) -> Option<User> {
        chance.pick(&self.users).cloned()
    }

    /// A session of somebody who may end those of others.
    pub fn some_admin(&self, chance: &mut Chance) -> Option<Held> {
        let is_admin = |held: &&Held| self.admins.contains(&held.user);
        let signed_in: Vec<&Held> = self.live.iter().filter(is_admin).collect();
        chance.pick(&signed_in).map(|held| (*held).clone())
    }

    /// Moves the sessions that are named to those that should be over, and returns them.
    pub fn bury(&mut self, ends: &Ends) -> Vec<Held> {
        let named = |held: &Held| {
            ends.names(&Session {
                id: held.session.clone(),
                user: held.user.clone(),
                began: Duration::ZERO,
                ended: Duration::ZERO,
            })
        };
        let (over, live): (Vec<Held>, Vec<Held>) = self.live.drain(..).partition(named);
        self.live = live;
        self.over.extend(over.iter().cloned());
        while self.over.len() > OVER {
            self.over.pop_front();
        }
        over
    }

    /// Takes a refresh token, so that nobody else presents it.
    pub fn take_refresh(&mut self, chance: &mut Chance) -> Option<(Name, String)> {
        let number = chance.below(self.live.len());
        let held = self.live.get_mut(number)?;
        Some((held.session.clone(), held.refresh.take()?))
    }

    pub fn renewed(&mut self, session: &Name, access: String, refresh: String) {
        let same = |held: &&mut Held| held.session == *session;
        if let Some(held) = self.live.iter_mut().find(same) {
            held.access = access;
            held.refresh = Some(refresh);
        }
    }

    /// Every session that is still checked.
    pub fn all(&self) -> Vec<Held> {
        self.live.iter().chain(&self.over).cloned().collect()
    }
}
