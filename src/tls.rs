//! TLS as a client, the same for relays and for readers: the system's certificates, cryptography by AWS-LC. One for each port.

use std::sync::{Arc, OnceLock};

use rustls_platform_verifier::BuilderVerifierExt;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{self, ClientConfig};

/// Whom we trust. Cheap to clone; the system's certificates are read once, when they are first needed.
#[derive(Clone, Debug, Default)]
pub struct Trust(Arc<OnceLock<Arc<ClientConfig>>>);

impl Trust {
    /// What makes a stream a TLS stream.
    ///
    /// # Errors
    /// When the system's certificates cannot be used; the next call tries again.
    pub fn connector(&self) -> Result<TlsConnector, rustls::Error> {
        if let Some(config) = self.0.get() {
            return Ok(Arc::clone(config).into());
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_platform_verifier()?
            .with_no_client_auth();
        Ok(Arc::clone(self.0.get_or_init(|| Arc::new(config))).into())
    }
}
