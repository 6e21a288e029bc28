//! Streams of the next hop that are passed on piece by piece: no record is ever held whole.

use std::{
    collections::VecDeque,
    future::Future as _,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use layer_minus_delivery::records::{Encoder, RECORD_BYTES_MAX, RECORD_HEADER_BYTES, RecordKind};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::{
    Form, LaneForm,
    records::next_piece,
    upstream::{Silence, poll_piece},
};
use crate::{
    HttpError,
    error::Cause,
    lane::note::{NOTE_BYTES, NoteSink},
    server::{gate::Permit, plain::Answered},
};

/// An answer that passes the next hop's stream on. With `notes` it comes on a lane, in records; without
/// it is a client's event stream, and so must the reader's be.
pub(crate) fn pass_stream(
    body: Incoming,
    notes: Option<NoteSink>,
    form: Form,
    timeout: Duration,
    stop: CancellationToken,
    place: Permit,
) -> Answered {
    let lane = form.lane().cloned();
    let turn = notes.map(|notes| (Turn::new(lane.is_some()), Notes { notes, lane }));
    let body = PassBody {
        body,
        turn,
        pieces: VecDeque::new(),
        silence: Silence::new(timeout),
        stop: Box::pin(stop.cancelled_owned()),
        _place: place,
    };
    form.stream(body.boxed_unsync())
}

struct PassBody {
    /// Dropped with the reader, which closes the connection: the node sees its client leave.
    body: Incoming,
    turn: Option<(Turn, Notes)>,
    pieces: VecDeque<Bytes>,
    silence: Silence,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
    _place: Permit,
}

impl Body for PassBody {
    type Data = Bytes;
    type Error = Cause;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cause>>> {
        let this = self.get_mut();
        loop {
            if let Some(piece) = next_piece(&mut this.pieces) {
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            if this.stop.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            let piece = match ready!(poll_piece(&mut this.body, &mut this.silence, cx)) {
                Some(Ok(piece)) => piece,
                // The reader's connection breaks too, so that it knows that this was no end.
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => return Poll::Ready(None),
            };
            match &mut this.turn {
                None => this.pieces.push_back(piece),
                Some((turn, notes)) => {
                    let pushed = turn.push(piece, &mut this.pieces, |note| notes.turn(note));
                    if let Err(error) = pushed {
                        return Poll::Ready(Some(Err(error.into())));
                    }
                }
            }
        }
    }
}

/// What becomes of the notes in a stream.
struct Notes {
    notes: NoteSink,
    /// That of the reader.
    lane: Option<LaneForm>,
}

impl Notes {
    /// Takes a note of the lane to the next hop. On the reader's lane one that says nothing has its place.
    fn turn(&self, note: &[u8]) -> Option<Bytes> {
        self.notes.take(note);
        self.lane.as_ref().and_then(|lane| lane.note(None))
    }
}

/// Turns a stream of records into what the reader reads, and takes the notes out.
struct Turn {
    to_records: bool,
    /// Header of the next record so far.
    header: [u8; RECORD_HEADER_BYTES],
    header_len: usize,
    /// The record that is open: whether it is passed on, and what is missing of it.
    open: Option<(bool, usize)>,
    /// One or two bytes that wait for a third to become base64.
    carry: Vec<u8>,
    /// The note that is open.
    note: Vec<u8>,
    number: u64,
}

impl Turn {
    fn new(to_records: bool) -> Self {
        Self {
            to_records,
            header: [0; RECORD_HEADER_BYTES],
            header_len: 0,
            open: None,
            carry: Vec::with_capacity(3),
            note: Vec::new(),
            number: 0,
        }
    }

    fn push(
        &mut self,
        mut piece: Bytes,
        out: &mut VecDeque<Bytes>,
        mut on_note: impl FnMut(&[u8]) -> Option<Bytes>,
    ) -> Result<(), HttpError> {
        while !piece.is_empty() {
            let Some((passed, missing)) = self.open else {
                self.read_header(&mut piece, out)?;
                continue;
            };
            let part = piece.split_to(missing.min(piece.len()));
            let missing = missing - part.len();
            self.open = (missing > 0).then_some((passed, missing));
            if passed {
                self.give(part, missing == 0, out);
                continue;
            }
            self.note.extend_from_slice(&part);
            if missing == 0 {
                out.extend(on_note(&self.note));
                self.note.clear();
            }
        }
        Ok(())
    }

    fn read_header(
        &mut self,
        piece: &mut Bytes,
        out: &mut VecDeque<Bytes>,
    ) -> Result<(), HttpError> {
        let part = piece.split_to((RECORD_HEADER_BYTES - self.header_len).min(piece.len()));
        for byte in part {
            if let Some(place) = self.header.get_mut(self.header_len) {
                *place = byte;
                self.header_len += 1;
            }
        }
        if self.header_len < RECORD_HEADER_BYTES {
            return Ok(());
        }
        self.header_len = 0;
        let [a, b, c, d, _] = self.header;
        let len = u32::from_be_bytes([a, b, c, d]) as usize;
        let is = |kind| Encoder::header(kind, len).is_ok_and(|header| header == self.header);
        let passed = is(RecordKind::Data);
        let note = len == NOTE_BYTES && is(RecordKind::Voucher);
        if len > RECORD_BYTES_MAX || !(passed || note) {
            return Err(HttpError::Malformed("not a sequence of records"));
        }
        self.open = (len > 0).then_some((passed, len));
        if passed {
            self.begin(out);
            if len == 0 {
                self.give(Bytes::new(), true, out);
            }
        }
        Ok(())
    }

    fn begin(&mut self, out: &mut VecDeque<Bytes>) {
        if self.to_records {
            out.push_back(Bytes::copy_from_slice(&self.header));
        } else {
            out.push_back(format!("id: {}\ndata: ", self.number).into());
            self.number += 1;
        }
    }

    fn give(&mut self, part: Bytes, last: bool, out: &mut VecDeque<Bytes>) {
        if self.to_records {
            out.push_back(part);
            return;
        }
        let mut raw = std::mem::take(&mut self.carry);
        raw.extend_from_slice(&part);
        // Base64 has no padding before the end, so only whole groups of three can go.
        let ready = if last { raw.len() } else { raw.len() / 3 * 3 };
        self.carry = raw.split_off(ready);
        let mut text = STANDARD.encode(&raw);
        if last {
            text.push_str("\n\n");
        }
        out.push_back(text.into());
    }
}

#[cfg(test)]
mod tests {
    use layer_minus_delivery::sse;
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn stream() -> (Vec<Vec<u8>>, Vec<u8>) {
        let payloads: Vec<Vec<u8>> = [0, 1, 2, 3, 100, 40_000]
            .map(|len| (0..len).map(|i| i as u8).collect())
            .into();
        let mut wire = Vec::new();
        for payload in &payloads {
            wire.extend_from_slice(&Encoder::record(RecordKind::Data, payload).unwrap());
            wire.extend_from_slice(
                &Encoder::record(RecordKind::Voucher, &[7; NOTE_BYTES]).unwrap(),
            );
        }
        (payloads, wire)
    }

    fn turn(to_records: bool, wire: &[u8], piece: usize) -> Vec<u8> {
        let mut turn = Turn::new(to_records);
        let (mut out, mut notes) = (VecDeque::new(), Vec::new());
        for piece in wire.chunks(piece) {
            let piece = Bytes::copy_from_slice(piece);
            let pushed = turn.push(piece, &mut out, |note| {
                notes.push(note.to_vec());
                to_records.then(|| Bytes::from_static(b"own"))
            });
            pushed.unwrap();
        }
        assert_eq!(notes, vec![vec![7; NOTE_BYTES]; 6]);
        out.iter().flatten().copied().collect()
    }

    #[test]
    fn events_are_those_of_the_encoder_however_the_stream_is_cut() {
        let (payloads, wire) = stream();
        let expected: Vec<u8> = payloads
            .iter()
            .enumerate()
            .flat_map(|(number, payload)| sse::Encoder::event(number as u64, payload))
            .collect();
        for piece in [1, 2, 3, 4, 5, 7, 1_000, wire.len()] {
            assert_eq!(turn(false, &wire, piece), expected, "pieces of {piece}");
        }
    }

    #[test]
    fn a_note_makes_place_for_the_readers_own() {
        let (payloads, wire) = stream();
        let expected: Vec<u8> = payloads
            .iter()
            .flat_map(|payload| {
                let record = Encoder::record(RecordKind::Data, payload).unwrap();
                [&record[..], b"own"].concat()
            })
            .collect();
        for piece in [1, 6, 999, wire.len()] {
            assert_eq!(turn(true, &wire, piece), expected, "pieces of {piece}");
        }
    }

    proptest! {
        #[test]
        fn any_records_cut_anywhere_give_the_events_of_the_encoder(
            payloads in vec(vec(any::<u8>(), 0..50), 0..8),
            cuts in vec(1usize..40, 1..40),
        ) {
            let wire: Vec<u8> = payloads
                .iter()
                .flat_map(|payload| Encoder::record(RecordKind::Data, payload).unwrap())
                .collect();
            let mut turn = Turn::new(false);
            let (mut out, mut rest) = (VecDeque::new(), Bytes::from(wire));
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let piece = rest.split_to((*cut).min(rest.len()));
                turn.push(piece, &mut out, |_| None).unwrap();
            }
            let events: Vec<u8> = out.iter().flatten().copied().collect();
            let expected: Vec<u8> = payloads
                .iter()
                .enumerate()
                .flat_map(|(number, payload)| sse::Encoder::event(number as u64, payload))
                .collect();
            prop_assert_eq!(events, expected);
        }

        #[test]
        fn garbage_ends_in_an_error_or_nothing(bytes in vec(any::<u8>(), 0..200)) {
            let _ = Turn::new(true).push(Bytes::from(bytes), &mut VecDeque::new(), |_| None);
        }
    }

    #[test]
    fn garbage_is_noticed_at_its_header() {
        let mut out = VecDeque::new();
        for header in [
            [0, 0, 0, 1, 2],
            [0xff, 0, 0, 0, 0],
            [0, 0x20, 0, 1, 0],
            [0, 0, 0, 7, 1],
        ] {
            let header_bytes = Bytes::copy_from_slice(&header);
            let pushed = Turn::new(false).push(header_bytes, &mut out, |_| None);
            assert!(pushed.is_err(), "{header:?}");
        }
        assert!(out.is_empty());
    }
}
