//! One direction of an HTTP/1.1 connection (RFC 9112), read as it passes by.

/// Longest head that is understood, bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Longest line of a chunked body's framing, bytes.
const LINE_BYTES_MAX: usize = 1_024;

/// First line and headers of a request or answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// The first line, as it was.
    pub(crate) line: String,
    /// Names in lowercase.
    headers: Vec<(String, String)>,
}

impl Head {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut lines = text.split("\r\n");
        let line = lines.next()?.to_owned();
        let headers = lines.filter(|line| !line.is_empty()).map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        });
        Some(Self {
            line,
            headers: headers.collect::<Option<_>>()?,
        })
    }

    /// The value of a header, by its lowercase name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The status of an answer.
    pub(crate) fn status(&self) -> Option<u16> {
        self.line
            .strip_prefix("HTTP/1.")?
            .split(' ')
            .nth(1)?
            .parse()
            .ok()
    }

    fn is_chunked(&self) -> bool {
        self.get("transfer-encoding")
            .is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
    }
}

/// Which direction is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From the client: a body needs a length or chunks.
    Requests,
    /// From the server: a body may last until the connection ends.
    Answers,
}

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen<'a> {
    /// A request or answer begins.
    Head(Head),
    /// Bytes of its body, without the framing.
    Body(&'a [u8]),
    /// It is complete.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    Fixed {
        left: u64,
    },
    ChunkSize,
    Chunk {
        left: u64,
    },
    ChunkEnd,
    Trailers,
    UntilClose,
    /// Not HTTP/1.1: nothing more is said about it.
    Lost,
}

/// Reads one direction of a connection.
#[derive(Debug)]
pub(crate) struct Reader {
    direction: Direction,
    state: State,
    held: Vec<u8>,
}

impl Reader {
    pub(crate) const fn new(direction: Direction) -> Self {
        Self {
            direction,
            state: State::Head,
            held: Vec::new(),
        }
    }

    /// Whether something passed that is not HTTP/1.1.
    pub(crate) fn is_lost(&self) -> bool {
        self.state == State::Lost
    }

    /// Takes the bytes that passed and tells what they say.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], mut tell: impl FnMut(Seen<'_>)) {
        while !bytes.is_empty() {
            bytes = match self.state {
                State::Head => self.head(bytes, &mut tell),
                State::Fixed { left } => {
                    let (rest, left) = body(bytes, left, &mut tell);
                    self.state = State::Fixed { left };
                    if left == 0 {
                        self.end(&mut tell);
                    }
                    rest
                }
                State::Chunk { left } => {
                    let (rest, left) = body(bytes, left, &mut tell);
                    self.state = if left == 0 {
                        State::ChunkEnd
                    } else {
                        State::Chunk { left }
                    };
                    rest
                }
                State::ChunkSize | State::ChunkEnd | State::Trailers => self.line(bytes, &mut tell),
                State::UntilClose => {
                    tell(Seen::Body(bytes));
                    &[]
                }
                State::Lost => &[],
            };
        }
    }

    /// The connection ended.
    pub(crate) fn close(&mut self, mut tell: impl FnMut(Seen<'_>)) {
        if self.state == State::UntilClose {
            self.end(&mut tell);
        }
    }

    fn end(&mut self, tell: &mut impl FnMut(Seen<'_>)) {
        self.state = State::Head;
        tell(Seen::End);
    }

    /// Gathers bytes until `end` is in them; returns what follows, and whether it is complete.
    fn gather<'a>(&mut self, bytes: &'a [u8], end: &[u8], limit: usize) -> (&'a [u8], bool) {
        let before = self.held.len();
        self.held.extend_from_slice(bytes);
        let from = before.saturating_sub(end.len() - 1);
        let found = self.held[from..]
            .windows(end.len())
            .position(|window| window == end);
        match found {
            Some(at) => {
                let complete = from + at + end.len();
                self.held.truncate(complete);
                (&bytes[complete - before..], true)
            }
            None => {
                if self.held.len() > limit {
                    self.state = State::Lost;
                }
                (&[], false)
            }
        }
    }

    fn head<'a>(&mut self, bytes: &'a [u8], tell: &mut impl FnMut(Seen<'_>)) -> &'a [u8] {
        let (rest, complete) = self.gather(bytes, b"\r\n\r\n", HEAD_BYTES_MAX);
        if !complete {
            return rest;
        }
        let held = std::mem::take(&mut self.held);
        let Some(head) = Head::parse(&held) else {
            self.state = State::Lost;
            return rest;
        };
        self.state = self.body_of(&head);
        if self.state == State::Head {
            // An interim answer (1xx) is followed by the real one.
            return rest;
        }
        tell(Seen::Head(head));
        if self.state == (State::Fixed { left: 0 }) {
            self.end(tell);
        }
        rest
    }

    /// RFC 9112 §6.3.
    fn body_of(&self, head: &Head) -> State {
        let status = head.status();
        if self.direction == Direction::Answers {
            match status {
                Some(100..=199) => return State::Head,
                Some(204 | 304) => return State::Fixed { left: 0 },
                Some(_) => {}
                None => return State::Lost,
            }
        }
        if head.is_chunked() {
            return State::ChunkSize;
        }
        match (head.get("content-length").map(str::parse), self.direction) {
            (Some(Ok(left)), _) => State::Fixed { left },
            (Some(Err(_)), _) => State::Lost,
            (None, Direction::Requests) => State::Fixed { left: 0 },
            (None, Direction::Answers) => State::UntilClose,
        }
    }

    fn line<'a>(&mut self, bytes: &'a [u8], tell: &mut impl FnMut(Seen<'_>)) -> &'a [u8] {
        let (rest, complete) = self.gather(bytes, b"\r\n", LINE_BYTES_MAX);
        if !complete {
            return rest;
        }
        let held = std::mem::take(&mut self.held);
        let line = &held[..held.len() - 2];
        match self.state {
            State::ChunkSize => {
                let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
                let size = std::str::from_utf8(digits).ok();
                self.state = match size.and_then(|size| u64::from_str_radix(size.trim(), 16).ok()) {
                    Some(0) => State::Trailers,
                    Some(left) => State::Chunk { left },
                    None => State::Lost,
                };
            }
            State::ChunkEnd if line.is_empty() => self.state = State::ChunkSize,
            State::Trailers if line.is_empty() => self.end(tell),
            State::Trailers => {}
            _ => self.state = State::Lost,
        }
        rest
    }
}

/// Tells the part of `bytes` that belongs to a body of which `left` bytes are missing.
fn body<'a>(bytes: &'a [u8], left: u64, tell: &mut impl FnMut(Seen<'_>)) -> (&'a [u8], u64) {
    let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
    let (mine, rest) = bytes.split_at(count);
    if !mine.is_empty() {
        tell(Seen::Body(mine));
    }
    (rest, left - count as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Everything that was told, as text; the bytes come in pieces of `step`.
    fn told(direction: Direction, bytes: &[u8], step: usize) -> Vec<String> {
        let mut reader = Reader::new(direction);
        let mut told: Vec<String> = Vec::new();
        let mut tell = |seen: Seen<'_>| match seen {
            Seen::Head(head) => told.push(format!("head {}", head.line)),
            Seen::Body(bytes) => {
                let text = String::from_utf8_lossy(bytes);
                match told.last_mut().filter(|last| last.starts_with("body ")) {
                    Some(last) => last.push_str(&text),
                    None => told.push(format!("body {text}")),
                }
            }
            Seen::End => told.push("end".to_owned()),
        };
        for piece in bytes.chunks(step) {
            reader.feed(piece, &mut tell);
        }
        reader.close(&mut tell);
        if reader.is_lost() {
            told.push("lost".to_owned());
        }
        told
    }

    const REQUESTS: &[u8] = b"POST /post HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n\r\n\
        POST /x HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3;a=b\r\nabc\r\nA\r\n0123456789\r\n0\r\nt: x\r\n\r\n";

    #[test]
    fn requests_on_one_connection_are_told_apart_however_they_arrive() {
        let expected = [
            "head POST /post HTTP/1.1",
            "body hello",
            "end",
            "head GET / HTTP/1.1",
            "end",
            "head POST /x HTTP/1.1",
            "body abc0123456789",
            "end",
        ];
        for step in [1, 2, 3, 7, 1_000] {
            assert_eq!(
                told(Direction::Requests, REQUESTS, step),
                expected,
                "step {step}"
            );
        }
    }

    #[test]
    fn answers_may_last_until_the_end_and_interim_ones_are_none() {
        let bytes = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n\r\nrest";
        for step in [1, 5, 1_000] {
            assert_eq!(
                told(Direction::Answers, bytes, step),
                [
                    "head HTTP/1.1 204 No Content",
                    "end",
                    "head HTTP/1.1 200 OK",
                    "body rest",
                    "end",
                ]
            );
        }
        let head = Head::parse(b"HTTP/1.1 502 Bad Gateway\r\nA: b\r\n\r\n").unwrap();
        assert_eq!((head.status(), head.get("a")), (Some(502), Some("b")));
    }

    #[test]
    fn what_is_not_http_is_said_to_be_so() {
        for bytes in [
            b"\xff\xfe\r\n\r\n".as_slice(),
            b"POST / HTTP/1.1\r\nno colon\r\n\r\n",
            b"POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n",
            b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
            b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n",
        ] {
            let told = told(Direction::Requests, bytes, 4);
            assert_eq!(told.last().map(String::as_str), Some("lost"), "{told:?}");
        }
        let endless = vec![b'a'; HEAD_BYTES_MAX + 1];
        assert_eq!(told(Direction::Requests, &endless, 1_000), ["lost"]);
    }

    /// A request with a body, framed by a length or in chunks.
    fn framed(body: &str, chunk: Option<usize>) -> String {
        let Some(chunk) = chunk else {
            let length = body.len();
            return format!("POST /p HTTP/1.1\r\ncontent-length: {length}\r\n\r\n{body}");
        };
        let chunks = body.as_bytes().chunks(chunk);
        let chunks = chunks.map(|piece| {
            let text = std::str::from_utf8(piece).unwrap();
            format!("{:x}\r\n{text}\r\n", piece.len())
        });
        let chunks: String = chunks.collect();
        format!("POST /p HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n")
    }

    proptest! {
        #[test]
        fn every_body_is_told_without_its_framing(
            bodies in proptest::collection::vec(("[a-z]{1,200}", proptest::option::of(1_usize..70)), 1..5),
            step in 1_usize..500,
        ) {
            let mut bytes = String::new();
            let mut expected = Vec::new();
            for (body, chunk) in &bodies {
                bytes.push_str(&framed(body, *chunk));
                expected.push("head POST /p HTTP/1.1".to_owned());
                expected.push(format!("body {body}"));
                expected.push("end".to_owned());
            }
            prop_assert_eq!(told(Direction::Requests, bytes.as_bytes(), step), expected);
        }

        #[test]
        fn garbage_is_told_the_same_however_it_arrives(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            start in proptest::sample::select(vec!["", "HTTP/1.1 200 OK\r\n\r\n", "POST / HTTP/1.1\r\n"]),
            step in 1_usize..50,
        ) {
            let bytes = [start.as_bytes(), &bytes].concat();
            for direction in [Direction::Requests, Direction::Answers] {
                let whole = told(direction, &bytes, bytes.len().max(1));
                let heads = |told: &[String]| -> Vec<String> {
                    // Bytes that are no text are shown differently when they are cut.
                    told.iter().filter(|line| !line.starts_with("body ")).cloned().collect()
                };
                prop_assert_eq!(heads(&told(direction, &bytes, step)), heads(&whole));
            }
        }
    }
}
