//! What an acknowledgement means for the deliveries that it names.

use crate::broker::{DeliveryId, TransactionKey, Verdict};

use super::codec::MessageAck;
use super::consumer::Consumer;
use super::convert::message_id::reference;
use super::failure::Failure;

/// The kinds of acknowledgements. The numbers are OpenWire's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The application has got the messages, and they stay unsettled.
    Delivered,
    /// The client gives up on them.
    Poison,
    /// They are consumed.
    Standard,
    /// The application failed with them, and gets them again from the client.
    Redelivered,
    /// One message is consumed.
    Individual,
    /// The client did not want them.
    Unmatched,
    /// The client found them expired.
    Expired,
}

impl Kind {
    fn from_code(code: i8) -> Option<Kind> {
        Some(match code {
            0 => Kind::Delivered,
            1 => Kind::Poison,
            2 => Kind::Standard,
            3 => Kind::Redelivered,
            4 => Kind::Individual,
            5 => Kind::Unmatched,
            6 => Kind::Expired,
            _ => return None,
        })
    }
}

/// What the broker is to be told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) deliveries: Vec<DeliveryId>,
    pub(super) verdict: Verdict,
    pub(super) transaction: Option<TransactionKey>,
}

/// Takes an acknowledgement; nothing if the broker does not have to know. `transaction` is the one that it is part of.
///
/// # Errors
/// It names what its consumer has not been sent, on this connection, or has settled.
pub(super) fn take(
    consumer: &mut Consumer,
    ack: &MessageAck,
    transaction: Option<TransactionKey>,
) -> Result<Option<Settled>, Failure> {
    let kind = Kind::from_code(ack.ack_type)
        .ok_or_else(|| Failure::general(format!("unknown kind of acknowledgement: {}", ack.ack_type)))?;
    let unknown = || Failure::general("Unmatched acknowledge: the message was not sent to this consumer");
    let last = ack.last_message_id.as_ref().map(reference).ok_or_else(unknown)?;
    if kind == Kind::Delivered {
        return if consumer.consume(last) { Ok(None) } else { Err(unknown()) };
    }
    let first = match kind {
        Kind::Individual => Some(last),
        _ => ack.first_message_id.as_ref().map(reference),
    };
    let deliveries = consumer.range(first, last).ok_or_else(unknown)?;
    let verdict = match kind {
        Kind::Standard | Kind::Individual | Kind::Unmatched | Kind::Delivered => Verdict::Consumed,
        Kind::Poison => Verdict::Rejected,
        Kind::Redelivered => Verdict::Retried,
        Kind::Expired => Verdict::Expired,
    };
    // As in ActiveMQ, only what is consumed waits for its transaction.
    let transaction = transaction.filter(|_| verdict == Verdict::Consumed);
    if verdict == Verdict::Retried {
        consumer.consume(last);
    } else {
        consumer.settle(&deliveries, transaction);
    }
    Ok(Some(Settled { deliveries, verdict, transaction }).filter(|it| !it.deliveries.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::super::codec::MessageId;
    use super::*;
    use crate::broker::SubscriptionKey;

    fn id(number: i64) -> MessageId {
        MessageId { producer_sequence_id: 100 + number, broker_sequence_id: number, ..MessageId::default() }
    }

    fn ack(ack_type: i8, first: Option<i64>, last: i64) -> MessageAck {
        MessageAck {
            ack_type,
            first_message_id: first.map(id),
            last_message_id: Some(id(last)),
            ..MessageAck::default()
        }
    }

    /// Has got messages 1 to 4.
    fn consumer() -> Consumer {
        let mut consumer = Consumer::new(vec![SubscriptionKey(1)], 10);
        (1..=4).for_each(|number| consumer.delivered(reference(&id(number))));
        consumer
    }

    #[test]
    fn each_kind_settles_what_it_names_as_it_says() {
        let all = |numbers: &[u64]| numbers.iter().map(|it| DeliveryId(*it)).collect::<Vec<_>>();
        for (kind, first, last, deliveries, verdict) in [
            (1, Some(1), 2, all(&[1, 2]), Verdict::Rejected),
            (2, None, 3, all(&[1, 2, 3]), Verdict::Consumed),
            (2, Some(2), 3, all(&[2, 3]), Verdict::Consumed),
            (3, Some(1), 2, all(&[1, 2]), Verdict::Retried),
            (4, Some(1), 3, all(&[3]), Verdict::Consumed),
            (5, Some(2), 2, all(&[2]), Verdict::Consumed),
            (6, Some(4), 4, all(&[4]), Verdict::Expired),
        ] {
            let settled = take(&mut consumer(), &ack(kind, first, last), None).unwrap();
            assert_eq!(settled, Some(Settled { deliveries, verdict, transaction: None }), "{kind}");
        }
    }

    #[test]
    fn what_is_delivered_only_makes_room() {
        let mut consumer = consumer();
        assert_eq!(take(&mut consumer, &ack(0, Some(1), 3), None), Ok(None));
        assert_eq!(consumer.regrant(), Some(13));
        assert!(take(&mut consumer, &ack(2, Some(1), 4), None).unwrap().is_some());
        assert_eq!(consumer.regrant(), Some(10));
    }

    #[test]
    fn what_names_nothing_is_refused() {
        for wrong in
            [ack(2, None, 5), ack(2, Some(7), 3), ack(2, Some(3), 2), ack(9, None, 1), ack(0, None, 9)]
        {
            assert!(take(&mut consumer(), &wrong, None).is_err(), "{wrong:?}");
        }
        assert!(take(&mut consumer(), &MessageAck::default(), None).is_err());
        let mut consumer = consumer();
        take(&mut consumer, &ack(2, None, 2), None).unwrap();
        assert!(take(&mut consumer, &ack(2, None, 2), None).is_err(), "it was settled");
    }

    #[test]
    fn only_what_is_consumed_waits_for_its_transaction() {
        let transaction = Some(TransactionKey(1));
        let mut consumer = consumer();
        assert_eq!(
            take(&mut consumer, &ack(2, None, 1), transaction).unwrap().unwrap().transaction,
            transaction
        );
        assert_eq!(take(&mut consumer, &ack(1, Some(2), 2), transaction).unwrap().unwrap().transaction, None);
    }
}
