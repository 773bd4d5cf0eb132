//! The server's end of TLS for clients, from PEM files: TLS 1.2 and 1.3, and the hybrid key exchange X25519MLKEM768 first.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use x509_parser::prelude::{FromDer, X509Certificate};

/// Whether clients show a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificate {
    /// It is not asked for.
    #[default]
    Unasked,
    /// `wantClientAuth`: it is asked for, and who has none may log in otherwise.
    Wanted,
    /// `needClientAuth`: nobody comes in without.
    Needed,
}

/// Where the server's end finds what it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTls {
    /// The certificate, and those between it and its authority's.
    pub certificate: PathBuf,
    /// The key to it.
    pub key: PathBuf,
    /// Certificates of the authority of clients.
    pub ca: Option<PathBuf>,
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum ServerTlsError {
    /// The certificate's file.
    #[error("certificate {}: {reason}", path.display())]
    Certificate {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The key's.
    #[error("key {}: {reason}", path.display())]
    Key {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The authority's.
    #[error("ca {}: {reason}", path.display())]
    Authority {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl ServerTls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`ServerTlsError`] names the file that cannot be used.
    pub fn load(&self, clients: ClientCertificate) -> Result<Arc<ServerConfig>, ServerTlsError> {
        let certificate = |reason| ServerTlsError::Certificate { path: self.certificate.clone(), reason };
        let key_fault = |reason| ServerTlsError::Key { path: self.key.clone(), reason };
        let chain = certificates(&self.certificate).map_err(certificate)?;
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|error| key_fault(told(&error, "private key")))?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| key_fault(error.to_string()))?;
        let builder = match self.verifier(clients, provider)? {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let config = builder.with_single_cert(chain, key).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                key_fault(format!("it is not the key to {}", self.certificate.display()))
            }
            other => certificate(other.to_string()),
        })?;
        Ok(Arc::new(config))
    }

    fn verifier(
        &self,
        clients: ClientCertificate,
        provider: Arc<rustls::crypto::CryptoProvider>,
    ) -> Result<Option<Arc<dyn ClientCertVerifier>>, ServerTlsError> {
        if clients == ClientCertificate::Unasked {
            return Ok(None);
        }
        let path = self.ca.clone().unwrap_or_default();
        let authority = |reason| ServerTlsError::Authority { path: path.clone(), reason };
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&path).map_err(authority)? {
            roots.add(certificate).map_err(|error| authority(error.to_string()))?;
        }
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let builder = match clients {
            ClientCertificate::Needed => builder,
            _ => builder.allow_unauthenticated(),
        };
        builder.build().map(Some).map_err(|error| authority(error.to_string()))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let unread = |error: pem::Error| told(&error, "certificate");
    let all: Vec<_> =
        CertificateDer::pem_file_iter(path).map_err(unread)?.collect::<Result<_, _>>().map_err(unread)?;
    if all.is_empty() {
        return Err("no certificate in it; expected PEM".to_owned());
    }
    Ok(all)
}

fn told(error: &pem::Error, what: &str) -> String {
    match error {
        pem::Error::Io(error) => format!("cannot be read: {error}"),
        pem::Error::NoItemsFound => format!("no {what} in it; expected PEM"),
        other => format!("no {what} in PEM: {other}"),
    }
}

/// The subject of a certificate as users name it: `CN=robot, O=Example`. None if it has none, or is no certificate.
pub fn subject(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let subject = parsed.subject().to_string();
    (!subject.is_empty()).then_some(subject)
}
