//! What holds for any input: no panic, prefixes agree with the whole, admission agrees with the
//! readers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Form, new, packet, partial, pkesk3, pkesk6};
use layer_minus_packet::{
    Body, Fingerprint, KeyId, PARTIAL_MIN, ReadError, Recipient, Refused, SealedPacket, Sizes,
    WIRE_HEAD_MAX, admit_layer, admit_message, armor, is_unaddressed, read_head, read_literal,
    read_plain_message, read_wire_head,
};
use proptest::{collection::vec, prelude::*, sample::Index};

fn any_form() -> impl Strategy<Value = Form> {
    prop_oneof![
        Just(Form::New),
        Just(Form::NewFive),
        Just(Form::Legacy(2)),
        Just(Form::Legacy(4)),
    ]
}

/// A PKESK packet, whom it names, and its version.
fn any_pkesk() -> impl Strategy<Value = (Vec<u8>, Recipient, u8)> {
    let named = prop_oneof![
        any::<[u8; 8]>().prop_map(|id| {
            let recipient = match id {
                [0, 0, 0, 0, 0, 0, 0, 0] => Recipient::Wildcard,
                _ => KeyId::from_bytes(id).into(),
            };
            (pkesk3(id), recipient)
        }),
        Just((pkesk3([0; 8]), Recipient::Wildcard)),
        any::<[u8; 20]>().prop_map(|f| (pkesk6(&f), Fingerprint::V4(f).into())),
        any::<[u8; 32]>().prop_map(|f| (pkesk6(&f), Fingerprint::V6(f).into())),
        Just((pkesk6(&[]), Recipient::Wildcard)),
    ];
    (any_form(), named).prop_map(|(form, (body, name))| (packet(form, 1, &body), name, body[0]))
}

/// Packets that a lenient reader passes.
fn any_filler() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(new(10, b"PGP")),
        vec(any::<u8>(), 0..300).prop_map(|body| new(21, &body)),
        vec(any::<u8>(), 0..30).prop_map(|body| new(60, &body)),
        vec(any::<u8>(), 0..30).prop_map(|body| new(3, &body)),
        vec(any::<u8>(), 0..30).prop_map(|body| new(1, &[&[7][..], &body].concat())),
    ]
}

/// A head, whom it names, and what follows it.
fn any_head() -> impl Strategy<Value = (Vec<u8>, Vec<Recipient>, Vec<u8>)> {
    let part = prop_oneof![
        3 => any_pkesk().prop_map(|(octets, name, _)| (octets, Some(name))),
        1 => any_filler().prop_map(|octets| (octets, None)),
    ];
    let rest = prop_oneof![
        Just(new(18, &common::seipd1(100))),
        Just(partial(18, &common::seipd2(2_000), 9)),
        Just(new(9, &[0; 40])),
        Just(vec![0xa7]), // tag 9, legacy format, indeterminate length
        Just(new(20, &[1; 40])),
    ];
    (vec(part, 1..20), rest)
        .prop_filter("somebody is named", |(parts, _)| {
            parts.iter().any(|part| part.1.is_some())
        })
        .prop_map(|(parts, rest)| {
            let octets = parts.iter().flat_map(|part| part.0.clone()).collect();
            (
                octets,
                parts.iter().filter_map(|part| part.1).collect(),
                rest,
            )
        })
}

/// A sound layer, PKESK and SEIPD in agreeing versions.
fn any_layer() -> impl Strategy<Value = Vec<u8>> {
    // Tag 18 does not exist in the legacy format.
    let form = prop_oneof![Just(Form::New), Just(Form::NewFive)];
    (
        any_pkesk(),
        form,
        69..3_000usize,
        7..=9u8,
        1..=3u8,
        0..=14u8,
    )
        .prop_map(|((pkesk, _, version), form, length, sym, aead, chunk)| {
            let body = match version {
                3 => common::seipd1(length),
                _ => common::seipd2_with(length, sym, aead, chunk),
            };
            [pkesk, packet(form, 18, &body)].concat()
        })
}

fn read_all(octets: &[u8]) {
    if let Ok(head) = read_head(octets) {
        assert!(head.rest_offset() < octets.len());
        assert_eq!(head.recipients().next(), Some(head.first()));
        assert_eq!(head.recipients().count(), head.recipients().len());
        assert_eq!(
            head.recipients().any(|r| r.is_wildcard()),
            head.has_wildcard()
        );
        assert!(!is_unaddressed(octets));
    }
    let _ = is_unaddressed(octets);
    let _ = read_wire_head(octets);
    if let Ok(layout) = admit_layer(octets) {
        check_layer(octets, &layout);
    }
    if let Ok(layout) = admit_message(octets) {
        let head = read_head(octets).unwrap();
        assert_eq!(head.rest_offset(), layout.seipd().start);
        assert!(
            layout
                .pkesks()
                .map(|pkesk| pkesk.recipient)
                .eq(head.recipients())
        );
        assert_eq!(layout.seipd().end, octets.len());
        let body: usize = layout.seipd_body().segments(octets).map(<[u8]>::len).sum();
        assert_eq!(body, layout.seipd_body().len());
        if let Body::Partial { first, .. } = layout.seipd_body() {
            assert!(first.len() >= PARTIAL_MIN);
        }
    }
    if let Ok(literal) = read_literal(octets) {
        assert_eq!(&octets[literal.range.clone()], literal.data);
        let message = read_plain_message(octets).unwrap();
        assert_eq!(message.contiguous(), Some(literal.data));
    }
    if let Ok(message) = read_plain_message(octets) {
        assert_eq!(
            message.segments().map(<[u8]>::len).sum::<usize>(),
            message.len()
        );
        assert!(message.signatures().end <= octets.len());
    }
    let _ = armor::is_armored(octets);
    let _ = armor::dearmor(octets, 1_000);
    let _ = armor::dearmor_prefix(octets, 1_000);
}

/// What one layer's admission promises, and that the quick reader says the same.
fn check_layer(octets: &[u8], layout: &layer_minus_packet::Layout) {
    let head = read_wire_head(octets).unwrap();
    assert_eq!(head.size, octets.len());
    assert_eq!(head.recipient, layout.recipient());
    assert_eq!(
        layout.seipd_body(),
        &Body::Fixed(head.seipd_body..head.size)
    );
    assert_eq!(layout.first().packet, 0..layout.seipd().start);
    assert_eq!(layout.pkesks().count(), 1);
    assert_eq!(admit_message(octets).as_ref(), Ok(layout));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn nothing_panics_on_arbitrary_octets(octets in vec(any::<u8>(), 0..600)) {
        read_all(&octets);
    }

    /// Octets that look like packet headers go deeper.
    #[test]
    fn nothing_panics_on_packets_of_rubbish(
        parts in vec((any_form(), 0..32u8, vec(any::<u8>(), 0..100)), 0..10)
    ) {
        let octets: Vec<u8> = parts
            .iter()
            .flat_map(|(form, tag, body)| {
                let form = if *tag > 15 { Form::New } else { *form };
                packet(form, *tag, body)
            })
            .collect();
        read_all(&octets);
    }

    #[test]
    fn nothing_panics_on_damaged_layers(
        mut octets in any_layer(),
        damage in vec((any::<Index>(), any::<u8>()), 1..6),
    ) {
        for (at, octet) in damage {
            // Mostly where the framing is.
            let place = at.index(octets.len().min(140));
            octets[place] = octet;
        }
        read_all(&octets);
    }

    #[test]
    fn heads_are_read_in_order_and_bounded_by_their_end((head, names, rest) in any_head()) {
        let message = [&head[..], &rest].concat();
        let read = read_head(&message).unwrap();
        prop_assert_eq!(read.recipients().collect::<Vec<_>>(), names.clone());
        prop_assert_eq!(read.first(), names[0]);
        prop_assert_eq!(read.rest_offset(), head.len());
        prop_assert_eq!(read.has_wildcard(), names.contains(&Recipient::Wildcard));

        // Every prefix: the same answer, or what is needed, which is more and never too much.
        for length in 0..message.len() {
            match read_head(&message[..length]) {
                Ok(read) => {
                    prop_assert!(length > head.len());
                    prop_assert!(read.recipients().eq(names.iter().copied()));
                }
                Err(ReadError::Truncated { needed }) => {
                    prop_assert!(length <= head.len());
                    prop_assert!(needed > length && needed <= head.len() + 1);
                }
                Err(error) => prop_assert!(false, "{error} at {length}"),
            }
        }
    }

    #[test]
    fn layers_are_admitted_whole_and_never_in_part(
        octets in any_layer(),
        more in vec(any::<u8>(), 1..10),
    ) {
        let layout = admit_layer(&octets).unwrap();
        check_layer(&octets, &layout);
        let head = read_wire_head(&octets).unwrap();
        prop_assert_eq!(read_wire_head(&octets[..octets.len().min(WIRE_HEAD_MAX)]), Ok(head));
        for length in (0..octets.len()).filter(|length| *length < 160 || length % 37 == 0) {
            let prefix = &octets[..length];
            prop_assert!(admit_layer(prefix).unwrap_err().is_truncated());
            prop_assert!(admit_message(prefix).unwrap_err().is_truncated());
            match read_wire_head(prefix) {
                Ok(read) => prop_assert_eq!(read, head),
                Err(ReadError::Truncated { needed }) => {
                    prop_assert!(needed > length && needed <= head.seipd_body);
                }
                Err(error) => prop_assert!(false, "{error} at {length}"),
            }
        }
        let longer = [&octets[..], &more].concat();
        let refused = Refused::TrailingOctets { offset: octets.len(), count: more.len() };
        prop_assert_eq!(admit_layer(&longer), Err(refused));
        prop_assert_eq!(admit_message(&longer), Err(refused));
    }

    #[test]
    fn only_listed_sizes_are_sealed_packets(size in prop_oneof![
        Just(16_000usize), Just(1_000_000), 15_900..16_100usize
    ]) {
        let sizes = Sizes::default();
        let admitted = SealedPacket::admit(common::layer_of(size).into(), &sizes);
        if sizes.contains(size) {
            prop_assert_eq!(admitted.unwrap().size(), size);
        } else {
            prop_assert_eq!(admitted, Err(Refused::Size { size }));
        }
    }

    #[test]
    fn partial_lengths_give_back_the_body(
        data in vec(any::<u8>(), 506..20_000),
        power in 9..14u8,
        signed in 0..=8usize,
        padding in proptest::option::of(0..2_000usize),
    ) {
        let body = common::literal(&data);
        let message = [
            common::one_pass().repeat(signed),
            partial(11, &body, power),
            common::signature().repeat(signed),
            padding.map(|length| new(21, &vec![1; length])).unwrap_or_default(),
        ]
        .concat();
        let read = read_plain_message(&message).unwrap();
        prop_assert_eq!(read.segments().collect::<Vec<_>>().concat(), data.clone());
        prop_assert_eq!(read.len(), data.len());
        prop_assert_eq!(read.signature_count(), signed);
        prop_assert_eq!(read.signatures().len(), signed * common::signature().len());

        // Whole or not at all.
        for length in (0..message.len()).step_by(61) {
            match read_plain_message(&message[..length]) {
                // Cut exactly behind a packet.
                Ok(read) => prop_assert_eq!(read.len(), data.len()),
                Err(refused) => prop_assert!(
                    refused.is_truncated() || matches!(refused, Refused::SignatureCount { .. }),
                    "{refused} at {length}"
                ),
            }
        }

        let sealed = [new(1, &pkesk6(&[5; 32])), partial(18, &seipd_around(&data), power)].concat();
        let layout = admit_message(&sealed).unwrap();
        prop_assert_eq!(layout.encrypted(&sealed).collect::<Vec<_>>().concat(), data);
        for length in (0..sealed.len()).step_by(61) {
            prop_assert!(admit_message(&sealed[..length]).unwrap_err().is_truncated());
        }
    }

    #[test]
    fn lengths_survive_every_form(length in prop_oneof![0..10_000usize, 190..194usize,
        8_380..8_390usize, 65_530..65_540usize], form in any_form())
    {
        let data = vec![0x42; length];
        let octets = packet(form, 11, &common::literal(&data));
        if form != Form::Legacy(2) || length + 6 <= 0xffff {
            let literal = read_literal(&octets).unwrap();
            prop_assert_eq!(literal.data, &data[..]);
            prop_assert_eq!(literal.range, octets.len() - length..octets.len());
        }
    }

    #[test]
    fn armor_gives_back_the_message(
        octets in vec(any::<u8>(), 0..500),
        width in 1..100usize,
        checksum: bool,
        crlf: bool,
        preamble in "[ -~\n]{0,80}",
        headers in vec("[A-Z][a-z]{1,8}: [ -~]{0,30}", 0..4),
        cut in any::<Index>(),
    ) {
        let text = armored(&octets, width, checksum, crlf, &preamble, &headers);
        prop_assert!(armor::is_armored(&text));
        prop_assert_eq!(armor::dearmor(&text, octets.len()), Ok(octets.clone()));
        if !octets.is_empty() {
            let limit = octets.len() - 1;
            prop_assert_eq!(
                armor::dearmor(&text, limit),
                Err(armor::ArmorError::TooLong { limit })
            );
            let decoded = armor::dearmor_prefix(&text, limit).unwrap();
            prop_assert_eq!((&decoded.bytes[..], decoded.complete), (&octets[..limit], false));
        }
        // A prefix decodes to a prefix, and is never taken for the whole.
        let prefix = &text[..cut.index(text.len())];
        if let Ok(decoded) = armor::dearmor_prefix(prefix, usize::MAX) {
            prop_assert!(octets.starts_with(&decoded.bytes));
            prop_assert!(!decoded.complete || decoded.bytes == octets);
        }
    }

    #[test]
    fn names_survive_printing(v4: [u8; 20], v6: [u8; 32], id: [u8; 8]) {
        for fingerprint in [Fingerprint::V4(v4), Fingerprint::V6(v6)] {
            let text = fingerprint.to_string();
            prop_assert_eq!(text.parse(), Ok(fingerprint));
            prop_assert_eq!(&text, &hex::encode(fingerprint.as_bytes()));
            let recipient = Recipient::from(fingerprint);
            prop_assert!(recipient.matches(&fingerprint));
            prop_assert_eq!(recipient.key_id(), Some(fingerprint.key_id()));
        }
        let key_id = KeyId::from_bytes(id);
        prop_assert_eq!(key_id.to_string().parse(), Ok(key_id));
        prop_assert_eq!(key_id.to_bytes(), id);
    }

    #[test]
    fn nothing_panics_on_arbitrary_names(text in "\\PC{0,70}") {
        let _ = text.parse::<KeyId>();
        let _ = text.parse::<Fingerprint>();
    }
}

fn seipd_around(data: &[u8]) -> Vec<u8> {
    let mut body = common::seipd2(36);
    body.extend(data);
    body
}

fn armored(
    octets: &[u8],
    width: usize,
    checksum: bool,
    crlf: bool,
    preamble: &str,
    headers: &[String],
) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut digits = String::new();
    for group in octets.chunks(3) {
        let bits = group
            .iter()
            .fold(0u32, |bits, octet| bits << 8 | u32::from(*octet))
            << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place)) as usize & 63];
            digits.push(if place <= group.len() {
                char::from(digit)
            } else {
                '='
            });
        }
    }
    let mut lines = vec![
        preamble.to_owned(),
        "-----BEGIN PGP MESSAGE-----".to_owned(),
    ];
    lines.extend(headers.iter().cloned());
    lines.push(String::new());
    lines.extend(
        digits
            .as_bytes()
            .chunks(width)
            .map(|l| String::from_utf8(l.to_vec()).unwrap()),
    );
    if checksum {
        lines.push("=AbCd".to_owned());
    }
    lines.push("-----END PGP MESSAGE-----".to_owned());
    lines.push("and other text".to_owned());
    lines.join(if crlf { "\r\n" } else { "\n" }).into_bytes()
}
