//! Every reader of `layer-minus-packet` on the same octets. Beside not panicking, what they say
//! must agree, and the work must stay within what the limits allow.
#![no_main]

use layer_minus_packet::{
    Body, FILLERS_MAX, HEAD_MAX, MESSAGE_PKESKS_MAX, PARTIALS_MAX, PKESKS_MAX, SIGNATURES_MAX,
    SKESKS_MAX, WIRE_HEAD_MAX, armor, is_unaddressed, metered,
};
use libfuzzer_sys::fuzz_target;

/// What an armored input may become.
const ARMOR_LIMIT: usize = 1 << 20;

fuzz_target!(|octets: &[u8]| {
    read(octets);
    if armor::is_armored(octets) {
        if let Ok(prefix) = armor::dearmor_prefix(octets, ARMOR_LIMIT) {
            read(&prefix.bytes);
            if prefix.complete {
                assert_eq!(armor::dearmor(octets, ARMOR_LIMIT), Ok(prefix.bytes));
            }
        }
    }
});

fn read(octets: &[u8]) {
    head(octets);
    wire_head(octets);
    admission(octets);
    plaintext(octets);
}

fn head(octets: &[u8]) {
    let mut steps = 0;
    let read = metered::read_head(octets, &mut steps);
    assert!(steps <= PKESKS_MAX + SKESKS_MAX + FILLERS_MAX + 1);
    match read {
        Ok(head) => {
            assert!(head.rest_offset() < octets.len() && head.rest_offset() <= HEAD_MAX);
            assert_eq!(head.recipients().next(), Some(head.first()));
            assert_eq!(head.recipients().count(), head.recipients().len());
            assert_eq!(
                head.recipients().any(|one| one.is_wildcard()),
                head.has_wildcard()
            );
            assert!(!is_unaddressed(octets));
            // What lies behind the head does not matter.
            let again = layer_minus_packet::read_head(&octets[..=head.rest_offset()]).unwrap();
            assert!(again.recipients().eq(head.recipients()));
        }
        Err(layer_minus_packet::ReadError::Truncated { needed }) => assert!(needed > octets.len()),
        Err(_) => {
            is_unaddressed(octets);
        }
    }
}

fn wire_head(octets: &[u8]) {
    let mut steps = 0;
    let read = metered::read_wire_head(octets, &mut steps);
    assert!(steps <= 2);
    if octets.len() >= WIRE_HEAD_MAX {
        assert_eq!(
            layer_minus_packet::read_wire_head(&octets[..WIRE_HEAD_MAX]),
            read
        );
        assert!(!read.is_err_and(|error| error.is_truncated()));
    }
    if let Ok(wire) = read {
        let head = layer_minus_packet::read_head(octets).unwrap();
        assert_eq!(head.first(), wire.recipient);
        assert_eq!(head.recipients().len(), 1);
        assert!(head.rest_offset() < wire.seipd_body && wire.seipd_body <= wire.size);
    }
}

fn admission(octets: &[u8]) {
    let mut steps = 0;
    let layer = metered::admit_layer(octets, &mut steps);
    assert!(steps <= 2);
    let mut steps = 0;
    let message = metered::admit_message(octets, &mut steps);
    assert!(steps <= MESSAGE_PKESKS_MAX + 2 + PARTIALS_MAX);
    if let Ok(layer) = &layer {
        assert_eq!(message.as_ref(), Ok(layer));
        let wire = layer_minus_packet::read_wire_head(octets).unwrap();
        assert_eq!(wire.size, octets.len());
        assert_eq!(layer.seipd_body(), &Body::Fixed(wire.seipd_body..wire.size));
    }
    if let Ok(message) = &message {
        let head = layer_minus_packet::read_head(octets).unwrap();
        assert!(
            message
                .pkesks()
                .map(|pkesk| pkesk.recipient)
                .eq(head.recipients())
        );
        assert_eq!(message.seipd(), head.rest_offset()..octets.len());
        let body: usize = message.seipd_body().segments(octets).map(<[u8]>::len).sum();
        assert_eq!(body, message.seipd_body().len());
        assert!(message.encrypted(octets).map(<[u8]>::len).sum::<usize>() < body);
    }
}

fn plaintext(octets: &[u8]) {
    let mut steps = 0;
    let literal = metered::read_literal(octets, &mut steps);
    assert!(steps <= 2);
    let mut steps = 0;
    let message = metered::read_plain_message(octets, &mut steps);
    assert!(steps <= 2 * SIGNATURES_MAX + PARTIALS_MAX + 5);
    if let Ok(literal) = literal {
        assert_eq!(octets.get(literal.range.clone()), Some(literal.data));
        assert_eq!(message.as_ref().unwrap().contiguous(), Some(literal.data));
    }
    if let Ok(message) = message {
        assert_eq!(
            message.segments().map(<[u8]>::len).sum::<usize>(),
            message.len()
        );
        assert!(message.signature_count() <= SIGNATURES_MAX);
        assert!(message.signatures().end <= octets.len());
    }
}
