//! A packet through a relay to a local next hop, and the same straight there for comparison.
//!
//! `cargo bench -p layer-minus-http --bench relay_path`

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../tests/sockets/world/mod.rs"]
mod world;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use layer_minus_http::{HttpClient, HttpOptions, clock};
use layer_minus_routing::Source;
use layer_minus_seal::seal_layer;
use rand::rngs::OsRng;
use world::{LARGE, Maker, SMALL, network, relay, sink::Sink};

fn relay_path(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let (sink, place, record) = runtime.block_on(async {
        let sink = Sink::start().await;
        let record = Maker::new().record(&[sink.url()], false);
        let place = network(&[relay(&[])]).await.remove(0);
        let now = clock::now();
        let table = place.gateway.table();
        table
            .write()
            .unwrap()
            .insert(record.clone(), Source::Configured, false, now)
            .unwrap();
        (sink, place, record)
    });
    let client = HttpClient::new(HttpOptions::default()).unwrap();
    let mut group = criterion.benchmark_group("relay_path");
    for size in [SMALL, LARGE] {
        let to = &record.certificate;
        let packet = seal_layer(&mut OsRng, to, &[b"nothing"], size).unwrap();
        group.throughput(Throughput::Bytes(size as u64));
        for (way, url) in [("direct", sink.url()), ("relay", place.url().to_owned())] {
            group.bench_function(format!("{way}/{size}"), |bencher| {
                bencher.iter(|| {
                    runtime
                        .block_on(client.post(&url, packet.clone(), None))
                        .unwrap();
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, relay_path);
criterion_main!(benches);
