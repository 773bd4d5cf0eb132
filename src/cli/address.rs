//! Addresses of brokers and consoles, as people write them; what can be none is refused before the first attempt.

use crate::config::parse_host_port;

/// Brokers to try in turn, each `host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Brokers(pub Vec<String>);

const EXPECTED: &str = "expected host:port such as 127.0.0.1:61613, several with commas between";
/// Schemes of the transport that this client speaks.
const SCHEMES: [&str; 4] = ["tcp", "stomp", "nio", "stomp+nio"];

/// A list, or the failover transport around one.
pub(super) fn brokers(text: &str) -> Result<Brokers, String> {
    let text = text.trim();
    let text = text.strip_prefix("failover:").map_or(text, |rest| rest.strip_prefix("//").unwrap_or(rest));
    let list = match text.strip_prefix('(') {
        Some(rest) => rest.split(')').next().unwrap_or_default(),
        None => text,
    };
    let parts = list.split(',').map(str::trim).filter(|part| !part.is_empty());
    let brokers = parts.map(broker).collect::<Result<Vec<String>, String>>()?;
    if brokers.is_empty() {
        return Err(format!("no address; {EXPECTED}"));
    }
    Ok(Brokers(brokers))
}

/// The console of a node, `host:port`.
pub(super) fn console(text: &str) -> Result<String, String> {
    const EXPECTED: &str = "expected host:port such as 127.0.0.1:8161";
    let bare = text.trim().strip_prefix("http://").unwrap_or(text.trim());
    if bare.contains("://") {
        return Err(format!("{text:?} is no console; {EXPECTED}"));
    }
    host_and_port(text, bare, EXPECTED)
}

fn broker(text: &str) -> Result<String, String> {
    let bare = match text.split_once("://") {
        None => text,
        Some((scheme, rest)) if SCHEMES.contains(&scheme) => rest,
        Some((scheme, _)) if scheme.contains("ssl") || scheme == "wss" => {
            return Err(format!("{text:?}: TLS is not served by this version; {EXPECTED}"));
        }
        Some((scheme, _)) => return Err(format!("{text:?}: unknown scheme {scheme:?}; {EXPECTED}")),
    };
    // Options of the transport change nothing here.
    host_and_port(text, bare.split('?').next().unwrap_or_default(), EXPECTED)
}

fn host_and_port(text: &str, bare: &str, expected: &str) -> Result<String, String> {
    match parse_host_port(bare.strip_suffix('/').unwrap_or(bare))? {
        (_, None) => Err(format!("{text:?} has no port; {expected}")),
        (_, Some(0)) => Err(format!("{text:?}: nobody listens on port 0; {expected}")),
        (host, Some(port)) if host.contains(':') => Ok(format!("[{host}]:{port}")),
        (host, Some(port)) => Ok(format!("{host}:{port}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_failover_are_understood() {
        for text in [
            "a:1,b:2",
            "tcp://a:1,stomp://b:2",
            "failover:(tcp://a:1,tcp://b:2)?randomize=false",
            "failover://(tcp://a:1?soTimeout=1, tcp://b:2/)",
        ] {
            assert_eq!(brokers(text), Ok(Brokers(vec!["a:1".to_owned(), "b:2".to_owned()])), "{text}");
        }
        assert_eq!(brokers("[::1]:61613"), Ok(Brokers(vec!["[::1]:61613".to_owned()])));
    }

    #[test]
    fn what_can_be_no_address_is_refused_with_the_right_form() {
        for (text, told) in [
            ("127.0.0.1", "has no port"),
            ("tcp://broker", "has no port"),
            ("a:61613,b", "has no port"),
            ("a:0", "port 0"),
            ("a:616130", "is no port"),
            ("a:stomp", "is no port"),
            ("::1:61613", "too many colons"),
            ("ssl://a:61617", "TLS"),
            ("http://a:8161", "unknown scheme"),
            (":61613", "no host"),
            ("failover:()", "no address"),
            ("", "no address"),
        ] {
            let refused = brokers(text).unwrap_err();
            assert!(refused.contains(told), "{text:?}: {refused}");
        }
    }

    #[test]
    fn a_console_is_a_host_and_a_port() {
        for text in ["node1:8161", "http://node1:8161", "http://node1:8161/"] {
            assert_eq!(console(text), Ok("node1:8161".to_owned()), "{text}");
        }
        for text in ["node1", "http://node1/", "node1:0", "tcp://node1:8161", ""] {
            assert!(console(text).unwrap_err().contains("host:port"), "{text}");
        }
    }
}
