//! What the field's clients write, and what ActiveMQ's users expect: served as there, or refused by name.

use crate::protocol::stomp::{Frame, Verb, Version};

use super::{Raw, listen, start_core};

fn header(frame: &Frame, name: &str) -> String {
    frame.header(name).unwrap_or_default().into_owned()
}

#[tokio::test]
async fn bare_names_are_queues_and_uris_name_their_kind() {
    let (gate, _core) = start_core().await;
    let listener = listen(gate).await;
    for (written, shown) in [
        ("bare.1", "/queue/bare.1"),
        ("queue\\c//uri", "/queue/uri"),
        ("topic\\c//uri", "/topic/uri"),
        ("/queue/a?consumer.prefetchSize=5", "/queue/a"),
    ] {
        let (mut raw, _) = Raw::connect(&listener, Version::V1_2).await;
        raw.say(&format!("SUBSCRIBE\nid:1\ndestination:{written}\nreceipt:s\n\n\0")).await;
        raw.hear_receipt("s").await;
        raw.say(&format!("SEND\ndestination:{written}\n\nx\0")).await;
        assert_eq!(header(&raw.hear().await, "destination"), shown);
    }
    listener.stop().await;
}

#[tokio::test]
async fn each_copy_of_a_composite_send_has_its_own_destination_and_names_the_original() {
    let (gate, _core) = start_core().await;
    let listener = listen(gate).await;
    let (mut raw, _) = Raw::connect(&listener, Version::V1_0).await;
    let (mut other, _) = Raw::connect(&listener, Version::V1_0).await;
    raw.say("SUBSCRIBE\ndestination:/topic/b\nreceipt:s\n\n\0").await;
    raw.hear_receipt("s").await;
    other.say("SEND\ndestination:a,topic://b,/queue/c\nreceipt:r\n\nx\0").await;
    other.hear_receipt("r").await;
    for place in ["/topic/b", "/queue/c", "/queue/a"] {
        if place != "/topic/b" {
            raw.say(&format!("SUBSCRIBE\ndestination:{place}\n\n\0")).await;
        }
        let message = raw.hear().await;
        assert_eq!(header(&message, "destination"), place);
        assert_eq!(header(&message, "original-destination"), "/queue/a,/topic/b,/queue/c");
        assert_eq!(message.headers().filter(|it| it.name() == "destination").count(), 1);
    }
    listener.stop().await;
}

#[tokio::test]
async fn a_length_counts_where_there_may_be_a_body_and_nuls_between_frames_count_nowhere() {
    let (gate, _core) = start_core().await;
    let listener = listen(gate).await;
    for version in [Version::V1_0, Version::V1_1, Version::V1_2] {
        let queue = format!("/queue/{}", version.text());
        let (mut raw, _) = Raw::connect(&listener, version).await;
        raw.say(&format!("\0\n\0SEND\ndestination:{queue}\ncontent-length:3\n\na\0b\0\0\n\0\0")).await;
        raw.say(&format!("SUBSCRIBE\nid:1\ndestination:{queue}\nack:client\n\n\0\0")).await;
        let message = raw.hear().await;
        let copied: String = message
            .headers()
            .map(|it| {
                format!(
                    "{}:{}\n",
                    it.name(),
                    it.value().replace(':', if version == Version::V1_0 { ":" } else { "\\c" })
                )
            })
            .collect();
        raw.say(&format!("ACK\n{copied}id:{}\nreceipt:r\n\n\0\0\n", header(&message, "ack"))).await;
        raw.hear_receipt("r").await;
    }
    listener.stop().await;
}

#[tokio::test]
async fn persistent_is_true_in_any_case_of_letters() {
    let (gate, _core) = start_core().await;
    let listener = listen(gate).await;
    for (text, kept) in [("true", "true"), ("True", "true"), ("TRUE", "true"), ("False", "")] {
        let (mut raw, _) = Raw::connect(&listener, Version::V1_2).await;
        raw.say(&format!(
            "SEND\ndestination:p\npersistent:{text}\n\nx\0SUBSCRIBE\nid:1\ndestination:p\n\n\0"
        ))
        .await;
        assert_eq!(header(&raw.hear().await, "persistent"), kept, "{text}");
    }
    listener.stop().await;
}

#[tokio::test]
async fn a_header_with_blanks_around_its_name_is_no_other_header() {
    let (gate, _core) = start_core().await;
    let listener = listen(gate).await;
    let (mut raw, _) = Raw::connect(&listener, Version::V1_2).await;
    raw.say(
        "SEND\ndestination:/queue/h\n JMSXUserID:root\nredelivered\\r:true\n\tdestination:/queue/other\n message-id :1\n\
         persistent :true\n own :kept\nreceipt:r\n\nx\0",
    )
    .await;
    raw.hear_receipt("r").await;
    let (mut old, _) = Raw::connect(&listener, Version::V1_0).await;
    old.say("SUBSCRIBE\ndestination:/queue/h\n\n\0").await;
    let message = old.hear().await;
    let count = |name: &str| message.headers().filter(|it| it.name().trim() == name).count();
    assert_eq!((count("JMSXUserID"), count("redelivered")), (0, 0), "{message:?}");
    assert_eq!((count("destination"), count("message-id"), count("own")), (1, 1, 1), "{message:?}");
    assert_eq!(header(&message, "persistent"), "true", "not taken for the weaker");
    listener.stop().await;
}

#[tokio::test]
async fn what_cannot_be_read_or_is_not_served_is_refused_by_name() {
    let (gate, _core) = start_core().await;
    let listener = listen(gate).await;
    let send = |header: &str| format!("SEND\ndestination:/queue/a\n{header}\n\n\0");
    let subscribe = |header: &str| format!("SUBSCRIBE\nid:1\ndestination:/queue/a\n{header}\n\n\0");
    let from = |place: &str| format!("SUBSCRIBE\nid:1\ndestination:{place}\n\n\0");
    for (frame, part) in [
        (send("persistent:1"), "persistent is neither true nor false"),
        (send("persistent:"), "persistent is neither true nor false"),
        (send("expires:soon"), "expires is no number"),
        (send("timestamp:now"), "timestamp is no number"),
        (send("amq-msg-type:map"), "amq-msg-type"),
        (send("reply-to:/queue/b,/queue/c"), "several destinations"),
        (send("AMQ_SCHEDULED_DELAY:soon"), "AMQ_SCHEDULED_DELAY is no whole number"),
        (send("AMQ_SCHEDULED_CRON:*"), "AMQ_SCHEDULED_CRON"),
        (send("JMSXGroupSeq:last"), "JMSXGroupSeq is no number"),
        (send("transformation:jms-map-json"), "transformation of messages is not supported"),
        (subscribe("activemq.exclusive:1"), "activemq.exclusive is neither true nor false"),
        (subscribe("activemq.noLocal:yes"), "activemq.noLocal is neither true nor false"),
        (subscribe("browser:1"), "browser is neither true nor false"),
        (subscribe("activemq.prefetchSize:-1"), "activemq.prefetchSize is out of range"),
        (subscribe("activemq.priority:128"), "activemq.priority is out of range"),
        (subscribe("activemq.retroactive:true"), "activemq.retroactive is not supported"),
        (subscribe("activemq.maximumPendingMessageLimit:10"), "maximumPendingMessageLimit is not supported"),
        (subscribe("activemq.networkSubscription:true"), "activemq.networkSubscription is not supported"),
        (subscribe("transformation:jms-json"), "transformation of messages is not supported"),
        (from("/topic/a?consumer.retroactive=true"), "consumer.retroactive is not supported"),
        (from("/queue/a?jms.x=1"), "Destination option jms.x"),
        (
            "SEND\ndestination:/queue/a?producer.windowSize=1\n\n\0".into(),
            "producer.windowSize=1 is not supported",
        ),
        (from("/queue/a?consumer.priority=high"), "consumer.priority is no number"),
    ] {
        let (mut raw, _) = Raw::connect(&listener, Version::V1_2).await;
        raw.say(&frame).await;
        raw.hear_error(part).await;
    }
    listener.stop().await;
}

#[tokio::test]
async fn a_subscription_id_in_use_is_refused() {
    let (gate, _core) = start_core().await;
    let listener = listen(gate).await;
    let (mut raw, _) = Raw::connect(&listener, Version::V1_2).await;
    raw.say(
        "SUBSCRIBE\nid:1\ndestination:/queue/a\n\n\0SUBSCRIBE\nid:1\ndestination:/queue/b\nreceipt:r\n\n\0",
    )
    .await;
    let error = raw.hear_error("already a subscription 1").await;
    assert_eq!((error.verb, header(&error, "receipt-id")), (Verb::Error, "r".into()));
    listener.stop().await;
}
