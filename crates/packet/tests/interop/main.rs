//! Agreement with rpgp, GnuPG and OpenPGP.js: each makes messages, each reads all of them, and
//! our readers must say the same.
//!
//! A tool that is missing is named with the line that installs it and its part is left out;
//! with `REQUIRE_INTEROP=1` in the environment that is a failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// A test may read files and make keys by chance.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod gnupg;
mod openpgpjs;
mod rpgp;
mod sample;
#[path = "../../../../tests/tools/mod.rs"]
mod tools;

use layer_minus_packet::{
    Body, ReadError, Refused, SeipdVersion, admit_message, read_head, read_literal,
    read_plain_message, read_wire_head,
};
use sample::{Inside, Sample};

/// All that holds of a message whoever made it.
fn check(sample: &Sample) {
    let Sample { name, octets, .. } = sample;
    let head = read_head(octets).unwrap_or_else(|error| panic!("{name}: {error}"));
    let names: Vec<String> = head.recipients().map(|named| named.to_string()).collect();
    assert_eq!(names, sample.recipients, "{name}");
    assert_eq!(rpgp::recipients(octets), names, "{name}: rpgp");

    // One octet behind the head is enough, one less is not.
    let rest = head.rest_offset();
    assert!(
        read_head(&octets[..=rest])
            .unwrap()
            .recipients()
            .eq(head.recipients()),
        "{name}"
    );
    assert_eq!(
        read_head(&octets[..rest]).unwrap_err(),
        ReadError::Truncated { needed: rest + 1 },
        "{name}"
    );

    let admitted = admit_message(octets);
    if sample.has_password {
        let refused = Refused::Framing(ReadError::UnexpectedPacket { offset: 0, tag: 3 });
        let behind = admitted.unwrap_err();
        assert!(
            behind == refused
                || matches!(
                    behind,
                    Refused::Framing(ReadError::UnexpectedPacket { tag: 3, .. })
                ),
            "{name}: {behind}"
        );
        return;
    }
    let layout = admitted.unwrap_or_else(|refused| panic!("{name}: {refused}"));
    assert_eq!(layout.seipd(), rest..octets.len(), "{name}");
    assert!(
        layout
            .pkesks()
            .map(|pkesk| pkesk.recipient)
            .eq(head.recipients()),
        "{name}"
    );
    if let (Body::Fixed(body), 1) = (layout.seipd_body(), names.len()) {
        let wire = read_wire_head(octets).unwrap();
        assert_eq!(
            (wire.size, wire.seipd_body),
            (octets.len(), body.start),
            "{name}"
        );
    }

    let Some(inside) = &sample.inside else { return };
    match inside {
        Inside::Compressed(plaintext) => {
            assert_eq!(
                read_plain_message(plaintext).unwrap_err(),
                Refused::Compressed { offset: 0 },
                "{name}"
            );
        }
        Inside::Content {
            plaintext,
            content,
            signatures,
        } => {
            let message =
                read_plain_message(plaintext).unwrap_or_else(|refused| panic!("{name}: {refused}"));
            assert!(
                message.segments().collect::<Vec<_>>().concat() == *content,
                "{name}"
            );
            assert_eq!(message.signature_count(), *signatures, "{name}");
            if let (Some(whole), 0) = (message.contiguous(), *signatures) {
                assert!(read_literal(plaintext).unwrap().data == whole, "{name}");
            }
        }
    }
}

/// That the list has the kinds it is for.
fn any(samples: &[Sample], kind: impl Fn(&Sample) -> bool) -> bool {
    samples.iter().any(kind)
}

fn is_partial(sample: &Sample) -> bool {
    admit_message(&sample.octets)
        .is_ok_and(|layout| matches!(layout.seipd_body(), Body::Partial { .. }))
}

fn is_v2(sample: &Sample) -> bool {
    admit_message(&sample.octets)
        .is_ok_and(|layout| matches!(layout.version(), SeipdVersion::V2 { .. }))
}

#[test]
fn messages_of_rpgp() {
    let samples = rpgp::samples();
    samples.iter().for_each(check);
    assert!(any(&samples, is_partial) && any(&samples, is_v2));
    assert!(any(&samples, |sample| !is_v2(sample)));
}

#[test]
fn messages_of_gnupg() {
    let Some(gnupg) = gnupg::GnuPg::new() else {
        return;
    };
    let samples = gnupg.samples();
    samples.iter().for_each(check);
    assert!(any(&samples, is_partial) && any(&samples, |sample| sample.has_password));
    assert!(any(&samples, |sample| matches!(
        sample.inside,
        Some(Inside::Compressed(_))
    )));
    for sample in samples.iter().chain(&rpgp::samples()) {
        check_gnupg(&gnupg, sample);
    }
}

#[test]
fn messages_of_openpgpjs() {
    let Some(js) = openpgpjs::OpenPgpJs::new() else {
        return;
    };
    let samples = js.samples();
    samples.iter().for_each(check);
    assert!(any(&samples, is_partial) && any(&samples, is_v2));
    let all: Vec<_> = samples.into_iter().chain(rpgp::samples()).collect();
    check_openpgpjs(&js, &all);
}

/// What OpenPGP.js makes, read by GnuPG, and the other way round.
#[test]
fn gnupg_and_openpgpjs_agree() {
    let Some(gnupg) = gnupg::GnuPg::new() else {
        return;
    };
    let Some(js) = openpgpjs::OpenPgpJs::new() else {
        return;
    };
    for sample in &js.samples() {
        check_gnupg(&gnupg, sample);
    }
    check_openpgpjs(&js, &gnupg.samples());
}

#[test]
fn what_is_left_out_is_counted() {
    tools::check_that_absence_is_counted(&[
        "messages_of_gnupg",
        "messages_of_openpgpjs",
        "gnupg_and_openpgpjs_agree",
    ]);
}

/// GnuPG knows version 3 PKESKs only.
fn check_gnupg(gnupg: &gnupg::GnuPg, sample: &Sample) {
    if sample
        .recipients
        .iter()
        .all(|named| named.len() == 16 || named == "wildcard")
        && !is_v2(sample)
    {
        assert_eq!(
            gnupg.recipients(&sample.octets),
            sample.recipients,
            "{}: gnupg",
            sample.name
        );
    }
}

fn check_openpgpjs(js: &openpgpjs::OpenPgpJs, samples: &[Sample]) {
    let read = js.recipients(samples);
    assert_eq!(read.len(), samples.len());
    for (sample, names) in samples.iter().zip(read) {
        assert_eq!(names, sample.recipients, "{}: OpenPGP.js", sample.name);
    }
}
