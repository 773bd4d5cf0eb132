//! TLS on a connector of the shipped node: certificates of both sides, and clients that speak something else.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use rcgen::{CertificateParams, DnType, Issuer, KeyPair, date_time_ymd};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, NamedGroup, RootCertStore, SupportedProtocolVersion};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::access::Client;
use crate::harness::lone::Lone;
use crate::harness::ports::Ports;

const CONNECT: &str = "CONNECT\naccept-version:1.2\nhost:localhost\n\n";

/// A certificate and its key, in PEM.
#[derive(Clone)]
struct Pair {
    certificate: String,
    key: String,
}

struct Authority {
    own: Pair,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let own = Pair { certificate: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() };
        Authority { own, issuer: Issuer::new(params, key) }
    }

    /// A certificate of this name for localhost, until the end of that year.
    fn issue(&self, name: &str, year: i32) -> Pair {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(year, 12, 31);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Pair { certificate, key: key.serialize_pem() }
    }
}

/// A broker with TLS on a second port, which asks for certificates as `option` says.
struct Broker {
    _lone: Lone,
    _ports: Ports,
    address: SocketAddr,
    authority: Authority,
    directory: tempfile::TempDir,
}

impl Broker {
    async fn start(option: &str) -> Broker {
        let (authority, directory, ports) =
            (Authority::new("ours"), tempfile::tempdir().unwrap(), Ports::take());
        let server = authority.issue("broker", 2100);
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let (certificate, key) = (file("broker.pem", &server.certificate), file("broker.key", &server.key));
        let ca = file("ca.pem", &authority.own.certificate);
        let address = SocketAddr::from(([127, 0, 0, 1], ports.base()));
        let more = format!(
            "[security.tls]\ncertificate = \"{certificate}\"\nkey = \"{key}\"\nca = \"{ca}\"\n\
             [[users]]\nname = \"robot\"\ncertificate = \"CN=robot\"\n\
             [[transport_connector]]\nname = \"tls\"\nuri = \"stomp+ssl://{address}{option}\"\n"
        );
        let lone = Lone::configured("", &more).await;
        let up = || async { std::net::TcpStream::connect(address).ok() };
        crate::harness::eventually("the port is open", std::time::Duration::from_secs(30), up).await;
        Broker { _lone: lone, _ports: ports, address, authority, directory }
    }

    async fn dial(
        &self,
        own: Option<&Pair>,
        version: &'static SupportedProtocolVersion,
    ) -> std::io::Result<Client<TlsStream<TcpStream>>> {
        let mut roots = RootCertStore::empty();
        let ca = self.authority.own.certificate.as_bytes();
        roots.add(CertificateDer::from_pem_slice(ca).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots);
        let config = match own {
            None => builder.with_no_client_auth(),
            Some(Pair { certificate, key }) => {
                let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        let socket = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, socket).await.map(Client)
    }

    /// What a client with this certificate is told; nothing if it is not let in to ask.
    async fn told(&self, own: Option<&Pair>) -> String {
        match self.dial(own, &rustls::version::TLS13).await {
            Ok(mut client) => client.ask(CONNECT).await,
            Err(_) => String::new(),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_comes_in_when_it_is_good_and_its_subject_is_a_user() {
    let broker = Broker::start("?needClientAuth=true").await;
    let other = Authority::new("other");
    let ours = |name: &str, year| broker.authority.issue(name, year);
    assert!(broker.told(Some(&ours("robot", 2100))).await.starts_with("CONNECTED"));
    let unknown = broker.told(Some(&ours("stranger", 2100))).await;
    assert!(unknown.contains("User name and password are required"), "{unknown}");
    for (why, pair) in [
        ("none", None),
        ("expired", Some(ours("robot", 2021))),
        ("of another authority", Some(other.issue("robot", 2100))),
    ] {
        assert_eq!(broker.told(pair.as_ref()).await, "", "{why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_are_spoken_with_the_hybrid_exchange_and_large_messages_pass_whole() {
    let broker = Broker::start("?wantClientAuth=true").await;
    let robot = broker.authority.issue("robot", 2100);
    let mut client = broker.dial(Some(&robot), &rustls::version::TLS12).await.unwrap();
    assert!(client.ask(CONNECT).await.starts_with("CONNECTED"));
    let mut client = broker.dial(Some(&robot), &rustls::version::TLS13).await.unwrap();
    let group = client.0.get_ref().1.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, NamedGroup::X25519MLKEM768);
    assert!(client.ask(CONNECT).await.starts_with("CONNECTED"));
    // More than the buffers of both sides hold, in both directions at once.
    let body = "0123456789abcdef".repeat(128 * 1024);
    client.0.write_all(b"SUBSCRIBE\nid:1\ndestination:/queue/Q\n\n\0").await.unwrap();
    for number in 0..4 {
        let (mut expected, frame) = (1, format!("SEND\ndestination:/queue/Q\nreceipt:{number}\n\n{body}\0"));
        client.0.write_all(frame.as_bytes()).await.unwrap();
        client.0.flush().await.unwrap();
        while expected > 0 {
            let heard = client.hear().await;
            assert!(
                heard.starts_with("RECEIPT") || heard.ends_with(&body),
                "{}",
                &heard[..heard.len().min(200)]
            );
            expected -= usize::from(heard.starts_with("MESSAGE"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_text_at_a_port_of_tls_is_ended_and_openssl_is_served() {
    let broker = Broker::start("?wantClientAuth=true").await;
    let mut plain = Client(TcpStream::connect(broker.address).await.unwrap());
    let told = plain.ask(CONNECT).await;
    assert!(!told.contains("CONNECTED") && !told.contains("ERROR"), "{told:?}");
    // Without a certificate, and without one whose authority is ours.
    let told = broker.told(None).await;
    assert!(told.contains("User name and password are required"), "{told}");
    let text = openssl(&broker, &broker.directory.path().join("ca.pem"));
    assert!(text.contains("User name and password are required"), "{text}");
}

/// What OpenSSL's client hears after a CONNECT.
fn openssl(broker: &Broker, ca: &Path) -> String {
    let mut child = Command::new("timeout")
        .args(["30", "openssl", "s_client", "-quiet", "-verify_return_error", "-servername", "localhost"])
        .args(["-verify_hostname", "localhost", "-connect", &broker.address.to_string(), "-CAfile"])
        .arg(ca)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The end of its input would end the client before the answer.
    let mut input = child.stdin.take().unwrap();
    input.write_all(format!("{CONNECT}\0").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    drop(input);
    String::from_utf8_lossy(&output.stdout).into_owned()
}
