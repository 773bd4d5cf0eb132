//! Mutual TLS from three PEM files, which are read again when they change.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// Where the certificates are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// This node's certificate, and those between it and the authority's. It must be good for both ends of a connection.
    pub certificate: PathBuf,
    /// The key to it.
    pub key: PathBuf,
    /// Certificates of the group's authority.
    pub ca: PathBuf,
}

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read as PEM.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// A file holds no certificate.
    #[error("{}: no certificate in it", .0.display())]
    Empty(PathBuf),
    /// The files do not fit each other, the time or this node.
    #[error("{}: {reason}", path.display())]
    Unfit {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// Both ends of a connection, ready.
#[derive(Clone, Debug)]
pub(in super::super) struct Ends {
    pub(in super::super) server: Arc<ServerConfig>,
    pub(in super::super) client: Arc<ClientConfig>,
}

/// What tells one state of a file from the next: inode, size, seconds and nanoseconds of the last change.
type Stamp = Option<(u64, u64, i64, i64)>;

#[derive(Debug)]
struct Current {
    stamps: [Stamp; 3],
    ends: Ends,
}

/// Certificates that follow their files.
#[derive(Debug)]
pub(in super::super) struct Tls {
    files: TlsFiles,
    hostname: String,
    current: Mutex<Current>,
}

impl Tls {
    pub(super) fn open(files: TlsFiles, hostname: &str) -> Result<Tls, TlsError> {
        let current = Mutex::new(Current { stamps: files.stamps(), ends: load(&files, hostname)? });
        Ok(Tls { files, hostname: hostname.to_owned(), current })
    }

    /// Both ends from the files as they are now; from what they were before if they are broken now. Reads files.
    pub(in super::super) fn ends(&self) -> Ends {
        let stamps = self.files.stamps();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if stamps != current.stamps {
            current.stamps = stamps;
            match load(&self.files, &self.hostname) {
                Ok(ends) => {
                    current.ends = ends;
                    tracing::info!("the certificates of the replication port have been read again");
                }
                Err(error) => tracing::warn!(
                    %error, "the new certificates of the replication port cannot be used: the ones before stay"
                ),
            }
        }
        current.ends.clone()
    }
}

impl TlsFiles {
    fn stamps(&self) -> [Stamp; 3] {
        [&self.certificate, &self.key, &self.ca].map(|path| {
            let file = std::fs::metadata(path).ok()?;
            Some((file.ino(), file.size(), file.ctime(), file.ctime_nsec()))
        })
    }
}

/// Reads the files, and tries the certificate as the other nodes will: a mistake shows here, not at the first failover.
fn load(files: &TlsFiles, hostname: &str) -> Result<Ends, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let chain = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|source| TlsError::File { path: files.key.clone(), source })?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&files.ca)? {
        roots.add(certificate).map_err(unfit(&files.ca))?;
    }
    let roots = Arc::new(roots);
    let of_slaves = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
        .build()
        .map_err(unfit(&files.ca))?;
    let of_master = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
        .build()
        .map_err(unfit(&files.ca))?;
    let (own, between) = chain.split_first().ok_or_else(|| TlsError::Empty(files.certificate.clone()))?;
    let name = ServerName::try_from(hostname).map_err(unfit(&files.certificate))?;
    let now = UnixTime::now();
    of_slaves.verify_client_cert(own, between, now).map_err(unfit(&files.certificate))?;
    of_master.verify_server_cert(own, between, &name, &[], now).map_err(unfit(&files.certificate))?;
    let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(unfit(&files.key))?
        .with_client_cert_verifier(of_slaves)
        .with_single_cert(chain.clone(), key.clone_key())
        .map_err(unfit(&files.key))?;
    let mut client = client_builder(provider)
        .map_err(unfit(&files.key))?
        .with_webpki_verifier(of_master)
        .with_client_auth_cert(chain, key)
        .map_err(unfit(&files.key))?;
    server.alpn_protocols = vec![b"h2".to_vec()];
    client.alpn_protocols = vec![b"h2".to_vec()];
    // A resumed session would not ask for the certificate again, which may have been replaced for a reason.
    server.send_tls13_tickets = 0;
    client.resumption = rustls::client::Resumption::disabled();
    Ok(Ends { server: Arc::new(server), client: Arc::new(client) })
}

fn client_builder(
    provider: Arc<CryptoProvider>,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, rustls::Error> {
    ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13])
}

fn certificates(path: &PathBuf) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unread = |source| TlsError::File { path: path.clone(), source };
    let all: Vec<_> =
        CertificateDer::pem_file_iter(path).map_err(unread)?.collect::<Result<_, _>>().map_err(unread)?;
    if all.is_empty() { Err(TlsError::Empty(path.clone())) } else { Ok(all) }
}

fn unfit<E: std::fmt::Display>(path: &std::path::Path) -> impl Fn(E) -> TlsError {
    move |error| TlsError::Unfit { path: path.to_owned(), reason: error.to_string() }
}
