//! What every protocol has to do for its clients: one list of scenarios over a real node, one row for each protocol.
//!
//! To add a protocol: a file with a `Client`, and a row at the end of this one.

mod bounds;
mod client;
mod delivery;
mod durable;
mod sharing;
mod transactions;
mod world;

mod openwire;
mod stomp;

/// The scenarios of each row, as tests: `row: client`.
macro_rules! contract {
    ($($row:ident: $client:ty;)+) => {
        $(mod $row {
            contract! {
                $client;
                delivery: what_is_sent_is_received;
                delivery: what_is_acknowledged_never_comes_again;
                delivery: what_is_refused_is_a_dead_letter_and_never_comes_again;
                delivery: what_is_not_acknowledged_comes_again_after_a_goodbye;
                delivery: what_is_not_acknowledged_comes_again_after_the_connection_was_lost;
                delivery: the_messages_of_one_sender_stay_in_order;
                delivery: what_has_expired_is_not_delivered;
                delivery: consumers_of_a_queue_share_its_messages;
                delivery: each_subscriber_of_a_topic_has_what_is_sent_from_then_on;
                delivery: who_browses_sees_everything_and_takes_nothing;
                sharing: each_consumer_has_what_it_selects_whatever_stands_before_it;
                sharing: a_group_stays_with_one_consumer_until_that_goes;
                sharing: what_is_urgent_comes_before_what_came_first;
                durable: what_is_sent_while_a_subscriber_is_away_waits_for_it;
                durable: a_subscription_that_was_ended_keeps_nothing;
                durable: a_durable_subscription_needs_a_client_id_and_has_one_consumer;
                durable: consumers_of_a_virtual_topic_have_a_queue_each;
                transactions: what_a_transaction_sends_is_seen_after_its_commit;
                transactions: what_is_rolled_back_has_not_happened;
                transactions: a_move_from_queue_to_queue_is_one_step;
                transactions: who_goes_inside_of_a_transaction_has_done_nothing_in_it;
                bounds: a_prefetch_is_a_bound;
                bounds: who_does_not_read_stalls_nobody;
                bounds: a_place_that_cannot_be_is_refused;
                bounds: a_client_id_in_use_is_refused_until_it_is_free;
            }
        })+
    };
    ($client:ty; $($file:ident: $scenario:ident;)+) => {
        $(#[tokio::test]
        async fn $scenario() {
            use crate::protocol::contract::client::Client;
            type Row = $client;
            let world = crate::protocol::contract::world::World::start(Row::SCHEME).await;
            crate::protocol::contract::$file::$scenario::<Row>(&world).await;
            world.end().await;
        })+
    };
}

contract! {
    over_openwire: crate::protocol::contract::openwire::OpenWireClient;
    over_stomp: crate::protocol::contract::stomp::StompClient;
}
