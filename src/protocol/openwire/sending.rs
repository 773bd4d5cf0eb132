//! Sends and transactions of one connection.

use crate::broker::{Command, TransactionKey};

use super::acknowledge::{self, Settled};
use super::adapter::{Open, OpenWireAdapter, What};
use super::codec::{DataArrayResponse, Message, MessageAck, Structure, TransactionInfo};
use super::convert;
use super::failure::Failure;

/// Open transactions of one connection.
const TRANSACTIONS_MAX: usize = 1_000;

/// What is done to a transaction. The numbers are OpenWire's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Begin,
    CommitOnePhase,
    Rollback,
    Recover,
    /// Nothing that the broker has to know.
    Pass,
}

impl Verb {
    fn from_code(code: i8) -> Result<Verb, Failure> {
        Ok(match code {
            0 => Verb::Begin,
            2 => Verb::CommitOnePhase,
            4 => Verb::Rollback,
            5 => Verb::Recover,
            6 | 7 => Verb::Pass,
            1 => return Err(Failure::xa("prepare is not supported by this version")),
            3 => return Err(Failure::xa("commit of what was prepared is not supported by this version")),
            other => return Err(Failure::general(format!("unknown transaction verb: {other}"))),
        })
    }
}

fn not_begun() -> Failure {
    Failure::general("the transaction has not been started")
}

impl OpenWireAdapter {
    /// A message is sent, in a frame of so many bytes.
    pub(super) fn send(
        &mut self,
        message: Message,
        bytes: usize,
        commands: &mut Vec<Command>,
    ) -> Result<(), Failure> {
        let request = message.response_required.then_some(message.command_id);
        let window = self.producers.owed(&message);
        let transaction = match message.transaction_id.as_deref() {
            Some(id) => Some(self.transactions.get(id).ok_or_else(not_begun)?.key),
            None => None,
        };
        let id = message.transaction_id.clone();
        let message = convert::message(message, self.clock_wall()).inspect_err(|failure| {
            self.spoil(id.as_deref(), failure);
        })?;
        // Every send outside of a transaction wants an answer, asked for or not: it is what bounds a producer.
        let correlation = match transaction {
            Some(_) if request.is_none() && window.is_none() => None,
            Some(_) => self.wait(request, What::Send(window), None),
            None => self.wait(request, What::Send(window), Some(bytes)),
        };
        commands.push(Command::Send { message, transaction, correlation });
        Ok(())
    }

    /// What was part of a transaction could not be done: it cannot be committed any more.
    fn spoil(&mut self, transaction: Option<&Structure>, failure: &Failure) {
        if let Some(open) = transaction.and_then(|id| self.transactions.get_mut(id)) {
            open.spoilt.get_or_insert_with(|| failure.clone());
        }
    }

    /// A consumer acknowledges.
    pub(super) fn acknowledge(
        &mut self,
        ack: &MessageAck,
        request: Option<i32>,
        bytes: usize,
        commands: &mut Vec<Command>,
        output: &mut crate::protocol::Output,
    ) -> Result<(), Failure> {
        let transaction = match ack.transaction_id.as_deref() {
            Some(id) => Some(self.transactions.get(id).ok_or_else(not_begun)?.key),
            None => None,
        };
        let number = ack.consumer_id.as_ref().and_then(|id| self.consumers.find(id));
        let known = number.and_then(|number| self.consumers.get_mut(number));
        let taken = match known {
            Some(known) => {
                acknowledge::take(&mut known.consumer, ack, transaction).inspect(|_| known.regrant(commands))
            }
            None => Err(Failure::general("Unmatched acknowledge: there is no such consumer")),
        };
        match taken {
            Ok(None) => self.respond(request, output),
            Ok(Some(settled)) => self.settle(settled, request, bytes, commands),
            Err(failure) if request.is_some() => {
                self.spoil(ack.transaction_id.as_deref(), &failure);
                return Err(failure);
            }
            // It may be of before a failover, and its message comes again, which a transaction must not overlook.
            Err(failure) => self.spoil(ack.transaction_id.as_deref(), &failure),
        }
        Ok(())
    }

    fn settle(&mut self, settled: Settled, request: Option<i32>, bytes: usize, commands: &mut Vec<Command>) {
        let Settled { deliveries, verdict, transaction } = settled;
        if let (
            None,
            None,
            Some(Command::Settle { deliveries: before, verdict: same, transaction: None, correlation: None }),
        ) = (transaction, request, commands.last_mut())
            && *same == verdict
        {
            before.extend(deliveries);
            return;
        }
        let correlation = self.wait_if_asked(request, bytes);
        commands.push(Command::Settle { deliveries, verdict, transaction, correlation });
    }

    /// A transaction begins or ends.
    pub(super) fn transaction(
        &mut self,
        info: TransactionInfo,
        request: Option<i32>,
        bytes: usize,
        commands: &mut Vec<Command>,
        output: &mut crate::protocol::Output,
    ) -> Result<(), Failure> {
        let verb = Verb::from_code(info.r#type)?;
        let id = info.transaction_id.map(|id| *id);
        let id =
            id.filter(|id| matches!(id, Structure::LocalTransactionId(_) | Structure::XATransactionId(_)));
        let named = || Failure::general("there is no transaction id");
        match verb {
            Verb::Begin => self.begin(id.ok_or_else(named)?, request, commands, output),
            Verb::CommitOnePhase | Verb::Rollback => {
                let id = id.ok_or_else(named)?;
                let Open { key, spoilt } = self.transactions.remove(&id).ok_or_else(not_begun)?;
                let commit = verb == Verb::CommitOnePhase;
                if let Some(failure) = spoilt.filter(|_| commit) {
                    self.roll_back(key, None, bytes, commands);
                    return Err(failure.of_whole_transaction());
                }
                if commit {
                    self.consumers.commit(key);
                    self.consumers.regrant_all(commands);
                    let correlation = self.wait(request, What::Commit(key), Some(bytes));
                    commands.push(Command::Finish { transaction: key, commit, correlation });
                } else {
                    self.roll_back(key, request, bytes, commands);
                }
                Ok(())
            }
            Verb::Recover => {
                let correlation_id = request.unwrap_or_default();
                let none = DataArrayResponse { correlation_id, data: Some(Vec::new()), ..Default::default() };
                self.put(&Structure::DataArrayResponse(none.into()), output);
                Ok(())
            }
            Verb::Pass => {
                self.respond(request, output);
                Ok(())
            }
        }
    }

    fn begin(
        &mut self,
        id: Structure,
        request: Option<i32>,
        commands: &mut Vec<Command>,
        output: &mut crate::protocol::Output,
    ) -> Result<(), Failure> {
        // A distributed transaction may be begun again, by whoever joins it.
        if self.transactions.contains_key(&id) {
            self.respond(request, output);
            return Ok(());
        }
        if self.transactions.len() >= TRANSACTIONS_MAX {
            return Err(Failure::limit(format!(
                "a connection has at most {TRANSACTIONS_MAX} open transactions"
            )));
        }
        self.keys += 1;
        let key = TransactionKey(self.keys);
        self.transactions.insert(id, Open { key, spoilt: None });
        let correlation = self.wait(request, What::Other, None);
        commands.push(Command::Begin { transaction: key, correlation });
        Ok(())
    }

    fn roll_back(
        &mut self,
        key: TransactionKey,
        request: Option<i32>,
        bytes: usize,
        commands: &mut Vec<Command>,
    ) {
        self.consumers.finish(key, false);
        let correlation = self.wait(request, What::Other, Some(bytes));
        commands.push(Command::Finish { transaction: key, commit: false, correlation });
        self.consumers.regrant_all(commands);
    }
}
