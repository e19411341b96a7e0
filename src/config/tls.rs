//! Certificates and keys from PEM files, as TLS settings.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{Error as PemError, PemObject},
    },
};

use super::{
    fields::Fields,
    problem::{Place, Report},
    secret::{self, Environment},
};

/// The largest bundle of authorities in use has about 300 KiB.
const LARGEST_PEM: u64 = 8 * 1024 * 1024;

const PEM: &str = "name a file with `-----BEGIN …` lines that the user of the daemon may read; a relative path starts at the \
                   folder of this file";

const KEY: &str = "name a file with a `-----BEGIN … PRIVATE KEY-----` that has no passphrase; \
                   `openssl pkey -in <file> -out <other file>` takes one away";

/// TLS towards providers; the same `Arc` for the same roots.
#[derive(Debug)]
pub(crate) struct Clients<'a> {
    environment: &'a dyn Environment,
    without: Option<Arc<ClientConfig>>,
    system: Option<Option<Arc<ClientConfig>>>,
    files: Vec<(PathBuf, Arc<ClientConfig>)>,
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Loads the public listener's certificate and key.
pub(crate) fn server(fields: &Fields, report: &mut Report) -> Option<Arc<ServerConfig>> {
    let certificate = fields.located::<PathBuf>("certificate");
    let key = fields.located::<PathBuf>("private_key");
    let chain = certificate
        .as_ref()
        .and_then(|(path, place)| certificates(path, place, report));
    let key = key.and_then(|(path, place)| {
        let bytes = pem(&path, place, report)?;
        let found = PrivateKeyDer::from_pem_slice(&bytes);
        let words = |error| unread(&path, "private key", &error);
        found
            .map_err(|error| report.problem(place, words(error)).hint(KEY))
            .ok()
            .zip(Some(place))
    });
    let (chain, (key, place)) = chain.zip(key)?;
    let (_, certificate_place) = certificate?;
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
    match config {
        Ok(Ok(mut config)) => {
            config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            Some(Arc::new(config))
        }
        Ok(Err(rustls::Error::InconsistentKeys(_))) => {
            let text = "is not the key of the certificate";
            let problem = report.problem(place, text);
            problem.hint("the first certificate of the file must be the server's own");
            None
        }
        Ok(Err(rustls::Error::InvalidCertificate(_))) => {
            let problem = report.problem(certificate_place, "is not a readable certificate");
            problem.hint("`openssl x509 -in <file> -text` shows what is in it");
            None
        }
        Ok(Err(error)) | Err(error) => {
            let text = format!("cannot be used: {error}");
            report.problem(certificate_place, text);
            None
        }
    }
}

impl<'a> Clients<'a> {
    pub(crate) fn new(environment: &'a dyn Environment) -> Self {
        Self {
            environment,
            without: None,
            system: None,
            files: Vec::new(),
        }
    }

    /// For providers that are reached without TLS: trusts nobody.
    pub(crate) fn without(&mut self) -> Option<Arc<ClientConfig>> {
        if self.without.is_none() {
            self.without = client(RootCertStore::empty());
        }
        self.without.clone()
    }

    /// With the system's roots. They are read only when a provider needs them: it takes a while.
    pub(crate) fn system(
        &mut self,
        place: &Place,
        report: &mut Report,
    ) -> Option<Arc<ClientConfig>> {
        let environment = self.environment;
        let system = self.system.get_or_insert_with(|| {
            let mut roots = RootCertStore::empty();
            let (added, _) = roots.add_parsable_certificates(environment.system_roots());
            if added > 0 { client(roots) } else { None }
        });
        if system.is_none() {
            let text = "needs https, and this system trusts no certificate authority";
            let problem = report.problem(place, text);
            problem.hint("install the package ca-certificates, set SSL_CERT_FILE, or give the provider a `ca`");
        }
        system.clone()
    }

    /// With the roots of a file alone.
    pub(crate) fn file(
        &mut self,
        path: &Path,
        place: &Place,
        report: &mut Report,
    ) -> Option<Arc<ClientConfig>> {
        if let Some((_, known)) = self.files.iter().find(|(known, _)| known == path) {
            return Some(Arc::clone(known));
        }
        let mut roots = RootCertStore::empty();
        for certificate in certificates(path, place, report)? {
            if let Err(error) = roots.add(certificate) {
                let shown = path.display();
                let text = format!("{shown} has a certificate that cannot be trusted: {error}");
                report.problem(place, text);
                return None;
            }
        }
        let config = client(roots)?;
        self.files.push((path.to_owned(), Arc::clone(&config)));
        Some(config)
    }
}

fn client(roots: RootCertStore) -> Option<Arc<ClientConfig>> {
    // Fails only for a provider without a usable version, which ours has.
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .ok()?;
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    Some(Arc::new(config))
}

fn certificates(
    path: &Path,
    place: &Place,
    report: &mut Report,
) -> Option<Vec<CertificateDer<'static>>> {
    let bytes = pem(path, place, report)?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = read.and_then(|found| {
        if found.is_empty() {
            Err(PemError::NoItemsFound)
        } else {
            Ok(found)
        }
    });
    found
        .map_err(|error| {
            let text = unread(path, "certificate", &error);
            report.problem(place, text).hint(PEM);
        })
        .ok()
}

fn pem(path: &Path, place: &Place, report: &mut Report) -> Option<Vec<u8>> {
    let read = secret::read(path, LARGEST_PEM);
    read.map_err(|text| report.problem(place, text).hint(PEM))
        .ok()
}

/// Words without anything of the file's content: it may be a key.
fn unread(path: &Path, what: &str, error: &PemError) -> String {
    let shown = path.display();
    match error {
        PemError::NoItemsFound => format!("{shown} has no PEM section with a {what}"),
        _ => format!("{shown} is not readable as PEM"),
    }
}
