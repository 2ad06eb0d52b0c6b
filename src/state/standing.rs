//! How the configuration on disk stands to the one in force. Reads neither.

/// By the paths of keys alone, which hold no secret: messages are for the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What kept the configuration that was read last from being taken; empty where it is in force.
    pub refused: Vec<String>,
    /// What of the one in force waits for a restart.
    pub waiting: Vec<String>,
}
