//! Nodes for the tests: made once, because keys take time.
