//! Looks up the addresses of hosts. A name is looked up once at a time, however many wait for it, and a look-up goes on
//! when nobody waits any more: whoever asks again joins it, so that slow name servers make nothing impossible.
//!
//! The last good answer is kept, and serves while the name servers are slow or gone (as in RFC 8767).

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::timeout;

/// How long a new answer is waited for where an earlier one is at hand.
const NEW_ANSWER_WAIT: Duration = Duration::from_millis(250);
/// How long an answer may serve in the place of new ones.
const KEPT_TIME_MAX: Duration = Duration::from_secs(24 * 3600);
/// A look-up that takes longer is slow.
const SLOW: Duration = Duration::from_secs(1);
/// How long the trouble that a look-up had is told afterwards, when the name is not looked up again.
const TROUBLE_TOLD: Duration = Duration::from_secs(600);
/// Names that are known at one time.
const NAMES_MAX: usize = 64;
/// Look-ups under way at one time; each takes a thread, for as long as the system's resolver wants.
const LOOK_UPS_MAX: usize = 16;

/// How a name is looked up; it may block.
type Resolver = fn(&str) -> io::Result<Vec<IpAddr>>;
type Answer = Result<Vec<IpAddr>, String>;
/// Where the answer of a look-up will be.
type Answers = watch::Receiver<Option<Answer>>;

/// Names and what is known of them; clones share it.
#[derive(Clone)]
pub struct Names(Arc<Shared>);

struct Shared {
    resolver: Resolver,
    table: Mutex<HashMap<String, Name>>,
}

/// What is known of a name.
#[derive(Default)]
struct Name {
    /// When the look-up under way began, and where its answer will be.
    under_way: Option<(Instant, Answers)>,
    /// The last good answer, and when it came.
    kept: Option<(Instant, Vec<IpAddr>)>,
    trouble: Option<(Instant, Trouble)>,
}

/// What is wrong with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Trouble {
    /// Its last look-up took so long.
    Slow(Duration),
    /// It could not be looked up.
    Broken(String),
}

impl Trouble {
    /// Whether to tell one after the other would be news.
    fn is_like(&self, other: &Trouble) -> bool {
        match (self, other) {
            (Trouble::Slow(_), Trouble::Slow(_)) => true,
            (one, other) => one == other,
        }
    }

    fn told_of(&self, host: &str) -> String {
        match self {
            Trouble::Slow(took) => format!(
                "the name servers are slow: looking up {host} takes {:.1} s or more (see /etc/resolv.conf)",
                took.as_secs_f64()
            ),
            Trouble::Broken(reason) => format!("{host} cannot be looked up: {reason}"),
        }
    }
}

impl Default for Names {
    fn default() -> Names {
        Names::with(|host| Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect()))
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").finish_non_exhaustive()
    }
}

impl Names {
    /// Names that are looked up by `resolver`, which may block.
    pub(crate) fn with(resolver: Resolver) -> Names {
        Names(Arc::new(Shared { resolver, table: Mutex::default() }))
    }

    /// The addresses of a host in the order of preference, waiting `patience` for them at most. An IP address is its
    /// own. Cancel-safe: the look-up goes on.
    ///
    /// # Errors
    /// Says why there is no address, for people. Asked again, it may have one.
    pub async fn look_up(&self, host: &str, patience: Duration) -> Result<Vec<IpAddr>, String> {
        if let Ok(address) = host.trim_matches(['[', ']']).parse() {
            return Ok(vec![address]);
        }
        let (answer, kept) = self.0.begin(host)?;
        let wait = if kept.is_some() { NEW_ANSWER_WAIT } else { patience };
        match self.0.await_answer(host, answer, wait).await {
            Some(Ok(addresses)) => Ok(addresses),
            Some(Err(reason)) => kept.ok_or_else(|| Trouble::Broken(reason).told_of(host)),
            None => kept.ok_or_else(|| format!("looking up {host} takes more than {} s", wait.as_secs_f64())),
        }
    }

    /// What is wrong with names now, or was when they were looked up last, for people.
    pub fn troubles(&self) -> Vec<String> {
        let table = self.0.table();
        let told = |(host, name): (&String, &Name)| {
            let since = name.under_way.as_ref().map(|(since, _)| since.elapsed());
            match (since, &name.trouble) {
                (Some(since), None | Some((_, Trouble::Slow(_)))) if since > SLOW => {
                    Some(Trouble::Slow(since).told_of(host))
                }
                (_, Some((at, trouble))) if at.elapsed() < TROUBLE_TOLD => Some(trouble.told_of(host)),
                _ => None,
            }
        };
        let mut all: Vec<String> = table.iter().filter_map(told).collect();
        all.sort_unstable();
        all
    }
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, HashMap<String, Name>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins the look-up that is under way, or begins one; with it the addresses that serve in its place.
    fn begin(self: &Arc<Shared>, host: &str) -> Result<(Answers, Option<Vec<IpAddr>>), String> {
        let mut table = self.table();
        if !table.contains_key(host) {
            make_room(&mut table);
        }
        let others = table.values().filter(|name| name.under_way.is_some()).count();
        let name = table.entry(host.to_owned()).or_default();
        let kept =
            name.kept.as_ref().filter(|(at, _)| at.elapsed() < KEPT_TIME_MAX).map(|(_, all)| all.clone());
        if let Some((_, answer)) = &name.under_way {
            return Ok((answer.clone(), kept));
        }
        if others >= LOOK_UPS_MAX {
            return Err(format!("{host} is not looked up: {others} other look-ups have not ended yet"));
        }
        let (sender, answer) = watch::channel(None);
        let begun = Instant::now();
        let (shared, asked) = (Arc::clone(self), host.to_owned());
        let work = move || {
            let answer = (shared.resolver)(&asked)
                .map_err(|error| error.to_string())
                .and_then(|all| if all.is_empty() { Err("it has no address".to_owned()) } else { Ok(all) });
            shared.end(&asked, &answer, begun.elapsed());
            // Whoever waited may have gone.
            let _ = sender.send(Some(answer));
        };
        // A thread of its own: those of the runtime are few, and would hold up the end of the process.
        let started = thread::Builder::new().name("look-up".to_owned()).spawn(work);
        started.map_err(|error| format!("{host} cannot be looked up: {error}"))?;
        name.under_way = Some((begun, answer.clone()));
        Ok((answer, kept))
    }

    /// `None` when the answer has not come in time.
    async fn await_answer(&self, host: &str, mut answer: Answers, wait: Duration) -> Option<Answer> {
        let soon =
            timeout(wait.min(SLOW), answer.wait_for(Option::is_some)).await.map(|it| it.map(|it| it.clone()));
        let came = match soon {
            Ok(came) => came,
            Err(_) if wait <= SLOW => return None,
            Err(_) => {
                self.note(host, Some(Trouble::Slow(SLOW)));
                let later = timeout(wait - SLOW, answer.wait_for(Option::is_some)).await.ok()?;
                later.map(|it| it.clone())
            }
        };
        // Without its sender the look-up has failed in a way of its own.
        Some(came.ok().flatten().unwrap_or_else(|| Err("the look-up has failed".to_owned())))
    }

    /// Keeps what a look-up has found.
    fn end(&self, host: &str, answer: &Answer, took: Duration) {
        let trouble = match answer {
            Ok(_) if took < SLOW => None,
            Ok(_) => Some(Trouble::Slow(took)),
            Err(reason) => Some(Trouble::Broken(reason.clone())),
        };
        self.note(host, trouble);
        if let Some(name) = self.table().get_mut(host) {
            name.under_way = None;
            if let Ok(addresses) = answer {
                name.kept = Some((Instant::now(), addresses.clone()));
            }
        }
    }

    /// Says what is wrong with a name when that is news.
    fn note(&self, host: &str, trouble: Option<Trouble>) {
        let mut table = self.table();
        let Some(name) = table.get_mut(host) else { return };
        let before = std::mem::replace(&mut name.trouble, trouble.clone().map(|it| (Instant::now(), it)));
        drop(table);
        match (before, trouble) {
            (None, None) => {}
            (Some(_), None) => tracing::info!("{host} is looked up without trouble again"),
            (Some((_, before)), Some(now)) if before.is_like(&now) => {}
            (_, Some(now)) => tracing::warn!("{}", now.told_of(host)),
        }
    }
}

/// Forgets the name that was looked up longest ago when there are too many.
fn make_room(table: &mut HashMap<String, Name>) {
    if table.len() < NAMES_MAX {
        return;
    }
    let at = |name: &Name| name.kept.as_ref().map(|(at, _)| *at);
    let idle = table.iter().filter(|(_, name)| name.under_way.is_none());
    if let Some(oldest) = idle.min_by_key(|(_, name)| at(name)).map(|(host, _)| host.clone()) {
        table.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::sync::{Condvar, LazyLock};

    use super::*;

    const LONG: Duration = Duration::from_secs(60);
    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 1));
    const TWO: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2));

    /// Holds look-ups back until it is opened.
    #[derive(Default)]
    struct Gate(Mutex<bool>, Condvar);

    impl Gate {
        fn pass(&self) {
            let open = self.0.lock().unwrap();
            drop(self.1.wait_while(open, |open| !*open).unwrap());
        }

        fn open(&self) {
            *self.0.lock().unwrap() = true;
            self.1.notify_all();
        }
    }

    #[tokio::test]
    async fn an_address_is_its_own_and_what_is_unknown_says_so() {
        let names = Names::with(|_| Err(io::Error::other("unknown")));
        assert_eq!(names.look_up("127.0.0.1", LONG).await, Ok(vec![ONE]));
        assert_eq!(names.look_up("[::1]", LONG).await.unwrap().len(), 1);
        let error = names.look_up("nowhere.test", LONG).await.unwrap_err();
        assert!(error.contains("nowhere.test") && error.contains("unknown"), "{error}");
        assert_eq!(names.troubles(), [error]);
    }

    #[tokio::test]
    async fn a_slow_look_up_goes_on_and_whoever_asks_again_joins_it() {
        static GATE: LazyLock<Gate> = LazyLock::new(Gate::default);
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let names = Names::with(|_| {
            COUNT.fetch_add(1, SeqCst);
            GATE.pass();
            Ok(vec![ONE])
        });
        for _ in 0..3 {
            let error = names.look_up("slow.test", Duration::from_millis(1)).await.unwrap_err();
            assert!(error.contains("slow.test"), "{error}");
        }
        // The look-up has been joined by the time that it may end.
        let (found, ()) = tokio::join!(names.look_up("slow.test", LONG), async { GATE.open() });
        assert_eq!((found, COUNT.load(SeqCst)), (Ok(vec![ONE]), 1));
    }

    #[tokio::test]
    async fn an_earlier_answer_serves_while_the_name_servers_are_slow_or_broken_and_a_new_one_takes_its_place()
     {
        static GATE: LazyLock<Gate> = LazyLock::new(Gate::default);
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let names = Names::with(|_| match COUNT.fetch_add(1, SeqCst) {
            0 => Ok(vec![ONE]),
            1 => Err(io::Error::other("the name server is away")),
            2 => {
                GATE.pass();
                Ok(vec![TWO])
            }
            _ => Ok(vec![TWO]),
        });
        for expected in 1..=3 {
            assert_eq!(names.look_up("moves.test", LONG).await, Ok(vec![ONE]));
            assert_eq!(COUNT.load(SeqCst), expected);
            assert_eq!(names.troubles().len(), usize::from(expected > 1));
        }
        GATE.open();
        assert_eq!(
            names.0.begin("moves.test").unwrap().0.wait_for(Option::is_some).await.unwrap().clone(),
            Some(Ok(vec![TWO]))
        );
        assert_eq!(names.look_up("moves.test", LONG).await, Ok(vec![TWO]));
    }

    #[tokio::test]
    async fn look_ups_and_names_are_bounded() {
        static GATE: LazyLock<Gate> = LazyLock::new(Gate::default);
        let names = Names::with(|_| {
            GATE.pass();
            Ok(vec![ONE])
        });
        for n in 0..LOOK_UPS_MAX {
            names.look_up(&format!("{n}.test"), Duration::ZERO).await.unwrap_err();
        }
        let refused = names.look_up("more.test", LONG).await.unwrap_err();
        assert!(refused.contains("not looked up"), "{refused}");
        GATE.open();
        for n in 0..2 * NAMES_MAX {
            // Those that the gate held back end in their own time.
            while names.look_up(&format!("{n}.test"), LONG).await.is_err() {}
        }
        assert!(names.0.table().len() <= NAMES_MAX);
    }
}
