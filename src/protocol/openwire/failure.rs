//! Why something was not done, as the exception that a JMS client throws for it. Clients of Jakarta Messaging read the names of
//! JMS too.

use crate::broker::{NotOpened, Refusal};

use super::codec::Throwable;

const GENERAL: &str = "javax.jms.JMSException";
const CLIENT_ID: &str = "javax.jms.InvalidClientIDException";
const DESTINATION: &str = "javax.jms.InvalidDestinationException";
const SELECTOR: &str = "javax.jms.InvalidSelectorException";
const RESOURCES: &str = "javax.jms.ResourceAllocationException";
const ROLLED_BACK: &str = "javax.jms.TransactionRolledBackException";
const SECURITY: &str = "java.lang.SecurityException";
const XA: &str = "javax.transaction.xa.XAException";

/// Error code of an XA resource manager that fails (X/Open XA, section 6: XAER_RMERR).
const XA_RESOURCE_MANAGER: i32 = -3;

/// An exception of the client's, to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    class: &'static str,
    pub(super) message: String,
}

impl Failure {
    /// Whatever has no class of its own.
    pub(super) fn general(message: impl Into<String>) -> Failure {
        Failure { class: GENERAL, message: message.into() }
    }

    /// There is no such destination, or it cannot be used so.
    pub(super) fn destination(message: impl Into<String>) -> Failure {
        Failure { class: DESTINATION, message: message.into() }
    }

    /// The text is no selector.
    pub(super) fn selector(message: impl Into<String>) -> Failure {
        Failure { class: SELECTOR, message: message.into() }
    }

    /// The connection has as much as it may have.
    pub(super) fn limit(message: impl Into<String>) -> Failure {
        Failure { class: RESOURCES, message: message.into() }
    }

    /// This version does not do that for distributed transactions. Clients read the code out of the message.
    pub(super) fn xa(message: impl AsRef<str>) -> Failure {
        Failure { class: XA, message: format!("{} xaErrorCode:{XA_RESOURCE_MANAGER}", message.as_ref()) }
    }

    /// A message or a subscription was refused.
    pub(super) fn of_place(refusal: &Refusal) -> Failure {
        Failure { class: class(refusal, DESTINATION), message: refusal.to_string() }
    }

    /// A commit was refused: nothing of the transaction has happened.
    pub(super) fn of_commit(refusal: &Refusal) -> Failure {
        Failure { class: ROLLED_BACK, message: refusal.to_string() }
    }

    /// The same about a transaction that it was to be part of.
    pub(super) fn of_whole_transaction(self) -> Failure {
        Failure { class: ROLLED_BACK, ..self }
    }

    /// Anything else was refused.
    pub(super) fn of(refusal: &Refusal) -> Failure {
        Failure { class: class(refusal, GENERAL), message: refusal.to_string() }
    }

    /// A client was not let in.
    pub(super) fn of_login(why: &NotOpened) -> Failure {
        let class = match why {
            NotOpened::Login(_) => SECURITY,
            NotOpened::ClientIdInUse { .. } => CLIENT_ID,
            NotOpened::Closed(_) => GENERAL,
        };
        Failure { class, message: why.to_string() }
    }

    /// The same for the wire, with an empty trace.
    pub(super) fn throwable(self) -> Throwable {
        Throwable { class_name: Some(self.class.into()), message: Some(self.message.into()) }
    }
}

fn class(refusal: &Refusal, invalid: &'static str) -> &'static str {
    match refusal {
        Refusal::Invalid(_) => invalid,
        Refusal::Denied(_) => SECURITY,
        Refusal::Limit(_) => RESOURCES,
        Refusal::Unsupported(_) => GENERAL,
    }
}
