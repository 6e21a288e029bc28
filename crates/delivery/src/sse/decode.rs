use std::collections::VecDeque;
use std::mem;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::DeliveryError;

/// Most bytes held for one event, unless [`Decoder::with_max`] says otherwise: a packet of
/// 1,000,000 bytes is 1,333,336 in base64.
pub const EVENT_BYTES_MAX: usize = 2 << 20;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The `id` field of this event, if it had one.
    pub id: Option<String>,
    /// The `event` field, if it had one: the type, `message` by default.
    pub event: Option<String>,
    /// The `data` fields, joined by line feeds, as they were sent.
    pub data: Vec<u8>,
}

impl Event {
    /// The data as standard base64.
    ///
    /// # Errors
    /// [`DeliveryError::NotBase64`].
    pub fn decode(&self) -> Result<Vec<u8>, DeliveryError> {
        STANDARD
            .decode(&self.data)
            .map_err(|_| DeliveryError::NotBase64)
    }

    /// The id as a number.
    ///
    /// # Errors
    /// [`DeliveryError::NotANumber`].
    pub fn number(&self) -> Result<u64, DeliveryError> {
        let digits = self.id.as_deref().ok_or(DeliveryError::NotANumber)?;
        if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(DeliveryError::NotANumber);
        }
        digits.parse().map_err(|_| DeliveryError::NotANumber)
    }
}

/// Reads a stream in pieces of any size.
///
/// Lines may end in LF, CR or CR LF; a byte order mark at the start is passed over, as are
/// comments and fields without a meaning. An event without data is none. What is left without
/// its empty line when the stream ends was no event: drop the decoder.
///
/// What it holds of an unfinished event is bounded. Take the events out after each
/// [`push`](Self::push): finished ones wait without a bound of their own.
#[derive(Debug)]
pub struct Decoder {
    max: usize,
    line: Vec<u8>,
    first_line: bool,
    after_cr: bool,
    id: Option<String>,
    event: Option<String>,
    /// `None` until there is a data field, which may be empty.
    data: Option<Vec<u8>>,
    last_id: String,
    ready: VecDeque<Event>,
    failed: Option<DeliveryError>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// Holds up to [`EVENT_BYTES_MAX`].
    #[must_use]
    pub fn new() -> Self {
        Self::with_max(EVENT_BYTES_MAX)
    }

    /// Holds up to `max` bytes of an event: its fields so far and the line being read.
    #[must_use]
    pub fn with_max(max: usize) -> Self {
        Self {
            max,
            line: Vec::new(),
            first_line: true,
            after_cr: false,
            id: None,
            event: None,
            data: None,
            last_id: String::new(),
            ready: VecDeque::new(),
            failed: None,
        }
    }

    /// Reads a piece.
    ///
    /// # Errors
    /// [`DeliveryError::EventTooLong`]. From then on every call fails; events read before can
    /// still be taken.
    pub fn push(&mut self, mut piece: &[u8]) -> Result<(), DeliveryError> {
        if let Some(failure) = &self.failed {
            return Err(failure.clone());
        }
        while let Some(&next) = piece.first() {
            if mem::take(&mut self.after_cr) && next == b'\n' {
                piece = piece.get(1..).unwrap_or_default();
                continue;
            }
            let end = piece.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let (part, rest) = piece.split_at(end.unwrap_or(piece.len()));
            if self.held().saturating_add(part.len()) > self.max {
                let failure = DeliveryError::EventTooLong { max: self.max };
                self.fail(failure.clone());
                return Err(failure);
            }
            self.line.extend_from_slice(part);
            match rest.split_first() {
                Some((end, after)) => {
                    self.after_cr = *end == b'\r';
                    self.end_line();
                    piece = after;
                }
                None => break,
            }
        }
        Ok(())
    }

    /// Takes the oldest event read.
    pub fn next_event(&mut self) -> Option<Event> {
        self.ready.pop_front()
    }

    /// The newest id that the stream has set, to resume after; empty before the first.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        &self.last_id
    }

    /// Bytes held of the event being read.
    #[must_use]
    pub fn held(&self) -> usize {
        let fields = [self.id.as_deref(), self.event.as_deref()];
        let fields: usize = fields.into_iter().flatten().map(str::len).sum();
        // A data field counts one more for the line feed that may join it to the next.
        let data = self.data.as_ref().map_or(0, |data| data.len() + 1);
        self.line.len() + fields + data
    }

    fn fail(&mut self, failure: DeliveryError) {
        self.line = Vec::new();
        self.data = None;
        self.failed = Some(failure);
    }

    fn end_line(&mut self) {
        let mut line = mem::take(&mut self.line);
        if mem::take(&mut self.first_line) && line.starts_with(BYTE_ORDER_MARK) {
            line.drain(..BYTE_ORDER_MARK.len());
        }
        if line.is_empty() {
            self.end_event();
            return;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let value_at = match colon {
            None => line.len(),
            Some(colon) if line.get(colon + 1) == Some(&b' ') => colon + 2,
            Some(colon) => colon + 1,
        };
        let name = line.get(..colon.unwrap_or(line.len())).unwrap_or_default();
        match name {
            b"data" => {
                // The first data field becomes the data without another copy: packets are large.
                if let Some(data) = &mut self.data {
                    data.push(b'\n');
                    data.extend_from_slice(line.get(value_at..).unwrap_or_default());
                } else {
                    line.drain(..value_at);
                    self.data = Some(line);
                }
            }
            b"event" => self.event = Some(lossy(&line, value_at)),
            b"id" if !line.contains(&0) => self.id = Some(lossy(&line, value_at)),
            // A comment (no name), `retry` (the client has its own pace), or unknown.
            _ => {}
        }
    }

    fn end_event(&mut self) {
        let id = self.id.take();
        let event = self.event.take();
        if let Some(id) = &id {
            self.last_id.clone_from(id);
        }
        if let Some(data) = self.data.take() {
            self.ready.push_back(Event { id, event, data });
        }
    }
}

fn lossy(line: &[u8], value_at: usize) -> String {
    String::from_utf8_lossy(line.get(value_at..).unwrap_or_default()).into_owned()
}
