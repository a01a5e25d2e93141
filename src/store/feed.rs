//! The durable head, for whoever follows the log.

/// Waits for the durable head to move on.
pub struct Feed {}
