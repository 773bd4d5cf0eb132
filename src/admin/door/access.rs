//! Recognises who asks: by the console's token, by a user's name and password (HTTP Basic), or by the cookie of somebody who
//! has logged in.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::guard::{Ends, Refusal, is_own};
use super::role::{ConsoleRole, Roles};
use super::sessions::Sessions;
use super::token::Token;
use super::visitor::Visitor;
use crate::broker::Principal;
use crate::security::{Login, Logins, Password};

/// Logins from one address that may be under way: failures make them wait, and each waits on a connection of which there are few.
const UNDER_WAY_MAX: usize = 16;
/// The user whom the token stands for.
const TOKEN_USER: &str = "console";

/// Who may come in, and who has.
#[derive(Debug)]
pub(in crate::admin) struct Access {
    logins: Arc<Logins>,
    /// Whether there are users: then who has not logged in sees nothing but health.
    asks: bool,
    roles: Roles,
    token: Option<Token>,
    sessions: Sessions,
    under_way: Mutex<HashMap<IpAddr, usize>>,
}

/// A login that is under way, until this is dropped.
struct UnderWay<'a>(&'a Access, IpAddr);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut under_way = self.0.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = under_way.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                under_way.remove(&self.1);
            }
        }
    }
}

impl Access {
    pub(in crate::admin) fn new(
        logins: Arc<Logins>,
        asks: bool,
        roles: Roles,
        token: Option<Token>,
    ) -> Access {
        Access { logins, asks, roles, token, sessions: Sessions::new(), under_way: Mutex::default() }
    }

    /// Whether who asks has to have logged in.
    pub(in crate::admin) fn asks(&self) -> bool {
        self.asks
    }

    /// Who that is, by what a form or HTTP Basic says: a user's name and password, or no name and the token. Takes time after
    /// failures, as with clients.
    ///
    /// # Errors
    /// What the visitor is told: 401, or 429 while too many from his address wait for an answer.
    async fn log_in(&self, from: IpAddr, user: &str, password: &str) -> Result<Visitor, Refusal> {
        if user.is_empty() && self.is_token(password.as_bytes()) {
            return Ok(administrator());
        }
        let _under_way = self.enter(from)?;
        let password = Password::new(password.to_owned());
        let address = from.to_string();
        let login =
            Login { address: &address, user, password: &password, certificate: None, allow_anonymous: false };
        let account = self.logins.identify(login).await.map_err(|error| unauthorized(&error.to_string()))?;
        let role = self.roles.highest(account.groups());
        Ok(Visitor::known(Principal::Known(account), role))
    }

    /// Counts a login as under way.
    fn enter(&self, from: IpAddr) -> Result<UnderWay<'_>, Refusal> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let count = under_way.entry(from).or_default();
        if *count >= UNDER_WAY_MAX {
            let error = "too many logins from this address are under way";
            return Err((StatusCode::TOO_MANY_REQUESTS, error.to_owned()));
        }
        *count += 1;
        Ok(UnderWay(self, from))
    }

    /// Logs a browser in; returns the cookie's text.
    ///
    /// # Errors
    /// What to tell.
    pub(in crate::admin) async fn begin(
        &self,
        head: &Parts,
        user: &str,
        password: &str,
    ) -> Result<String, Refusal> {
        if !is_own(&head.headers) {
            return Err((StatusCode::FORBIDDEN, "the form comes from another page".to_owned()));
        }
        let Some(ends) = head.extensions.get::<Ends>() else { return Err(unauthorized("no address")) };
        let visitor = self.log_in(ends.from, user, password).await?;
        visitor.check(ConsoleRole::View)?;
        if let Some(old) = cookie(&head.headers, *ends) {
            self.sessions.end(old);
        }
        Ok(self.sessions.begin(visitor, Instant::now()))
    }

    /// Logs a browser out.
    pub(in crate::admin) fn end(&self, head: &Parts) {
        if let Some(id) = head.extensions.get().and_then(|ends| cookie(&head.headers, *ends)) {
            self.sessions.end(id);
        }
    }

    /// Recognises who asks. What does not fit is refused where there are users, else it makes a stranger.
    ///
    /// # Errors
    /// A user's name and password are wrong.
    pub(in crate::admin) async fn recognise(&self, head: &Parts) -> Result<Visitor, Refusal> {
        let stranger = |reason| Visitor::stranger((!self.asks).then_some(ConsoleRole::Glance), reason);
        if let Some(shown) = head.headers.get(AUTHORIZATION).map(|value| value.as_bytes()) {
            return match (shown.strip_prefix(b"Bearer "), shown.strip_prefix(b"Basic ")) {
                (Some(shown), _) if self.is_token(shown) => Ok(administrator()),
                (Some(_), _) => Ok(stranger(match self.token {
                    Some(_) => "this is not the console's token",
                    None => NO_TOKEN,
                })),
                (_, Some(shown)) => match basic(shown) {
                    // Tools show the user that ActiveMQ has by default, whether somebody asks or not.
                    Some((_, password)) if !self.asks && !self.is_token(password.as_bytes()) => {
                        Ok(stranger("there are no users; this needs the console's token"))
                    }
                    Some((user, password)) => self.by_name(head, &user, &password).await,
                    None => Ok(stranger("expected BASE64(USER:PASSWORD) behind Basic")),
                },
                _ => Ok(stranger("expected Authorization: Bearer or Basic")),
            };
        }
        let ends = head.extensions.get::<Ends>();
        // A browser sends a cookie along with whatever a page asks for: only forms that show more than that may change things.
        let counts = head.method.is_safe() || !head.uri.path().starts_with("/api/");
        if let Some(id) = ends.filter(|_| counts).and_then(|ends| cookie(&head.headers, *ends))
            && let Some(visitor) = self.sessions.find(id, Instant::now())
        {
            return Ok(visitor);
        }
        Ok(stranger(match (self.asks, &self.token) {
            (true, _) => "log in, or show the console's token (Authorization: Bearer TOKEN)",
            (_, None) => NO_TOKEN,
            _ => "this needs the console's token (Authorization: Bearer TOKEN)",
        }))
    }

    /// By HTTP Basic. Browsers keep that and send it along wherever a request comes from.
    async fn by_name(&self, head: &Parts, user: &str, password: &str) -> Result<Visitor, Refusal> {
        if !head.method.is_safe() && !is_own(&head.headers) {
            let error = "a change with a password comes from the console's own pages only";
            return Err((StatusCode::FORBIDDEN, error.to_owned()));
        }
        let Some(ends) = head.extensions.get::<Ends>() else { return Err(unauthorized("no address")) };
        let visitor = self.log_in(ends.from, user, password).await?;
        let form = self.sessions.form(&format!("user {user}"));
        Ok(visitor.with_form(form))
    }

    fn is_token(&self, shown: &[u8]) -> bool {
        self.token.as_ref().is_some_and(|token| token.is(shown))
    }
}

/// Why nothing can be changed.
const NO_TOKEN: &str = "this node has no token for changes: its log says why, console.token gives it one";

/// Whoever shows the token.
fn administrator() -> Visitor {
    Visitor::known(Principal::Claimed(TOKEN_USER.to_owned()), Some(ConsoleRole::Administer))
}

fn unauthorized(error: &str) -> Refusal {
    (StatusCode::UNAUTHORIZED, error.to_owned())
}

/// Name and password of `BASE64(USER:PASSWORD)`.
fn basic(shown: &[u8]) -> Option<(String, String)> {
    let text = String::from_utf8(STANDARD.decode(shown.trim_ascii()).ok()?).ok()?;
    text.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
}

/// The text of this console's cookie.
fn cookie(headers: &HeaderMap, ends: Ends) -> Option<&str> {
    let name = ends.cookie_name();
    let texts = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut cookies = texts.flat_map(|text| text.split(';')).filter_map(|it| it.trim().split_once('='));
    cookies.find(|(it, _)| *it == name).map(|(_, text)| text)
}
