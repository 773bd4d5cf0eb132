//! A transaction that is open: it is kept here, and becomes commands at its commit.

use crate::broker::limits::Spread;
use crate::broker::limits::{Budget, Portion};
use crate::broker::options::{TRANSACTION_BYTES_MAX, TRANSACTION_OPERATIONS_MAX};
use crate::broker::{Command, DeliveryId, Refusal, TransactionKey};

/// An open transaction.
#[derive(Debug)]
pub(super) struct Open {
    key: TransactionKey,
    operations: Vec<Command>,
    /// Records that they become, at most.
    copies: usize,
    bytes: usize,
    portion: Portion,
    /// Why no more of it is kept, and it cannot be committed.
    spoilt: Option<Refusal>,
}

impl Open {
    /// Nothing of it is there yet.
    pub(super) fn new(key: TransactionKey) -> Open {
        Open { key, operations: Vec::new(), copies: 0, bytes: 0, portion: Portion::default(), spoilt: None }
    }

    /// Its session's name for it.
    pub(super) fn key(&self) -> TransactionKey {
        self.key
    }

    /// Bytes of what it holds.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Why it cannot be committed.
    pub(super) fn spoilt(&self) -> Option<&Refusal> {
        self.spoilt.as_ref()
    }

    /// What it holds, in order.
    pub(super) fn into_operations(self) -> Vec<Command> {
        self.operations
    }

    /// Adds an operation, beside so many bytes that its session holds. A refusal spoils it.
    pub(super) fn add(
        &mut self,
        operation: Command,
        Spread { copies, bytes }: Spread,
        held: usize,
        budget: &Budget,
    ) -> Result<(), Refusal> {
        if self.copies + copies > TRANSACTION_OPERATIONS_MAX
            || held.saturating_add(bytes) > TRANSACTION_BYTES_MAX
        {
            self.spoil(too_large());
        } else if !budget.try_raise(&mut self.portion, self.bytes + bytes) {
            self.spoil(too_many());
        }
        if let Some(refusal) = &self.spoilt {
            return Err(refusal.clone());
        }
        (self.copies, self.bytes) = (self.copies + copies, self.bytes + bytes);
        self.operations.push(operation);
        Ok(())
    }

    /// Deliveries that it has settled.
    pub(super) fn settled(&self) -> impl Iterator<Item = DeliveryId> + '_ {
        self.operations
            .iter()
            .flat_map(|it| match it {
                Command::Settle { deliveries, .. } => &deliveries[..],
                _ => &[],
            })
            .copied()
    }

    /// It cannot be committed any more, for the first reason there was. Its sends are forgotten; what it settled is still its
    /// own, until the client has heard of it.
    pub(super) fn spoil(&mut self, refusal: Refusal) {
        self.spoilt.get_or_insert(refusal);
        self.operations.retain(|it| matches!(it, Command::Settle { .. }));
        (self.bytes, self.portion) = (0, Portion::default());
    }

    /// What the broker is told when nothing of it happens.
    pub(super) fn abandoned(&self) -> Option<Command> {
        let deliveries: Vec<_> = self.settled().collect();
        (!deliveries.is_empty()).then_some(Command::Abandon { deliveries })
    }
}

fn too_large() -> Refusal {
    Refusal::Limit(format!(
        "a transaction has at most {TRANSACTION_OPERATIONS_MAX} operations and {TRANSACTION_BYTES_MAX} bytes"
    ))
}

fn too_many() -> Refusal {
    Refusal::Limit("the open transactions of all connections take all the memory that they may".into())
}
