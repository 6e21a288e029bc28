//! TLS: what a node shows, and what a client trusts. The provider is `ring`, named everywhere, so
//! that no process-wide default is touched.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::{HttpError, limits::TlsFiles};

impl TlsFiles {
    /// Whether a node could be served with these files.
    ///
    /// # Errors
    /// [`HttpError::TlsFile`] and [`HttpError::Tls`] say what is wrong with them.
    pub fn check(&self) -> Result<(), HttpError> {
        server(self).map(|_| ())
    }
}

/// Protocols that a server offers by ALPN, preferred first.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Reads the files and makes what an acceptor needs.
pub(crate) fn server(files: &TlsFiles) -> Result<Arc<ServerConfig>, HttpError> {
    let chain = certificates(&files.cert)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|e| file(&files.key, &e))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|e| HttpError::TlsFile {
            path: files.cert.clone(),
            reason: e.to_string(),
        })?;
    config.alpn_protocols = ALPN.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

/// Trusts the public roots, and those in `extra` besides.
pub(crate) fn client(extra: Option<&Path>) -> Result<ClientConfig, HttpError> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(path) = extra {
        for certificate in certificates(path)? {
            roots.add(certificate).map_err(|e| HttpError::TlsFile {
                path: path.to_owned(),
                reason: e.to_string(),
            })?;
        }
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, HttpError> {
    let read = CertificateDer::pem_file_iter(path).map_err(|e| file(path, &e))?;
    let chain: Vec<_> = read.collect::<Result<_, _>>().map_err(|e| file(path, &e))?;
    if chain.is_empty() {
        let reason = "no certificate in it".to_owned();
        return Err(HttpError::TlsFile {
            path: path.to_owned(),
            reason,
        });
    }
    Ok(chain)
}

fn file(path: &Path, error: &rustls::pki_types::pem::Error) -> HttpError {
    HttpError::TlsFile {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}
