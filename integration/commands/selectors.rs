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
async fn a_selector_that_is_wrong_or_not_served_ends_in_an_error_that_says_so() {
    let lone = Lone::start().await;
    for (headers, said) in [
        ([("destination", "/topic/a"), ("selector", "a == 1")], "the selector is wrong at character 4: "),
        ([("destination", "/topic/a"), ("selector", "a > 'b'")], "character 5: a number was expected"),
        ([("destination", "/topic/a"), ("activemq.selector", "XPATH '//a'")], "XPATH is not supported"),
        ([("destination", "/topic/a?consumer.selector=a)"), ("ack", "auto")], "at character 2: "),
        ([("destination", "/queue/a"), ("selector", "a = 1")], "a selector on a queue's consumer"),
        ([("destination", "/queue/>"), ("selector", "a = 1")], "a selector on a queue's consumer"),
    ] {
        let mut connection = Connection::open(lone.stomp()).await.unwrap();
        let refused =
            connection.request(subscribe("1", &headers), "subscribed").await.unwrap_err().to_string();
        assert!(refused.contains(said), "{headers:?}: {refused}");
    }
}
