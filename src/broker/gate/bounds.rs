//! Whether a session may do what it asks. It is judged on the connection's task, before a command leaves it.

use std::sync::Arc;

use crate::broker::{Command, Correlation, Principal, Refusal, TransactionKey, Transfer, Way};
use crate::model::{Destination, DestinationKind, Field, Message};
use crate::security::{Account, Denied, Permission};

/// What somebody may do, and what was sent to last: a producer sends to the same place again and again.
#[derive(Debug)]
pub(super) struct Bounds {
    account: Arc<Account>,
    /// The field of a destination that may be written.
    written: Vec<u8>,
}

/// What was not allowed, and who wants to know.
#[derive(Debug)]
pub(super) struct Denial {
    pub(super) transaction: Option<TransactionKey>,
    pub(super) correlation: Option<Correlation>,
    pub(super) refusal: Refusal,
}

impl Bounds {
    /// Of a session's owner; none if everything is allowed.
    pub(super) fn of(principal: &Principal) -> Option<Bounds> {
        match principal {
            Principal::Known(account) if account.is_bounded() => {
                Some(Bounds { account: Arc::clone(account), written: Vec::new() })
            }
            _ => None,
        }
    }

    /// Whether a command is allowed; what settles, and what ends something, always is.
    pub(super) fn check(&mut self, command: &Command) -> Result<(), Denial> {
        let (transaction, correlation, judged) = match command {
            Command::Send { message, transaction, correlation } => {
                (*transaction, *correlation, self.may_send(message))
            }
            Command::Subscribe { destination, correlation, .. } => {
                (None, *correlation, self.may(Permission::Read, "read from", destination))
            }
            Command::Produce { destination: Some(destination), correlation, .. } => {
                (None, *correlation, self.may(Permission::Write, "write to", destination))
            }
            Command::Create { destination, correlation } => {
                (None, *correlation, self.may(Permission::Admin, "create", destination))
            }
            Command::Delete { destination, correlation, .. } => {
                (None, *correlation, self.may(Permission::Admin, "remove", destination))
            }
            Command::Purge { destination, correlation } => {
                (None, *correlation, self.may(Permission::Admin, "purge", destination))
            }
            Command::Pause { destination, paused, correlation } => {
                let verb = if *paused { "pause" } else { "resume" };
                (None, *correlation, self.may(Permission::Admin, verb, destination))
            }
            Command::Transfer { from, transfer, correlation } => {
                (None, *correlation, self.may_transfer(from, transfer))
            }
            Command::RemoveSubscription { client_id: Some(_), correlation, .. } => {
                let all = Destination { kind: DestinationKind::Topic, name: ">".to_owned() };
                (None, *correlation, self.may(Permission::Admin, "remove subscriptions of", &all))
            }
            Command::RemoveSubscription { client_id: None, .. }
            | Command::Produce { destination: None, .. }
            | Command::EndProducer { .. }
            | Command::Unsubscribe { .. }
            | Command::Credit { .. }
            | Command::Drain { .. }
            | Command::Settle { .. }
            | Command::Begin { .. }
            | Command::Finish { .. }
            | Command::Abandon { .. }
            | Command::Leave { .. } => return Ok(()),
        };
        judged.map_err(|refusal| Denial { transaction, correlation, refusal })
    }

    fn may_send(&mut self, message: &Message) -> Result<(), Refusal> {
        let fields = message.fields().take_while(|(tag, _)| *tag == Field::Destination as u8);
        for (_, field) in fields {
            if field == &self.written[..] {
                continue;
            }
            let read = field.split_first().and_then(|(kind, name)| {
                Some((DestinationKind::from_code(*kind)?, std::str::from_utf8(name).ok()?))
            });
            // The broker says what is wrong with a name that is none.
            let Some((kind, name)) = read else { continue };
            self.account.check(Permission::Write, "write to", kind, name).map_err(refusal)?;
            self.written.clear();
            self.written.extend_from_slice(field);
        }
        Ok(())
    }

    /// Where dead letters go back to is judged one by one, by the core.
    fn may_transfer(&self, from: &Destination, transfer: &Transfer) -> Result<(), Refusal> {
        self.may(Permission::Admin, "take from", from)?;
        match &transfer.way {
            Way::Move(to) | Way::Copy(to) => self.may(Permission::Write, "write to", to),
            Way::Retry => Ok(()),
        }
    }

    fn may(&self, what: Permission, verb: &'static str, on: &Destination) -> Result<(), Refusal> {
        self.account.check(what, verb, on.kind, &on.name).map_err(refusal)
    }
}

fn refusal(denied: Denied) -> Refusal {
    Refusal::Denied(denied.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Encoding, MessageBuilder};
    use crate::security::{Rights, Rule, Target};

    #[test]
    fn a_send_is_judged_without_an_allocation_once_its_place_is_known() {
        let rule = |name: &str| {
            let groups = [Vec::new(), vec!["*".to_owned()], Vec::new()];
            Rule::new(&Target::Queue(name.to_owned()), groups, String::new()).unwrap()
        };
        let rights = Rights::new(vec![rule("A.*.C"), rule("B.>")]);
        let account = Arc::new(Account::new("a", &[], &rights));
        let mut bounds = Bounds::of(&Principal::Known(account)).unwrap();
        let send = |name: &str| {
            let destination = Destination::new(DestinationKind::Queue, name).unwrap();
            let mut message = MessageBuilder::new(Encoding::Native);
            message.destination(Field::Destination, &destination);
            let message = message.build().unwrap();
            Command::Send { message, transaction: None, correlation: None }
        };
        let (one, other) = (send("A.b.C"), send("B.c"));
        assert!(bounds.check(&one).is_ok() && bounds.check(&send("A.b.D")).is_err());
        let counted = allocation_counter::measure(|| {
            for command in [&one, &one, &other, &one] {
                assert!(bounds.check(command).is_ok());
            }
        });
        assert_eq!(counted.count_total, 0);
    }
}
