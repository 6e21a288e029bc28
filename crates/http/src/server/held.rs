//! Packets that are held whole. Each takes room for what has come of it, not for what was announced,
//! and has as long as its size needs: whoever opens many uploads and sends nothing keeps nobody out.

use std::{future::poll_fn, time::Duration};

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use tokio::time::timeout;

use super::gate::{Gate, Permit};
use crate::{
    limits::{HELD_BYTES_PER_SEC, HELD_TIMEOUT, PIECE_BYTES_MAX},
    upload::{Failure, Upload},
};

/// Room that is taken at a time, bytes.
const STEP_BYTES: usize = 2 * PIECE_BYTES_MAX;

/// How long a body of that size may take.
pub(crate) fn time_for(size_bytes: usize) -> Duration {
    HELD_TIMEOUT + Duration::from_secs((size_bytes / HELD_BYTES_PER_SEC) as u64)
}

/// What has come of a body.
pub(crate) struct Held<'a> {
    gate: &'a Gate,
    bytes: BytesMut,
    room: Option<Permit>,
}

impl<'a> Held<'a> {
    pub(crate) fn new(gate: &'a Gate) -> Self {
        Self {
            gate,
            bytes: BytesMut::new(),
            room: None,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Takes a piece, if there is room.
    pub(crate) async fn push(&mut self, piece: &[u8]) -> Result<(), StatusCode> {
        let room = self.room.as_ref().map_or(0, Permit::num_permits);
        if self.bytes.len() + piece.len() > room {
            let more = self.gate.hold(piece.len().max(STEP_BYTES)).await;
            let more = more.ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
            match &mut self.room {
                Some(room) => room.merge(more),
                None => self.room = Some(more),
            }
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    /// The bytes, and the room that they take until it is dropped; none for no bytes.
    pub(crate) fn finish(self) -> (Bytes, Option<Permit>) {
        (self.bytes.freeze(), self.room)
    }
}

/// Reads a body of at most `size_bytes` whole, within the time for that.
pub(crate) async fn collect(
    upload: &Upload,
    size_bytes: usize,
    gate: &Gate,
) -> Result<(Bytes, Option<Permit>), StatusCode> {
    let mut held = Held::new(gate);
    let whole = async {
        while let Some(piece) = poll_fn(|cx| upload.poll_piece(cx)).await {
            held.push(&piece.map_err(Failure::status)?).await?;
        }
        Ok::<(), StatusCode>(())
    };
    timeout(time_for(size_bytes), whole)
        .await
        .map_err(|_| StatusCode::REQUEST_TIMEOUT)??;
    Ok(held.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    #[test]
    fn the_time_grows_with_the_size() {
        assert_eq!(time_for(0).as_secs(), 10);
        assert_eq!(time_for(16_000).as_secs(), 11);
        assert_eq!(time_for(1_000_000).as_secs(), 72);
    }

    #[tokio::test(start_paused = true)]
    async fn room_is_taken_by_what_came_and_comes_back() {
        let limits = Limits {
            held_bytes_max: 10 * STEP_BYTES as u64,
            ..Limits::default()
        };
        let gate = Gate::new(&limits, 1);
        // More bodies than there is room for whole ones.
        let mut many: Vec<Held<'_>> = (0..100).map(|_| Held::new(&gate)).collect();
        for held in many.iter_mut().take(9) {
            held.push(b"{").await.unwrap();
        }
        let mut one = Held::new(&gate);
        one.push(&[0; STEP_BYTES]).await.unwrap();
        assert_eq!(
            one.push(b"x").await,
            Err(StatusCode::SERVICE_UNAVAILABLE),
            "all is taken"
        );
        drop(many);
        one.push(b"x").await.unwrap();
        let (bytes, room) = one.finish();
        assert_eq!(bytes.len(), STEP_BYTES + 1);
        assert_eq!(room.unwrap().num_permits(), 2 * STEP_BYTES);
    }
}
