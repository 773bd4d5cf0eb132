//! URIs as ActiveMQ writes them: `scheme://host:port?option=value&option=value`.

/// A URI taken apart. Nothing is decoded: no option of ours needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct Uri {
    pub scheme: String,
    /// Without brackets.
    pub host: String,
    pub port: Option<u16>,
    pub options: Vec<(String, String)>,
}

impl Uri {
    pub(in crate::config) fn parse(text: &str) -> Result<Uri, String> {
        let text = text.trim();
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(match text.split_once(':') {
                Some((scheme, rest)) if !scheme.is_empty() && rest.parse::<u16>().is_err() => {
                    format!("{text:?} lacks \"//\"; write \"{scheme}://{}\"", rest.trim_start_matches('/'))
                }
                _ => format!("{text:?} is no URI; expected scheme://host:port"),
            });
        };
        if scheme.is_empty() || !scheme.chars().all(|c| c.is_ascii_alphanumeric() || c == '+') {
            return Err(format!("{scheme:?} is no scheme; expected scheme://host:port"));
        }
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        let address = address.strip_suffix('/').unwrap_or(address);
        let (host, port) = host_port(address)?;
        Ok(Uri { scheme: scheme.to_ascii_lowercase(), host, port, options: options(query)? })
    }
}

/// Takes `host`, `host:port` or `[v6]:port` apart.
///
/// # Errors
/// Says what was expected.
pub fn host_port(text: &str) -> Result<(String, Option<u16>), String> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let Some((host, after)) = rest.split_once(']') else {
                return Err(format!("{text:?} has no closing bracket; expected [address]:port"));
            };
            if host.parse::<std::net::Ipv6Addr>().is_err() {
                return Err(format!("{host:?} is no IPv6 address"));
            }
            (host, after.strip_prefix(':'))
        }
        None => match text.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return Err(format!("{text:?} has too many colons; IPv6 addresses stand in brackets"));
            }
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    if host.is_empty() {
        return Err(format!("{text:?} has no host; expected host:port"));
    }
    if !host.chars().all(|c| c.is_ascii_alphanumeric() || "-._:%".contains(c)) {
        return Err(format!("{host:?} is no host name"));
    }
    let port = match port {
        Some(port) => {
            Some(port.parse::<u16>().map_err(|_| format!("{port:?} is no port; expected 0 to 65535"))?)
        }
        None => None,
    };
    Ok((host.to_owned(), port))
}

/// `a=1&b=2`.
pub(in crate::config) fn options(query: &str) -> Result<Vec<(String, String)>, String> {
    if query.contains("&amp;") {
        return Err("\"&amp;\" is XML; write \"&\" between options".to_owned());
    }
    let mut options: Vec<(String, String)> = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let Some((name, value)) = part.split_once('=') else {
            return Err(format!("option {part:?} has no value; expected name=value"));
        };
        if options.iter().any(|(other, _)| other == name) {
            return Err(format!("option {name:?} is given twice"));
        }
        options.push((name.to_owned(), value.to_owned()));
    }
    Ok(options)
}
