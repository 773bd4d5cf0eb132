//! What STOMP clients select: of topics and in browsers, with strings as numbers on demand, and which selectors are refused.

use crate::harness::lone::Lone;
use crate::harness::stomp::{Connection, Frame};

/// A SUBSCRIBE with these headers beside its id.
fn subscribe(id: &str, headers: &[(&str, &str)]) -> Frame {
    Frame::new("SUBSCRIBE", &[&[("id", id)][..], headers].concat())
}

/// The subscription and the header `amount` of the next message, or what came in its place.
async fn hear(connection: &mut Connection) -> (String, String) {
    let frame = connection.reader.frame().await.unwrap();
    let header = |name| frame.header(name).unwrap_or_default().to_owned();
    match frame.header("browser") {
        Some(end) => (header("subscription"), end.to_owned()),
        None => (header("subscription"), header("amount")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_of_topics_and_browsers_of_queues_get_what_they_select() {
    let lone = Lone::start().await;
    for (number, (selector, amount)) in [
        ("kind = 'order' AND amount = '5'", "5"),
        ("convert_string_expressions:amount > 40 AND JMSPriority = 7", "50"),
        ("JMSDeliveryMode = 'NON_PERSISTENT' AND NOT (amount LIKE '5%')", "x"),
        ("amount = 5 OR amount IN ('x')", "x"),
    ]
    .into_iter()
    .enumerate()
    {
        let (topic, queue) = (format!("/topic/selected.{number}"), format!("/queue/selected.{number}"));
        let mut connection = Connection::open(lone.stomp()).await.unwrap();
        let asked = subscribe("t", &[("destination", &*topic), ("selector", selector)]);
        connection.request(asked, "subscribed").await.unwrap();
        let mut sender = Connection::open(lone.stomp()).await.unwrap();
        for place in [&topic, &queue] {
            for amount in ["5", "50", "x"] {
                let headers =
                    [("destination", &**place), ("kind", "order"), ("amount", amount), ("priority", "7")];
                sender.request(Frame::new("SEND", &headers), "sent").await.unwrap();
            }
        }
        assert_eq!(hear(&mut connection).await, ("t".to_owned(), amount.to_owned()));
        let browser = [("destination", &*queue), ("browser", "true"), ("selector", selector)];
        connection.writer.send(&subscribe("b", &browser)).await.unwrap();
        assert_eq!(hear(&mut connection).await, ("b".to_owned(), amount.to_owned()));
        assert_eq!(hear(&mut connection).await, ("b".to_owned(), "end".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn consumers_of_a_queue_share_it_by_what_they_select_and_by_groups() {
    let lone = Lone::start().await;
    let mut sender = Connection::open(lone.stomp()).await.unwrap();
    for n in 0..6 {
        let amount = n.to_string();
        let kind = if n % 2 == 0 { "even" } else { "odd" };
        let headers =
            [("destination", "/queue/shared"), ("kind", kind), ("amount", &*amount), ("persistent", "true")];
        sender.request(Frame::new("SEND", &headers), "sent").await.unwrap();
    }
    for (kind, amounts) in [("odd", ["1", "3", "5"]), ("even", ["0", "2", "4"])] {
        let mut connection = Connection::open(lone.stomp()).await.unwrap();
        let selector = format!("kind = '{kind}'");
        let asked = subscribe("1", &[("destination", "/queue/shared"), ("selector", &*selector)]);
        connection.request(asked, "subscribed").await.unwrap();
        for amount in amounts {
            assert_eq!(hear(&mut connection).await.1, amount);
        }
    }
    let mut members = Vec::new();
    for _ in 0..2 {
        let mut connection = Connection::open(lone.stomp()).await.unwrap();
        let asked = subscribe("1", &[("destination", "/queue/grouped"), ("ack", "client-individual")]);
        connection.request(asked, "subscribed").await.unwrap();
        members.push(connection);
    }
    for (group, amount) in [("a", "1"), ("b", "2"), ("a", "3"), ("b", "4")] {
        let headers = [("destination", "/queue/grouped"), ("JMSXGroupID", group), ("amount", amount)];
        sender.request(Frame::new("SEND", &headers), "sent").await.unwrap();
    }
    for (member, amounts) in members.iter_mut().zip([["1", "3"], ["2", "4"]]) {
        for (at, amount) in amounts.into_iter().enumerate() {
            let frame = member.reader.frame().await.unwrap();
            assert_eq!(frame.header("amount"), Some(amount));
            assert_eq!(frame.header("JMSXGroupFirstForConsumer"), (at == 0).then_some("true"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selector_that_is_wrong_or_not_served_ends_in_an_error_that_says_so() {
    let lone = Lone::start().await;
    for (headers, said) in [
        ([("destination", "/topic/a"), ("selector", "a == 1")], "the selector is wrong at character 4: "),
        ([("destination", "/topic/a"), ("selector", "a > 'b'")], "character 5: a number was expected"),
        ([("destination", "/topic/a"), ("activemq.selector", "XPATH '//a'")], "XPATH is not supported"),
        ([("destination", "/topic/a?consumer.selector=a)"), ("ack", "auto")], "at character 2: "),
        ([("destination", "/queue/a"), ("selector", "a = ")], "the selector is wrong at character 5: "),
    ] {
        let mut connection = Connection::open(lone.stomp()).await.unwrap();
        let refused =
            connection.request(subscribe("1", &headers), "subscribed").await.unwrap_err().to_string();
        assert!(refused.contains(said), "{headers:?}: {refused}");
    }
}
