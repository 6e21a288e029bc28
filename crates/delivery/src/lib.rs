//! Mailboxes, consumers, cursors and the Server-Sent Events codec.
