//! Throw-away certificates for the scripted relay.

#![allow(clippy::unwrap_used)] // a test's helper may fail the test

use std::sync::Arc;

use tokio_rustls::TlsAcceptor;

/// A server's TLS configuration with a new self-signed certificate for `localhost`, and that certificate in PEM.
pub fn self_signed() -> (TlsAcceptor, String) {
    use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
    use tokio_rustls::rustls::{ServerConfig, crypto::aws_lc_rs::default_provider};
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), pem(made.cert.der()))
}

fn pem(der: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: String = der.iter().map(|byte| format!("{byte:08b}")).collect();
    let mut text: String = bits
        .as_bytes()
        .chunks(6)
        .map(|six| format!("{:0<6}", std::str::from_utf8(six).unwrap()))
        .map(|six| char::from(ALPHABET[usize::from_str_radix(&six, 2).unwrap()]))
        .collect();
    text.push_str(&"=".repeat((4 - text.len() % 4) % 4));
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}
