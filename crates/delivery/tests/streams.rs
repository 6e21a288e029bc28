//! Streams come out as they went in, however they are cut.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use layer_minus_delivery::records::{self, Record, RecordKind};
use layer_minus_delivery::sse::{Decoder, Encoder, Event};
use layer_minus_delivery::{DeliveryError, sse};
use proptest::prelude::*;

/// Pieces of the lengths given, in turn; the rest as one.
fn cut<'w>(wire: &'w [u8], lengths: &[usize]) -> Vec<&'w [u8]> {
    let mut pieces = Vec::new();
    let mut rest = wire;
    for length in lengths {
        let (piece, after) = rest.split_at((*length).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}

fn read(pieces: &[&[u8]], max: usize) -> (Vec<Event>, Result<(), DeliveryError>, String) {
    let mut decoder = Decoder::with_max(max);
    let mut events = Vec::new();
    let mut result = Ok(());
    for piece in pieces {
        result = decoder.push(piece);
        events.extend(std::iter::from_fn(|| decoder.next_event()));
        if result.is_ok() {
            assert!(decoder.held() <= max, "holds {} of {max}", decoder.held());
        }
    }
    (events, result, decoder.last_event_id().to_owned())
}

fn read_all(wire: &[u8]) -> Vec<Event> {
    let (events, result, _) = read(&[wire], sse::EVENT_BYTES_MAX);
    result.unwrap();
    events
}

/// The standard read literally, on the whole text at once.
fn reference(wire: &str) -> Vec<Event> {
    let text = wire.strip_prefix('\u{feff}').unwrap_or(wire);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines: Vec<&str> = text.split('\n').collect();
    lines.pop(); // What has no end is no line.
    let mut events = Vec::new();
    let (mut id, mut event, mut data) = (None, None, Vec::<&str>::new());
    for line in lines {
        if line.is_empty() {
            if !data.is_empty() {
                let data = data.join("\n").into_bytes();
                events.push(Event {
                    id: id.clone(),
                    event: event.clone(),
                    data,
                });
            }
            (id, event, data) = (None, None, Vec::new());
            continue;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "data" => data.push(value),
            "event" => event = Some(value.to_owned()),
            "id" if !value.contains('\0') => id = Some(value.to_owned()),
            _ => {}
        }
    }
    events
}

fn event(id: Option<&str>, event: Option<&str>, data: &str) -> Event {
    Event {
        id: id.map(Into::into),
        event: event.map(Into::into),
        data: data.into(),
    }
}

#[test]
fn the_examples_of_the_standard() {
    let stock = "data: YHOO\ndata: +2\ndata: 10\n\n";
    assert_eq!(
        read_all(stock.as_bytes()),
        [event(None, None, "YHOO\n+2\n10")]
    );

    let four = ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n";
    let (events, _, last) = read(&[four.as_bytes()], 1000);
    assert_eq!(
        events,
        [
            event(Some("1"), None, "first event"),
            event(Some(""), None, "second event")
        ]
    );
    assert_eq!(last, "", "an empty id resets it");

    let empty = "data\n\ndata\ndata\n\ndata:";
    assert_eq!(
        read_all(empty.as_bytes()),
        [event(None, None, ""), event(None, None, "\n")]
    );

    let same = "data:test\n\ndata: test\n\n";
    assert_eq!(
        read_all(same.as_bytes()),
        [event(None, None, "test"), event(None, None, "test")]
    );
}

#[test]
fn line_ends_of_every_kind_and_a_byte_order_mark() {
    for end in ["\n", "\r", "\r\n"] {
        let wire = format!("\u{feff}data: a{end}id: 1{end}{end}data: b{end}event: x{end}{end}");
        let expected = [event(Some("1"), None, "a"), event(None, Some("x"), "b")];
        assert_eq!(read_all(wire.as_bytes()), expected, "{end:?}");
        let bytes: Vec<&[u8]> = wire.as_bytes().chunks(1).collect();
        assert_eq!(read(&bytes, 1000).0, expected, "{end:?} byte by byte");
    }
    // Only one, and only at the very start.
    assert_eq!(read_all("\u{feff}\u{feff}data: a\n\n".as_bytes()), []);
    assert_eq!(read_all("\n\u{feff}data: a\n\n".as_bytes()), []);
    // A mark and nothing else is an empty line.
    assert_eq!(
        read_all("\u{feff}\ndata: a\n\n".as_bytes()),
        [event(None, None, "a")]
    );
}

#[test]
fn an_event_is_there_as_soon_as_its_last_line_has_ended() {
    // With CR the LF that may follow is not waited for.
    let mut decoder = Decoder::new();
    decoder.push(b"data: a\r\r").unwrap();
    assert_eq!(decoder.next_event(), Some(event(None, None, "a")));
    decoder.push(b"\ndata: b\r\n\r").unwrap();
    assert_eq!(decoder.next_event(), Some(event(None, None, "b")));
    assert_eq!(decoder.next_event(), None);
}

#[test]
fn ids_without_data_move_the_place_and_are_no_event() {
    let wire = b"id: 5\n\nid: 6\ndata: x\n\nid: a\0b\ndata: y\n\nretry: 10\nfoo: bar\n\n";
    let (events, _, last) = read(&[wire], 1000);
    assert_eq!(
        events,
        [event(Some("6"), None, "x"), event(None, None, "y")]
    );
    assert_eq!(last, "6");
}

#[test]
fn what_is_held_is_bounded_and_the_events_before_are_kept() {
    let too_long = Err(DeliveryError::EventTooLong { max: 16 });
    for long in [
        "data: 12345678901",                // one line
        ": 123456789012345",                // a comment
        "data: 12345\ndata: 12345\ndata:1", // several
        "id: 123456789\nevent: 123\n",      // fields without data
    ] {
        let wire = format!("data: a\n\n{long}\n\ndata: b\n\n");
        for size in [1, 2, 7, 1000] {
            let pieces: Vec<&[u8]> = wire.as_bytes().chunks(size).collect();
            let (events, result, _) = read(&pieces, 16);
            assert_eq!(events, [event(None, None, "a")], "{long:?} by {size}");
            assert_eq!(result, too_long, "{long:?} by {size}");
        }
    }
    // Signs of life without end are not held.
    let mut decoder = Decoder::with_max(16);
    for _ in 0..100 {
        decoder.push(b": beat\n\n").unwrap();
        assert_eq!(decoder.held(), 0);
    }
}

#[test]
fn a_packet_of_a_million_bytes_fits() {
    let data: Vec<u8> = (0..1_000_000_u32).map(|n| (n * 31 % 251) as u8).collect();
    let wire = Encoder::event(9, &data);
    let pieces: Vec<&[u8]> = wire.chunks(1400).collect();
    let (events, result, _) = read(&pieces, sse::EVENT_BYTES_MAX);
    result.unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].decode().unwrap(), data);
}

#[test]
fn what_is_not_base64_or_a_number_is_refused() {
    let odd = |id: Option<&str>, data: &str| event(id, None, data);
    for bad in ["a", "YQ", "YQ=", "YQ==\n", "Y Q==", "-_-_", "YR=="] {
        assert_eq!(
            odd(None, bad).decode(),
            Err(DeliveryError::NotBase64),
            "{bad:?}"
        );
    }
    for bad in [
        None,
        Some(""),
        Some("+1"),
        Some("1 "),
        Some("x"),
        Some("18446744073709551616"),
    ] {
        assert_eq!(
            odd(bad, "").number(),
            Err(DeliveryError::NotANumber),
            "{bad:?}"
        );
    }
}

/// Text in which lines, fields and line ends meet often.
fn stream_text() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        4 => Just("data:"), 2 => Just("data"), 2 => Just("id:"), 1 => Just("id"),
        1 => Just("event:"), 1 => Just("retry: 3"), 1 => Just("\u{feff}"), 3 => Just(" "),
        2 => Just(":"), 6 => Just("\n"), 3 => Just("\r"), 3 => Just("\r\n"), 3 => Just("\n\n"),
        2 => Just("abc"), 1 => Just("\0"), 1 => Just("é"),
    ];
    prop::collection::vec(token, 0..60).prop_map(|tokens| tokens.concat())
}

fn record() -> impl Strategy<Value = Record> {
    let kind = prop_oneof![Just(RecordKind::Data), Just(RecordKind::Voucher)];
    (kind, prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(kind, payload)| Record {
        kind,
        payload: payload.into(),
    })
}

fn read_records(pieces: &[&[u8]], max: usize) -> (Vec<Record>, Result<(), DeliveryError>, bool) {
    let mut decoder = records::Decoder::with_max(max);
    let mut read = Vec::new();
    let mut result = Ok(());
    for piece in pieces {
        result = decoder.push(piece);
        read.extend(std::iter::from_fn(|| decoder.next_record()));
    }
    (read, result, decoder.is_between_records())
}

proptest! {
    #[test]
    fn events_come_back_however_they_are_cut(
        sent in prop::collection::vec((any::<u64>(), prop::collection::vec(any::<u8>(), 0..50)), 0..10),
        comment in "[ -~\r\n]{0,20}",
        lengths in prop::collection::vec(0_usize..30, 0..40),
    ) {
        let mut wire = Vec::new();
        for (id, data) in &sent {
            wire.extend(Encoder::event(*id, data));
            wire.extend(Encoder::comment(&comment));
        }
        let (events, result, _) = read(&cut(&wire, &lengths), 1000);
        prop_assert_eq!(result, Ok(()));
        let got: Vec<_> =
            events.iter().map(|e| (e.number().unwrap(), e.decode().unwrap())).collect();
        prop_assert_eq!(got, sent);
    }

    #[test]
    fn any_text_is_read_as_the_standard_says_however_it_is_cut(
        text in stream_text(),
        lengths in prop::collection::vec(0_usize..6, 0..60),
    ) {
        let expected = reference(&text);
        prop_assert_eq!(&read_all(text.as_bytes()), &expected);
        let (events, result, _) = read(&cut(text.as_bytes(), &lengths), 10_000);
        prop_assert_eq!(result, Ok(()));
        prop_assert_eq!(&events, &expected);
    }

    #[test]
    fn the_bound_strikes_at_the_same_event_however_it_is_cut(
        text in stream_text(),
        lengths in prop::collection::vec(0_usize..6, 0..60),
        max in 0_usize..20,
    ) {
        let whole = read(&[text.as_bytes()], max);
        prop_assert_eq!(read(&cut(text.as_bytes(), &lengths), max), whole);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), max in 0_usize..400) {
        let (events, _, _) = read(&[&bytes], max.max(3) * 3);
        for event in events {
            let _ = (event.decode(), event.number());
        }
        let _ = read_records(&[&bytes], max);
    }

    #[test]
    fn records_come_back_however_they_are_cut(
        sent in prop::collection::vec(record(), 0..12),
        lengths in prop::collection::vec(0_usize..20, 0..60),
    ) {
        let mut wire = Vec::new();
        for record in &sent {
            wire.extend(records::Encoder::record(record.kind, &record.payload).unwrap());
        }
        let (read, result, between) = read_records(&cut(&wire, &lengths), 40);
        prop_assert_eq!(result, Ok(()));
        prop_assert_eq!(read, sent);
        prop_assert!(between);
    }

    #[test]
    fn broken_records_fail_at_the_same_place_however_they_are_cut(
        sent in prop::collection::vec(record(), 1..6),
        at: prop::sample::Index,
        bits in 1_u8..,
        lengths in prop::collection::vec(0_usize..9, 0..60),
    ) {
        let mut wire = Vec::new();
        for record in &sent {
            wire.extend(records::Encoder::record(record.kind, &record.payload).unwrap());
        }
        let at = at.index(wire.len());
        wire[at] ^= bits;
        prop_assert_eq!(read_records(&cut(&wire, &lengths), 40), read_records(&[&wire], 40));
    }

    #[test]
    fn a_stream_cut_off_is_between_records_only_at_their_ends(
        sent in prop::collection::vec(record(), 1..5),
        at: prop::sample::Index,
    ) {
        let mut wire = Vec::new();
        let mut ends = vec![0];
        for record in &sent {
            wire.extend(records::Encoder::record(record.kind, &record.payload).unwrap());
            ends.push(wire.len());
        }
        let at = at.index(wire.len() + 1);
        let (_, _, between) = read_records(&[&wire[..at]], 40);
        prop_assert_eq!(between, ends.contains(&at));
    }
}
