//! Which certificate authorities are believed: the system's, and those the operator gave.

use std::sync::Arc;

use lettre::transport::smtp::client::{Certificate, TlsParameters};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::Trouble;

/// The certificate authorities that mail and syslog servers must be vouched for by.
#[derive(Clone)]
pub struct Trust {
    connector: TlsConnector,
    own: Vec<CertificateDer<'static>>,
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trust").field("own", &self.own.len()).finish_non_exhaustive()
    }
}

impl Trust {
    /// The system's authorities and further ones (PEM, any number; may be empty).
    ///
    /// # Errors
    /// What is wrong with the certificates, in one sentence.
    pub fn new(extra_pem: &[u8]) -> Result<Self, String> {
        let own: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(extra_pem)
            .collect::<Result<_, _>>()
            .map_err(|e| format!("the additional certificates cannot be read: {e}"))?;
        let mut roots = RootCertStore::empty();
        // A certificate of the system that cannot be used vouches for nobody; the others still do.
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        for certificate in &own {
            roots
                .add(certificate.clone())
                .map_err(|e| format!("an additional certificate cannot be used: {e}"))?;
        }
        if roots.is_empty() {
            return Err(
                "no certificate authorities were found; install the package ca-certificates".to_owned()
            );
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| format!("TLS cannot be set up: {e}"))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), own })
    }

    /// Speaks TLS on a connection.
    pub(crate) async fn secure(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, Trouble> {
        let bare = host.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(bare)
            .map_err(|_| Trouble::passing(format!("{host} is no name that a certificate could bear")))?;
        self.connector.connect(name, stream).await.map_err(|e| Trouble::passing(tls_says(host, &e)))
    }

    /// The same for the mail library, which speaks STARTTLS itself.
    pub(crate) fn for_mail(&self, host: &str) -> Result<TlsParameters, Trouble> {
        let mut builder = TlsParameters::builder(host.trim_matches(['[', ']']).to_owned());
        let failed =
            |e: &dyn std::fmt::Display| Trouble::passing(format!("TLS with {host} cannot be set up: {e}"));
        for certificate in &self.own {
            let certificate = Certificate::from_der(certificate.to_vec()).map_err(|e| failed(&e))?;
            builder = builder.add_root_certificate(certificate);
        }
        builder.build().map_err(|e| failed(&e))
    }
}

/// What a failed handshake means, with what to do.
pub(crate) fn tls_says(host: &str, error: &dyn std::fmt::Display) -> String {
    format!(
        "TLS with {host} failed: {error}. Check the server's certificate; if its authority is your own, add it to the \
         configuration (outbound.ca_file)"
    )
}
