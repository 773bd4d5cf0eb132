//! Sessions of browsers: who has logged in by the form is known by a cookie, for a while. A cookie's text stands nowhere but at
//! the browser, and the forms' token is made of it, so that it takes no place either.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;

use super::visitor::Visitor;
use crate::env::random_u128;

/// Sessions at once; beyond that the one goes that was used least lately.
const SESSIONS_MAX: usize = 256;
/// How long a session lasts that is not used.
const IDLE_TIME_MAX: Duration = Duration::from_secs(30 * 60);
/// How long a session lasts.
pub(in crate::admin) const SESSION_TIME_MAX: Duration = Duration::from_secs(12 * 60 * 60);

type Tag = [u8; 32];

#[derive(Debug)]
struct Open {
    visitor: Visitor,
    began: Instant,
    used: Instant,
}

impl Open {
    fn is_over(&self, now: Instant) -> bool {
        now - self.used > IDLE_TIME_MAX || now - self.began > SESSION_TIME_MAX
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Sessions {
    /// Drawn at each start: nothing of a run means anything to the next one.
    key: hmac::Key,
    open: Mutex<HashMap<Tag, Open>>,
}

impl Sessions {
    pub(super) fn new() -> Sessions {
        let key = [random_u128().to_le_bytes(), random_u128().to_le_bytes()].concat();
        Sessions { key: hmac::Key::new(hmac::HMAC_SHA256, &key), open: Mutex::default() }
    }

    /// Begins one; returns the cookie's text.
    pub(super) fn begin(&self, visitor: Visitor, now: Instant) -> String {
        let id = format!("{:032x}{:032x}", random_u128(), random_u128());
        let mut open = self.lock();
        open.retain(|_, it| !it.is_over(now));
        if open.len() >= SESSIONS_MAX {
            let oldest = open.iter().min_by_key(|(_, it)| it.used).map(|(tag, _)| *tag);
            oldest.map(|tag| open.remove(&tag));
        }
        open.insert(self.tag("session", &id), Open { visitor, began: now, used: now });
        id
    }

    /// Whose session that is, if it is one.
    pub(super) fn find(&self, id: &str, now: Instant) -> Option<Visitor> {
        let mut open = self.lock();
        let found = open.get_mut(&self.tag("session", id)).filter(|it| !it.is_over(now))?;
        found.used = now;
        Some(found.visitor.clone().with_form(self.form(id)))
    }

    /// Ends one.
    pub(super) fn end(&self, id: &str) {
        self.lock().remove(&self.tag("session", id));
    }

    /// What the forms have to show of whom that text stands for.
    pub(super) fn form(&self, id: &str) -> String {
        self.tag("form", id).iter().fold(String::new(), |mut text, byte| {
            // Writing to a String does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    fn tag(&self, purpose: &str, id: &str) -> Tag {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(purpose.as_bytes());
        context.update(b"\0");
        context.update(id.as_bytes());
        let mut tag = Tag::default();
        tag.copy_from_slice(context.sign().as_ref());
        tag
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Tag, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visitor() -> Visitor {
        Visitor::stranger(None, "")
    }

    #[test]
    fn a_session_ends_with_its_logout_with_rest_and_with_time() {
        let (sessions, start) = (Sessions::new(), Instant::now());
        let id = sessions.begin(visitor(), start);
        let form = sessions.find(&id, start).unwrap().form;
        assert!(form.as_ref().is_some_and(|form| form.len() == 64 && *form != id));
        assert!(sessions.find(&form.unwrap(), start).is_none(), "what forms show is no cookie");
        let mut now = start;
        while now - start < SESSION_TIME_MAX {
            assert!(sessions.find(&id, now).is_some(), "{:?}", now - start);
            now += IDLE_TIME_MAX;
        }
        now += IDLE_TIME_MAX;
        assert!(sessions.find(&id, now).is_none());
        let id = sessions.begin(visitor(), now);
        assert!(sessions.find(&id, now + IDLE_TIME_MAX + Duration::from_secs(1)).is_none());
        let id = sessions.begin(visitor(), now);
        sessions.end(&id);
        assert!(sessions.find(&id, now).is_none());
    }

    #[test]
    fn there_are_no_more_sessions_than_there_may_be_and_the_one_in_use_stays() {
        let (sessions, mut now) = (Sessions::new(), Instant::now());
        let used = sessions.begin(visitor(), now);
        for _ in 0..2 * SESSIONS_MAX {
            now += Duration::from_secs(1);
            assert!(sessions.find(&used, now).is_some());
            sessions.begin(visitor(), now);
        }
        assert_eq!(sessions.lock().len(), SESSIONS_MAX);
    }
}
