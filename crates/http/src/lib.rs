//! The sockets of a node and of a client: HTTP in, HTTP out.
