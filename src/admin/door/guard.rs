//! Who may ask. A page in the operator's browser can have its own name lead to this address, and then ask as if it were
//! the console itself: so a request has to name this console.

use std::net::{IpAddr, SocketAddr};

use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};

/// The ends of a connection.
#[derive(Clone, Copy, Debug)]
pub(in crate::admin) struct Ends {
    /// Where it has come in.
    pub(in crate::admin) at: SocketAddr,
    /// Where it comes from.
    pub(in crate::admin) from: IpAddr,
}

impl Ends {
    /// Name of the cookie of who has logged in here. Several nodes of one host share their cookies, so that each has its own.
    pub(in crate::admin) fn cookie_name(self) -> String {
        format!("quorate-{}", self.at.port())
    }
}

/// Whose requests are answered.
#[derive(Clone, Debug)]
pub(in crate::admin) struct Guard {
    /// Names of this console beside loopback's and the address that a connection has come in at; lower case.
    hosts: Vec<String>,
}

/// Why a request is not answered.
pub(in crate::admin) type Refusal = (StatusCode, String);

impl Guard {
    pub(in crate::admin) fn new(hosts: &[String]) -> Guard {
        Guard { hosts: hosts.iter().map(|host| host.to_ascii_lowercase()).collect() }
    }

    /// Refuses what is not meant for this console, or comes from the page of another.
    pub(in crate::admin) fn admit(&self, request: &Parts) -> Result<(), Refusal> {
        let at = request.extensions.get::<Ends>().map(|ends| ends.at.ip());
        let mut hosts = request.headers.get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return Err((StatusCode::BAD_REQUEST, "expected one Host header".to_owned()));
        };
        let named = [host.to_str().unwrap_or_default()];
        // A target with a host in it counts more than the header, so it has to be right as well.
        for name in named.into_iter().chain(request.uri.authority().map(|it| it.as_str())) {
            if !self.answers_to(name, at) {
                let error = format!(
                    "this console does not answer to the name {name:?}; a name of its own is written into console.hosts"
                );
                return Err((StatusCode::MISDIRECTED_REQUEST, error));
            }
        }
        let foreign = |error: &str| Err((StatusCode::FORBIDDEN, error.to_owned()));
        for origin in request.headers.get_all(ORIGIN) {
            let origin = origin.to_str().unwrap_or_default();
            if !origin.split_once("://").is_some_and(|(_, name)| self.answers_to(name, at)) {
                return foreign("the request comes from the page of another host");
            }
        }
        if request.headers.get_all("sec-fetch-site").iter().any(|site| site == "cross-site") {
            return foreign("the request comes from the page of another site");
        }
        Ok(())
    }

    /// Whether `name`, with or without a port, is a name of this console.
    fn answers_to(&self, name: &str, at: Option<IpAddr>) -> bool {
        let Some(host) = host_of(name) else { return false };
        match host.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
            Ok(ip) => {
                let own = |other: &String| other.parse::<IpAddr>().is_ok_and(|it| it.to_canonical() == ip);
                ip.is_loopback() || at.is_some_and(|at| at.to_canonical() == ip) || self.hosts.iter().any(own)
            }
            Err(_) => host == "localhost" || self.hosts.contains(&host),
        }
    }
}

/// Whether a request, if a browser says where it comes from, comes from a page of the very server that it goes to: another
/// port of the same host is another server.
pub(in crate::admin) fn is_own(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let own = |origin: &HeaderValue| {
        let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        origin.zip(host).is_some_and(|((_, name), host)| name.eq_ignore_ascii_case(host))
    };
    let sites = headers.get_all("sec-fetch-site");
    headers.get_all(ORIGIN).iter().all(own)
        && sites.iter().all(|site| site == "same-origin" || site == "none")
}

/// The host of `host`, `host:port`, `[v6]` or `[v6]:port`, in lower case and without the dot of the root.
fn host_of(name: &str) -> Option<String> {
    let (host, after) = match name.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => name.split_at(name.find(':').unwrap_or(name.len())),
    };
    let port = after.strip_prefix(':');
    if !(after.is_empty() || port.is_some_and(|port| port.parse::<u16>().is_ok())) {
        return None;
    }
    Some(host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()).filter(|host| !host.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_console_answers_to_loopback_to_where_it_was_reached_and_to_the_names_it_was_given() {
        let hosts = ["Broker1.example".to_owned(), "fd00::1".to_owned()];
        let guard = Guard::new(&hosts);
        let at = Some(IpAddr::from([192, 0, 2, 7]));
        for own in [
            "localhost",
            "LOCALHOST:8161",
            "localhost.",
            "127.0.0.1:1",
            "127.9.9.9",
            "[::1]:8161",
            "[::ffff:127.0.0.1]",
            "192.0.2.7:8161",
            "broker1.example:80",
            "[fd00::1]",
        ] {
            assert!(guard.answers_to(own, at), "{own}");
        }
        for foreign in [
            "",
            ":8161",
            "attacker.example",
            "attacker.example:8161",
            "localhost.attacker.example",
            "127.0.0.1.attacker.example",
            "localhost@attacker.example",
            "localhost:8161@attacker.example",
            "localhost:8161.attacker.example",
            "192.0.2.8",
            "broker1.example.org",
            "[::1",
            "[::1]attacker.example",
            "[::2]",
            "0.0.0.0",
            "null",
        ] {
            assert!(!guard.answers_to(foreign, at), "{foreign}");
        }
    }
}
