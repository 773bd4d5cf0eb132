//! Every direction between two nodes, cut for as long as it takes to see what comes of it.

use std::time::Duration;

use super::group::{Group, NODES, RECOVERY};
use super::network::Host;
use crate::harness::checker::judge;
use crate::harness::gaps::{Gaps, longest};
use crate::harness::load::{Load, Plan};
use crate::harness::{publish, setting};

/// Longest time without a confirmed send that any of these cuts may cost.
const GAP_MAX: Duration = Duration::from_secs(10);
/// By how much an epoch may grow meanwhile: one election, and one more for a winner that could not serve.
const EPOCHS_MAX: u64 = 2;

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_cut_one_way_costs_one_election_at_most_whichever_it_is() {
    let group = Group::start("one-way").await;
    let load = Load::start(Plan::new(group.stomp(), "/queue/one-way"));
    let time = Duration::from_secs(setting("QUORATE_ONE_WAY_SECONDS", 4));
    let mut gaps = Vec::new();
    for from in 1..=NODES {
        for to in (1..=NODES).filter(|to| *to != from) {
            load.progress(50, 50, RECOVERY).await;
            let (place, start, epoch) = (load.history().len(), load.history().now(), group.epoch());
            let master = group.master().await.number;
            let lost = group.network.struck(Host::Node(to));
            group.network.cut(Host::Node(from), Host::Node(to));
            tokio::time::sleep(time).await;
            load.progress(50, 50, RECOVERY).await;
            let gap = longest(&load.history().events_from(place), start, load.history().now());
            let (after, lost) = (group.epoch(), group.network.struck(Host::Node(to)) - lost);
            let grown = after.zip(epoch).map(|(after, before)| after - before);
            println!(
                "node{from} unheard by node{to}: {lost} packets, {} ms, epochs {grown:?}",
                gap.as_millis()
            );
            group.network.mend(Host::Node(from), Host::Node(to));
            group.whole().await;
            // Two slaves have nothing to say to each other.
            assert!(lost > 0 || ![from, to].contains(&master), "nothing was lost");
            assert!(gap <= GAP_MAX, "{gap:?} without a confirmed send");
            assert!(grown.is_some_and(|grown| grown <= EPOCHS_MAX), "epochs {epoch:?} to {after:?}");
            gaps.push(gap);
        }
    }
    let verdict = judge(&load.finish(Duration::from_secs(3)).await.events());
    publish(&Gaps::new(gaps).report("one direction between two nodes cut"));
    assert!(verdict.is_clean(), "{}", verdict.summary());
}
