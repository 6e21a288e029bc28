//! Cards, records, frames, commands, acceptances, receipts: what is said inside the layers.
