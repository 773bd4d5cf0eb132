//! Variables that Kubernetes and Docker put into a container for each Service beside it: nobody's configuration, although a
//! Service called `quorate-store` gives them names like those of our keys.

use std::net::IpAddr;

const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];

/// Whether a variable has a name and a value as they are made for a Service, such as `QUORATE_SERVICE_HOST=10.0.0.1` and
/// `QUORATE_STORE_PORT_62621_TCP=tcp://10.0.0.1:62621`. Somebody's guess at a key has another value.
pub(super) fn is_made_for_a_service(name: &str, value: &str) -> bool {
    if name.ends_with("_SERVICE_HOST") {
        return value.parse::<IpAddr>().is_ok();
    }
    if name.ends_with("_SERVICE_PORT") || name.contains("_SERVICE_PORT_") {
        return value.parse::<u16>().is_ok();
    }
    if name.ends_with("_PORT") && is_link(value) {
        return true;
    }
    let detail = ["_PROTO", "_PORT", "_ADDR"].iter().find_map(|end| Some((name.strip_suffix(end)?, *end)));
    let Some((stem, end)) = detail else { return is_port_of_a_service(name) && is_link(value) };
    is_port_of_a_service(stem)
        && match end {
            "_PROTO" => PROTOCOLS.iter().any(|protocol| protocol.eq_ignore_ascii_case(value)),
            "_PORT" => value.parse::<u16>().is_ok(),
            _ => value.parse::<IpAddr>().is_ok(),
        }
}

/// `NAME_PORT_61613_TCP`.
fn is_port_of_a_service(name: &str) -> bool {
    let mut parts = name.rsplit('_');
    parts.next().is_some_and(|protocol| PROTOCOLS.contains(&protocol))
        && parts.next().is_some_and(|port| port.parse::<u16>().is_ok())
        && parts.next() == Some("PORT")
        && parts.next().is_some()
}

/// `tcp://10.0.0.1:61613`.
fn is_link(value: &str) -> bool {
    PROTOCOLS.iter().any(|protocol| {
        value.split_once("://").is_some_and(|(scheme, rest)| {
            scheme.eq_ignore_ascii_case(protocol)
                && rest.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_for_services_is_told_from_a_guess_at_a_key() {
        for section in ["", "_BROKER", "_STORE", "_STORE_REPLICATED", "_CONSOLE", "_LOG", "_SYSTEM_USAGE"] {
            for (end, value) in [
                ("SERVICE_HOST", "10.96.33.7"),
                ("SERVICE_HOST", "fd00::7"),
                ("SERVICE_PORT", "8161"),
                ("SERVICE_PORT_HTTP", "8161"),
                ("PORT", "tcp://10.96.33.7:8161"),
                ("PORT_8161_TCP", "tcp://10.96.33.7:8161"),
                ("PORT_8161_TCP", "tcp://[fd00::7]:8161"),
                ("PORT_8161_TCP_PROTO", "tcp"),
                ("PORT_8161_TCP_PORT", "8161"),
                ("PORT_8161_TCP_ADDR", "10.96.33.7"),
                ("PORT_53_UDP_PROTO", "udp"),
            ] {
                let name = format!("QUORATE{section}_{end}");
                assert!(is_made_for_a_service(&name, value), "{name}={value}");
            }
        }
        for (name, value) in [
            ("QUORATE_CONSOLE_PORT", "8162"),
            ("QUORATE_CONSOLE_SERVICE_HOST", "no address"),
            ("QUORATE_STORE_REPLICATED_PORT", "62621"),
            ("QUORATE_STORE_KNID", "tcp://10.0.0.1:1"),
            ("QUORATE_STORE_REPLICATED_ZK_ADDR", "10.0.0.1"),
            ("QUORATE_LOG_TCP", "tcp://10.0.0.1:1"),
        ] {
            assert!(!is_made_for_a_service(name, value), "{name}={value}");
        }
    }
}
