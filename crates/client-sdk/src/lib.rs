//! What a client decides: packets to send, answers and streams to read, files to cut and join.
