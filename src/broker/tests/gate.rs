//! The gate: back-pressure, transactions on the client's side, closing.

use crate::broker::tests::world::{message, queue};
use crate::broker::{
    Command, Correlation, Credentials, DeliveryId, GATE_COMMANDS, Gate, Inbound, Principal,
    SESSION_SUBMISSIONS, SessionEvent, SessionId, TransactionKey, Verdict,
};

fn send(transaction: Option<TransactionKey>) -> Command {
    let message = message(&[&queue("Q")], "x", true).build().unwrap();
    Command::Send { message, transaction, correlation: Some(Correlation(1)) }
}

#[tokio::test]
async fn a_session_whose_commands_wait_stops_itself_and_still_settles() {
    let (gate, mut inbound) = Gate::bounded(usize::MAX);
    let mut session = gate.open("", &Credentials::default(), Principal::default()).unwrap();
    for _ in 0..SESSION_SUBMISSIONS {
        session.ready().await;
        session.submit(vec![send(None)]).await.unwrap();
    }
    let ready = session.ready();
    tokio::pin!(ready);
    assert!(futures::poll!(&mut ready).is_pending());
    let settle = Command::Settle {
        deliveries: vec![DeliveryId(1)],
        verdict: Verdict::Consumed,
        transaction: None,
        correlation: None,
    };
    session.submit(vec![settle]).await.unwrap();
    assert!(matches!(inbound.recv().await, Some(Inbound::Open { .. })));
    let first = inbound.recv().await;
    assert!(matches!(first, Some(Inbound::Commands { .. })));
    assert!(futures::poll!(&mut ready).is_pending(), "received is not carried out");
    drop(first);
    ready.await;
}

#[tokio::test]
async fn an_open_transaction_stays_with_its_connection_until_it_is_committed() {
    let (gate, mut inbound) = Gate::bounded(usize::MAX);
    let mut session = gate.open("", &Credentials::default(), Principal::default()).unwrap();
    let key = TransactionKey(5);
    let begin = || Command::Begin { transaction: key, correlation: None };
    let finish = |commit| Command::Finish { transaction: key, commit, correlation: Some(Correlation(9)) };
    session.submit(vec![begin(), send(Some(key)), finish(false)]).await.unwrap();
    assert_eq!(session.events().await.unwrap().len(), 2, "the send and the rollback are answered here");
    session.submit(vec![begin(), send(Some(key))]).await.unwrap();
    session.submit(vec![send(Some(key)), finish(true)]).await.unwrap();
    inbound.recv().await;
    let Some(Inbound::Commands { submission, .. }) = inbound.recv().await else { panic!("no commands") };
    assert_eq!(submission.commands.len(), 4, "begin, two sends, commit: {:?}", submission.commands);
    drop(session);
    assert!(matches!(inbound.recv().await, Some(Inbound::Close { .. })));
}

#[tokio::test]
async fn a_session_closes_even_when_the_gate_is_full() {
    let (gate, mut inbound) = Gate::bounded(usize::MAX);
    let mut sessions = Vec::new();
    for _ in 0..GATE_COMMANDS {
        sessions.push(gate.open("", &Credentials::default(), Principal::default()).unwrap());
    }
    drop(sessions);
    let mut closed = 0;
    while closed < GATE_COMMANDS {
        closed += usize::from(matches!(inbound.recv().await, Some(Inbound::Close { .. })));
    }
}

#[tokio::test]
async fn events_end_when_the_core_lets_go() {
    let (gate, mut inbound) = Gate::bounded(usize::MAX);
    let mut session = gate.open("", &Credentials::default(), Principal::default()).unwrap();
    let Some(Inbound::Open { events, .. }) = inbound.recv().await else { panic!("not opened") };
    events.send(vec![SessionEvent::Closed { reason: "over".into() }]).unwrap();
    drop(events);
    assert_eq!(session.events().await.unwrap().len(), 1);
    assert!(session.events().await.is_none());
    drop(inbound);
    assert!(session.submit(vec![send(None)]).await.is_err());
    assert!(gate.open("", &Credentials::default(), Principal::default()).is_err());
}

#[tokio::test]
async fn open_transactions_share_memory_over_all_sessions() {
    let (gate, _inbound) = Gate::bounded(20 << 10);
    let mut one = gate.open("", &Credentials::default(), Principal::default()).unwrap();
    let mut two = gate.open("", &Credentials::default(), Principal::default()).unwrap();
    let key = TransactionKey(5);
    let begin = || Command::Begin { transaction: key, correlation: None };
    let finish = |commit| Command::Finish { transaction: key, commit, correlation: Some(Correlation(9)) };
    let large = || {
        let message = message(&[&queue("Q")], &"x".repeat(7 << 10), true).build().unwrap();
        Command::Send { message, transaction: Some(key), correlation: Some(Correlation(1)) }
    };
    let results = |events: Vec<SessionEvent>| -> Vec<bool> {
        let ok = |event| matches!(event, SessionEvent::Done { result: Ok(()), .. });
        events.into_iter().map(ok).collect()
    };
    one.submit(vec![begin(), large()]).await.unwrap();
    assert_eq!(results(one.events().await.unwrap()), [true]);
    two.submit(vec![begin(), large(), finish(true)]).await.unwrap();
    assert_eq!(results(two.events().await.unwrap()), [false, false], "and it cannot be committed");
    one.submit(vec![finish(false)]).await.unwrap();
    two.submit(vec![begin(), large()]).await.unwrap();
    assert_eq!(results(two.events().await.unwrap()), [true]);
}

#[tokio::test]
async fn a_session_goes_on_while_the_gate_is_full_and_its_order_is_kept() {
    let (gate, mut inbound) = Gate::bounded(usize::MAX);
    let mut crowd = gate.open("", &Credentials::default(), Principal::default()).unwrap();
    let settle = || Command::Settle {
        deliveries: vec![DeliveryId(1)],
        verdict: Verdict::Consumed,
        transaction: None,
        correlation: None,
    };
    while !crowd.holds() {
        crowd.submit(vec![settle()]).await.unwrap();
    }
    let mut session = gate.open("", &Credentials::default(), Principal::default()).unwrap();
    session.submit(vec![send(None)]).await.unwrap();
    session.submit(vec![settle()]).await.unwrap();
    assert!(session.holds());
    let mut seen = Vec::new();
    while session.holds() {
        let place = session.place();
        tokio::pin!(place);
        let place = loop {
            match futures::poll!(&mut place) {
                std::task::Poll::Ready(place) => break place.unwrap(),
                std::task::Poll::Pending => seen.extend(inbound.recv().await),
            }
        };
        session.advance(place).unwrap();
    }
    let id = SessionId(2);
    drop(session);
    while !matches!(seen.last(), Some(Inbound::Close { session }) if *session == id) {
        seen.extend(inbound.recv().await);
    }
    let of_session: Vec<_> = seen
        .iter()
        .filter_map(|it| match it {
            Inbound::Open { session, .. } if *session == id => Some("open"),
            Inbound::Commands { session, .. } if *session == id => Some("commands"),
            Inbound::Close { session } if *session == id => Some("close"),
            _ => None,
        })
        .collect();
    assert_eq!(of_session, ["open", "commands", "commands", "close"]);
}

#[tokio::test]
async fn a_client_id_names_one_session_at_a_time() {
    let (gate, _inbound) = Gate::bounded(usize::MAX);
    let open = |remote: &str, id: &str| {
        let credentials = Credentials { client_id: id.to_owned(), ..Credentials::default() };
        gate.open(remote, &credentials, Principal::default())
    };
    let first = open("tcp://first", "a").unwrap();
    let _other = open("tcp://other", "b").unwrap();
    let _nameless = (open("x", "").unwrap(), open("y", "").unwrap());
    let refused = open("tcp://second", "a").unwrap_err().to_string();
    assert_eq!(refused, "Client id in use: a is connected from tcp://first");
    drop(first);
    open("tcp://second", "a").unwrap();
}
