//! Certificates that are right and wrong, with an authority of the tests' own.

use std::io::{Read as _, Write as _};
use std::net::IpAddr;
use std::sync::Arc;

use collect::{Collected, Outbound, OutboundConfig, Quiet};
use model::diagnosis::Rung;
use model::scan::FailureCause;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::support::*;

const AUTHORITY: &[u8] = include_bytes!("../tls/ca.pem");

/// A server that shows a certificate and answers an empty list. Gives its port.
fn serve(certificate: &'static [u8], key: &'static [u8]) -> u16 {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = vec![CertificateDer::from_pem_slice(certificate).unwrap()];
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_slice(key).unwrap())
        .unwrap();
    let config = Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(session, socket);
            let mut head = [0; 4096];
            // A client that does not like the certificate hangs up here.
            if stream.read(&mut head).is_ok() {
                let _ =
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]");
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
    port
}

async fn read(port: u16, authorities: &[u8]) -> Box<collect::Done> {
    let app = app(&manifest(&listing("items", r#"{ path = "/items" }"#, "")));
    let resolve = |_: &str| vec![IpAddr::from([127, 0, 0, 1])];
    let outbound = Outbound::new(OutboundConfig {
        allowed_private_hosts: vec!["saas.example".to_owned()],
        extra_ca_pem: authorities.to_vec(),
        resolve: Some(Arc::new(resolve)),
        ..OutboundConfig::default()
    })
    .unwrap();
    let target = target_at(&app, &format!("https://saas.example:{port}"));
    match collect::run(&outbound, &target, &token(), &TestClock::default(), request(), &Quiet).await {
        Collected::Done(done) => done,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_own_authority_is_trusted_where_it_is_configured() {
    let port = serve(include_bytes!("../tls/good.pem"), include_bytes!("../tls/good.key"));
    let done = read(port, AUTHORITY).await;
    assert!(dataset(&done, "items").availability.is_complete(), "{:?}", dataset(&done, "items").availability);

    let done = read(port, b"").await;
    let fault = fault(dataset(&done, "items"));
    assert_eq!((fault.cause, fault.reached), (FailureCause::Unreachable, Rung::Tcp));
    assert!(fault.detail.contains("not trusted"), "{}", fault.detail);
}

#[tokio::test]
async fn wrong_certificates_are_named() {
    for (certificate, key, words) in [
        (&include_bytes!("../tls/expired.pem")[..], &include_bytes!("../tls/expired.key")[..], "has expired"),
        (
            &include_bytes!("../tls/other.pem")[..],
            &include_bytes!("../tls/other.key")[..],
            "for another name",
        ),
    ] {
        let done = read(serve(certificate, key), AUTHORITY).await;
        let fault = fault(dataset(&done, "items"));
        assert_eq!((fault.cause, fault.reached), (FailureCause::Unreachable, Rung::Tcp));
        assert!(fault.detail.contains(words), "{}", fault.detail);
    }
}
