//! TLS and HTTP/2.

use std::path::PathBuf;

use http_body_util::{BodyExt as _, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use layer_minus_http::{HttpClient, HttpOptions, TlsFiles};

use crate::{
    raw::question,
    world::{Plan, SMALL, network, person::Person, recipient, relay},
};

/// A certificate for `localhost` that signs itself.
fn files(dir: &std::path::Path) -> (TlsFiles, PathBuf) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (
        TlsFiles {
            cert: cert.clone(),
            key,
        },
        cert,
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_and_a_node_over_tls() {
    let dir = tempfile::tempdir().unwrap();
    let (tls, root) = files(dir.path());
    let options = HttpOptions {
        extra_roots: Some(root.clone()),
        ..HttpOptions::default()
    };
    let secure = |plan: Plan| Plan {
        tls: Some(tls.clone()),
        options: options.clone(),
        ..plan
    };
    let places = network(&[secure(relay(&[1])), secure(recipient(&[]))]).await;
    assert!(places[0].url().starts_with("https://"));
    let mut bobo = Person::new(&places[1], &places[0]);
    let options = HttpOptions {
        extra_roots: Some(root.clone()),
        ..HttpOptions::default()
    };
    bobo.http = HttpClient::new(options).unwrap();
    bobo.register().await;
    let mut stream = bobo.listen().await;
    bobo.receive_from(&bobo, b"over tls", SMALL).await;
    assert_eq!(bobo.read(&stream.packet().await), "over tls");

    // A client that does not trust the certificate does not connect.
    let stranger = HttpClient::new(HttpOptions::default()).unwrap();
    let packet = question(&places[1].record).packet;
    let error = stranger
        .post(places[0].url(), packet, None)
        .await
        .unwrap_err();
    assert!(error.is_connect(), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http2_is_spoken_too() {
    let places = network(&[relay(&[1]), recipient(&[])]).await;
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();
    let posts: Vec<_> = (0..20)
        .map(|_| {
            let outgoing = question(&places[1].record);
            let request = http::Request::post(places[0].url())
                .body(Full::new(outgoing.packet.clone()))
                .unwrap();
            (client.request(request), outgoing)
        })
        .collect();
    for (response, outgoing) in posts {
        let response = response.await.unwrap();
        assert_eq!(response.version(), http::Version::HTTP_2);
        assert_eq!(response.status(), 200);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        outgoing.pending.answer(&body).unwrap();
    }
}

#[tokio::test]
async fn files_that_are_not_what_they_should_be_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    for path in [empty, dir.path().join("none.pem")] {
        let options = HttpOptions {
            extra_roots: Some(path.clone()),
            ..HttpOptions::default()
        };
        let error = HttpClient::new(options).unwrap_err().to_string();
        assert!(error.contains(path.to_str().unwrap()), "{error}");
    }
}
