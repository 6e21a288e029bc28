//! The table of nodes and the one rule that moves every packet.
