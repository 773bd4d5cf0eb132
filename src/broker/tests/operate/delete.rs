//! A queue is deleted with what is in it, or only if nothing is.

use crate::broker::tests::world::{World, queue};
use crate::broker::{Command, Refusal};

#[test]
fn a_queue_with_messages_is_deleted_only_if_that_is_meant() {
    let mut world = World::new();
    world.open(1);
    world.send(1, "Q", "stored");
    world.send_fast(1, "Q", "in memory");
    let delete =
        |if_empty| move |correlation| Command::Delete { destination: queue("Q"), if_empty, correlation };
    let asked = world.ask(1, delete(true));
    let refusal = Refusal::Invalid("queue://Q has 2 messages".into());
    assert_eq!(world.answer(1, asked), Some(Err(refusal)));
    assert_eq!(world.view(&queue("Q")).size, 2);
    let asked = world.ask(1, delete(false));
    assert_eq!(world.answer(1, asked), Some(Ok(())));
    world.fail_over(usize::MAX);
    assert_eq!(world.broker.state().destinations().count(), 0);
}
