//! Logins: one verification for each distinct user and password, away from the tasks that serve, and never again while the
//! process lives. After a failover all clients come back at once; what they show is known by then or costs one hash.
//!
//! What was right is remembered as an HMAC under a key that the process draws at its start, so that no password stays in
//! memory. Who has failed waits before the next try, except for what is remembered.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use tokio::sync::{OnceCell, Semaphore};

use crate::env::random_u128;

use super::account::Account;
use super::hash::Hash;
use super::password::{Password, are_sound};
use super::throttle::Throttle;
use super::users::Users;

/// Hashes that are worked off at one time: each takes a processor and tens of MiB.
const VERIFICATIONS_MAX: usize = 2;
/// Right logins that are remembered, one for each user and password.
const REMEMBERED_MAX: usize = 65_536;

type Tag = [u8; 32];

/// Why somebody is not let in. It never says which part was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// Nothing was shown.
    #[error("User name and password are required")]
    Missing,
    /// What was shown is not right.
    #[error("User name or password is invalid")]
    Invalid,
}

/// What a client shows.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// Its address, for the throttle: without a port.
    pub address: &'a str,
    /// The user's name; empty for none.
    pub user: &'a str,
    /// The password; empty for none.
    pub password: &'a Password,
    /// The subject of a certificate that was verified.
    pub certificate: Option<&'a str>,
    /// Whether who shows nothing is let in.
    pub allow_anonymous: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Logins {
    users: Users,
    key: hmac::Key,
    places: Arc<Semaphore>,
    under_way: Mutex<HashMap<Tag, Arc<OnceCell<bool>>>>,
    remembered: Mutex<HashSet<Tag>>,
    throttle: Mutex<Throttle>,
}

impl Logins {
    /// Logins of these users.
    pub fn new(users: Users) -> Logins {
        let key = [random_u128().to_le_bytes(), random_u128().to_le_bytes()].concat();
        Logins {
            users,
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
            places: Arc::new(Semaphore::new(VERIFICATIONS_MAX)),
            under_way: Mutex::default(),
            remembered: Mutex::default(),
            throttle: Mutex::default(),
        }
    }

    /// Who that is. Takes no time for what was right before; else a hash's, and some seconds after failures. Cancel-safe:
    /// others that wait for the same verification go on with it.
    ///
    /// # Errors
    /// [`LoginError`]: the caller tells the client and ends the connection.
    pub async fn identify(&self, login: Login<'_>) -> Result<Arc<Account>, LoginError> {
        let Login { address, user, password, certificate, allow_anonymous } = login;
        if user.is_empty() && password.is_empty() {
            if let Some(account) = certificate.and_then(|subject| self.users.certified(subject)) {
                return Ok(account);
            }
            return if allow_anonymous { Ok(self.users.anonymous()) } else { Err(LoginError::Missing) };
        }
        let keys = [format!("address {address}"), format!("user {}", bounded(user))];
        if !are_sound(user, password) {
            self.wait(&keys).await;
            lock(&self.throttle).failed(&keys[..1], Instant::now());
            return Err(LoginError::Invalid);
        }
        let known = self.users.named(user);
        let tag = self.tag(user, password);
        if let Some((_, account)) = &known
            && lock(&self.remembered).contains(&tag)
        {
            return Ok(Arc::clone(account));
        }
        self.wait(&keys).await;
        let hash = known.as_ref().and_then(|(hash, _)| hash.clone());
        let right = self.verify(tag, hash, password).await;
        match known {
            Some((Some(_), account)) if right => {
                lock(&self.throttle).succeeded(&keys);
                self.remember(tag);
                Ok(account)
            }
            _ => {
                lock(&self.throttle).failed(&keys, Instant::now());
                Err(LoginError::Invalid)
            }
        }
    }

    /// Waits as long as earlier failures make this one wait.
    async fn wait(&self, keys: &[String]) {
        let delay = lock(&self.throttle).delay(keys, Instant::now());
        if delay > Duration::ZERO {
            tokio::time::sleep(delay).await;
        }
    }

    /// Verifies once for all that ask the same at the same time.
    async fn verify(&self, tag: Tag, hash: Option<Hash>, password: &Password) -> bool {
        let cell = Arc::clone(lock(&self.under_way).entry(tag).or_default());
        let right = *cell
            .get_or_init(|| async {
                let hash = hash.unwrap_or_else(Hash::nobody);
                let password = password.clone();
                let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return false };
                // The place is free when the hash is done, not when nobody waits for it any more.
                let verified = tokio::task::spawn_blocking(move || {
                    let right = hash.is_of(&password);
                    drop(place);
                    right
                });
                verified.await.unwrap_or(false)
            })
            .await;
        let mut under_way = lock(&self.under_way);
        if under_way.get(&tag).is_some_and(|it| Arc::ptr_eq(it, &cell)) {
            under_way.remove(&tag);
        }
        // What connections that ended have left behind.
        under_way.retain(|_, it| Arc::strong_count(it) > 1);
        right
    }

    fn remember(&self, tag: Tag) {
        let mut remembered = lock(&self.remembered);
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(tag);
    }

    fn tag(&self, user: &str, password: &Password) -> Tag {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&(user.len() as u64).to_le_bytes());
        context.update(user.as_bytes());
        context.update(password.bytes());
        let mut tag = Tag::default();
        tag.copy_from_slice(context.sign().as_ref());
        tag
    }
}

/// The beginning of a name that a stranger has chosen.
fn bounded(user: &str) -> &str {
    &user[..user.floor_char_boundary(super::password::USER_BYTES_MAX)]
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::super::{Rights, User};
    use super::*;

    fn logins() -> Logins {
        let hash = Hash::make(&Password::new("right".to_owned())).unwrap();
        let hash = Some(Hash::parse(&hash, false).unwrap());
        let groups = vec!["staff".to_owned()];
        let known = User { name: "known".to_owned(), hash, certificate: None, groups: groups.clone() };
        let certificate = Some("CN=robot".to_owned());
        let robot = User { name: "robot".to_owned(), hash: None, certificate, groups };
        Logins::new(Users::new(&[known, robot], &Rights::default()))
    }

    /// What failures of that user from that address count under.
    fn keys() -> [String; 2] {
        ["address 192.0.2.1".to_owned(), "user known".to_owned()]
    }

    async fn ask(logins: &Logins, user: &str, password: &str) -> Result<String, LoginError> {
        let password = Password::new(password.to_owned());
        let login = Login {
            address: "192.0.2.1",
            user,
            password: &password,
            certificate: None,
            allow_anonymous: false,
        };
        logins.identify(login).await.map(|account| account.name().to_owned())
    }

    #[tokio::test]
    async fn the_right_password_comes_in_and_every_other_gets_one_answer() {
        let logins = logins();
        assert_eq!(ask(&logins, "known", "right").await.as_deref(), Ok("known"));
        let long = "x".repeat(2000);
        for (user, password) in [
            ("known", "wrong"),
            ("nobody", "right"),
            ("robot", "right"),
            ("known", ""),
            ("", "right"),
            ("known", "right\0"),
            ("known\0", "right"),
            (&long, "right"),
            ("known", &long),
            ("Known", "right"),
        ] {
            // What failed before would make this one wait.
            *lock(&logins.throttle) = Throttle::default();
            assert_eq!(ask(&logins, user, password).await, Err(LoginError::Invalid), "{user:?} {password:?}");
        }
        assert_eq!(ask(&logins, "", "").await, Err(LoginError::Missing));
    }

    #[tokio::test]
    async fn what_was_right_before_never_waits_and_is_not_hashed_again() {
        let logins = logins();
        ask(&logins, "known", "right").await.unwrap();
        for _ in 0..20 {
            lock(&logins.throttle).failed(&keys(), Instant::now());
        }
        // Nobody could hash now.
        let _places = logins.places.acquire_many(VERIFICATIONS_MAX as u32).await.unwrap();
        assert_eq!(ask(&logins, "known", "right").now_or_never().unwrap().as_deref(), Ok("known"));
        assert!(ask(&logins, "known", "wrong").now_or_never().is_none());
    }

    #[tokio::test]
    async fn failures_make_the_next_one_wait_until_one_is_right() {
        let logins = logins();
        ask(&logins, "known", "wrong").await.unwrap_err();
        for key in keys() {
            assert!(lock(&logins.throttle).delay(&[key], Instant::now()) > Duration::ZERO);
        }
        assert_eq!(ask(&logins, "known", "right").await.as_deref(), Ok("known"));
        assert_eq!(lock(&logins.throttle).delay(&keys(), Instant::now()), Duration::ZERO);
    }

    #[tokio::test]
    async fn those_who_show_the_same_at_the_same_time_share_one_hash() {
        let logins = Arc::new(logins());
        let places = logins.places.clone().acquire_many_owned(VERIFICATIONS_MAX as u32).await.unwrap();
        let asks = (0..50).map(|_| {
            let logins = Arc::clone(&logins);
            tokio::spawn(async move { ask(&logins, "known", "right").await })
        });
        let asks: Vec<_> = asks.collect();
        // All of them wait for the one cell: the map's, and theirs.
        let waiting =
            |logins: &Logins| lock(&logins.under_way).values().map(Arc::strong_count).sum::<usize>();
        while waiting(&logins) < 51 {
            tokio::task::yield_now().await;
        }
        assert_eq!(lock(&logins.under_way).len(), 1);
        asks[0].abort();
        drop(places);
        for ask in asks.into_iter().skip(1) {
            assert!(ask.await.unwrap().is_ok());
        }
        assert!(lock(&logins.under_way).is_empty());
    }

    #[tokio::test]
    async fn a_certificate_stands_for_its_user_and_a_password_beside_it_counts_first() {
        let logins = logins();
        let with = |user, password, subject| Login {
            address: "",
            user,
            password,
            certificate: Some(subject),
            allow_anonymous: false,
        };
        let (none, wrong) = (Password::default(), Password::new("wrong".to_owned()));
        let account = logins.identify(with("", &none, "CN=robot")).await.unwrap();
        assert_eq!((account.name(), account.groups()), ("robot", &["staff".to_owned()][..]));
        assert_eq!(logins.identify(with("", &none, "CN=other")).await, Err(LoginError::Missing));
        assert_eq!(logins.identify(with("known", &wrong, "CN=robot")).await, Err(LoginError::Invalid));
        let anonymous = Login { allow_anonymous: true, certificate: None, ..with("", &none, "") };
        assert_eq!(logins.identify(anonymous).await.unwrap().name(), "anonymous");
        let wrong = Login { allow_anonymous: true, ..with("known", &wrong, "") };
        assert_eq!(logins.identify(wrong).await, Err(LoginError::Invalid), "a wrong login is not anonymous");
    }
}
