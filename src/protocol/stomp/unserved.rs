//! What ActiveMQ offers to STOMP clients and this version does not. It is refused by name: accepted, it would be
//! forgotten, and its owner would wait for what never comes.

/// Whether a SEND may have a header of this name.
pub(super) fn send_header(name: &str) -> Result<(), String> {
    if name == "transformation" {
        return Err("header transformation: the transformation of messages is not supported by this version"
            .to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_forgotten_is_refused_and_nothing_else() {
        assert!(send_header("transformation").unwrap_err().contains("transformation"));
        for name in ["JMSXMyOwn", "AMQ_SCHEDULED_DELAY", "AMQ_SCHEDULER_ACTION"] {
            assert_eq!(send_header(name), Ok(()));
        }
    }
}
