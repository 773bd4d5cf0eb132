//! Where the servers of the ensemble are. The ZooKeeper client has one limit over look-up and connection, which slow
//! name servers exceed each time: so it is given addresses.

use std::net::SocketAddr;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, timeout_at};

use crate::env::{DialError, Names, connect_any, resolve};

/// How long the servers' names are waited for in one attempt; the next one joins look-ups that go on.
const LOOK_UP_TIME_MAX: Duration = Duration::from_secs(30);
/// How much longer the names of the other servers may take once one is known.
const OTHERS_WAIT: Duration = Duration::from_millis(250);
/// How long each address of a server may take to accept, where it has several.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(2);

/// The servers of `ensemble` (`host:port`, comma separated) with an address in the place of each name that has one.
/// Cancel-safe.
///
/// # Errors
/// No name has an address; says why.
pub(super) async fn locate(names: &Names, ensemble: &str) -> Result<String, String> {
    let servers: Vec<&str> = ensemble.split(',').map(str::trim).collect();
    let mut located: Vec<Option<SocketAddr>> = vec![None; servers.len()];
    let mut look_ups: FuturesUnordered<_> = servers
        .iter()
        .enumerate()
        .map(|(number, server)| async move { (number, find(names, server).await) })
        .collect();
    let (mut until, mut failed) = (Instant::now() + LOOK_UP_TIME_MAX, None);
    while let Ok(Some((number, found))) = timeout_at(until, look_ups.next()).await {
        match found {
            Ok(address) => {
                located[number] = Some(address);
                until = until.min(Instant::now() + OTHERS_WAIT);
            }
            Err(error) => failed = Some(error),
        }
    }
    if located.iter().all(Option::is_none) {
        return Err(failed.map_or_else(|| format!("{ensemble}: no name is known yet"), |it| it.to_string()));
    }
    // The client may still find out by itself what could not be found out here.
    let of =
        |(server, at): (&&str, &Option<SocketAddr>)| at.map_or((*server).to_owned(), |at| at.to_string());
    Ok(servers.iter().zip(&located).map(of).collect::<Vec<_>>().join(","))
}

/// The address of a server that accepts, or its first one.
async fn find(names: &Names, server: &str) -> Result<SocketAddr, DialError> {
    let addresses = resolve(names, server, LOOK_UP_TIME_MAX).await?;
    let first =
        addresses.first().copied().ok_or_else(|| DialError::Name(format!("{server} has no address")))?;
    if addresses.len() == 1 {
        return Ok(first);
    }
    let accepted = connect_any(&addresses, None, CONNECT_TIME_MAX).await.ok();
    Ok(accepted.and_then(|stream| stream.peer_addr().ok()).unwrap_or(first))
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::Ipv4Addr;

    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn servers_are_given_by_address_and_one_that_is_not_known_by_its_name() {
        let names = Names::with(|host| match host {
            "one.test" => Ok(vec![Ipv4Addr::new(127, 0, 0, 1).into()]),
            _ => Err(io::Error::other("unknown")),
        });
        let located = locate(&names, "one.test:2181, 127.0.0.2:2182,two.test:2183").await;
        assert_eq!(located, Ok("127.0.0.1:2181,127.0.0.2:2182,two.test:2183".to_owned()));
        let error = locate(&names, "two.test:2183,three.test:1").await.unwrap_err();
        assert!(error.contains(".test cannot be looked up: unknown"), "{error}");
    }

    #[tokio::test]
    async fn of_several_addresses_of_a_server_the_one_that_accepts_is_given() {
        let names = Names::with(|_| Ok([1, 2, 3].map(|n| Ipv4Addr::new(127, 0, 0, n).into()).to_vec()));
        let listener = TcpListener::bind("127.0.0.3:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        assert_eq!(locate(&names, &format!("zk.test:{}", at.port())).await, Ok(at.to_string()));
    }
}
