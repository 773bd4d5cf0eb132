//! Which brokers to try, as people write it; what can be no address is refused before the first attempt.

use crate::config::parse_host_port;

/// Brokers to try in turn, each `host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Addresses(pub Vec<String>);

const EXPECTED: &str = "expected host:port such as 127.0.0.1:61613, several with commas between";
/// Schemes of the transport that this client speaks.
const SCHEMES: [&str; 4] = ["tcp", "stomp", "nio", "stomp+nio"];

/// A list, or the failover transport around one.
pub(super) fn addresses(text: &str) -> Result<Addresses, String> {
    let text = text.trim();
    let text = text.strip_prefix("failover:").map_or(text, |rest| rest.strip_prefix("//").unwrap_or(rest));
    let list = match text.strip_prefix('(') {
        Some(rest) => rest.split(')').next().unwrap_or_default(),
        None => text,
    };
    let parts = list.split(',').map(str::trim).filter(|part| !part.is_empty());
    let addresses = parts.map(address).collect::<Result<Vec<String>, String>>()?;
    if addresses.is_empty() {
        return Err(format!("no address; {EXPECTED}"));
    }
    Ok(Addresses(addresses))
}

fn address(text: &str) -> Result<String, String> {
    let bare = match text.split_once("://") {
        None => text,
        Some((scheme, rest)) if SCHEMES.contains(&scheme) => rest,
        Some((scheme, _)) if scheme.contains("ssl") || scheme == "wss" => {
            return Err(format!("{text:?}: TLS is not served by this version; {EXPECTED}"));
        }
        Some((scheme, _)) => return Err(format!("{text:?}: unknown scheme {scheme:?}; {EXPECTED}")),
    };
    // Options of the transport change nothing here.
    let bare = bare.split('?').next().unwrap_or_default();
    match parse_host_port(bare.strip_suffix('/').unwrap_or(bare))? {
        (_, None) => Err(format!("{text:?} has no port; {EXPECTED}")),
        (_, Some(0)) => Err(format!("{text:?}: nobody listens on port 0; {EXPECTED}")),
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
            assert_eq!(addresses(text), Ok(Addresses(vec!["a:1".to_owned(), "b:2".to_owned()])), "{text}");
        }
        assert_eq!(addresses("[::1]:61613"), Ok(Addresses(vec!["[::1]:61613".to_owned()])));
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
            let refused = addresses(text).unwrap_err();
            assert!(refused.contains(told), "{text:?}: {refused}");
        }
    }
}
