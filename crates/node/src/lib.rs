//! What a node decides: events and time in, durable changes and effects out.
