//! What may still be written when the store is down to its reserve.

use layer_minus_message::Command;

use crate::{
    event::Event,
    node::Parts,
    store::{Store, StoreError},
};

impl<S: Store> Parts<'_, S> {
    /// Whether an event may be handled. Down at its reserve the store takes only what makes room or
    /// pays: clients collect and acknowledge, mail expires. Everything else is refused before a byte of
    /// it is kept, so that strangers cannot use the reserve up.
    pub(crate) fn may_write(&self, event: &Event) -> Result<bool, StoreError> {
        if self.has_room {
            return Ok(true);
        }
        let command = match event {
            Event::Handed { .. } | Event::Moving { .. } | Event::Closed { .. } | Event::Tick => {
                return Ok(true);
            }
            // Few, small, and money.
            Event::LaneJoined { .. } | Event::Note { .. } | Event::Backing { .. } => {
                return Ok(true);
            }
            Event::Mail { .. } | Event::See { .. } => return Ok(false),
            Event::Command { command, .. } => command,
        };
        let makes_room = matches!(
            command.command,
            Command::Listen(_)
                | Command::Ack { .. }
                | Command::Status
                | Command::Authorize(_)
                | Command::Revoke
                | Command::Unregister
        );
        match &command.signer {
            Some(signer) if makes_room => Ok(self.tx.client(&signer.wallet)?.is_some()),
            _ => Ok(false),
        }
    }
}
