//! The coordinator of a group of one: the tree lives in memory and this node is alone in it. A lone broker takes the
//! same road through election and quorum as a group of three.

use tokio::sync::mpsc;

use super::{
    Coordinator, CoordinatorEvent, CoordinatorEvents, CoordinatorRequest, Member, MemberId, View, new_guid,
};

/// A tree with one member.
#[derive(Debug)]
pub struct FixedCoordinator;

impl FixedCoordinator {
    /// Starts the coordinator; it ends when its handle is dropped or the member leaves.
    pub fn start(events: CoordinatorEvents) -> Coordinator {
        let (requests, mut inbox) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let guid = new_guid();
            let mut view = View::default();
            while let Some(request) = inbox.recv().await {
                match request {
                    CoordinatorRequest::SetMember(mut record) => {
                        record.guid = guid;
                        view.mine = Some(MemberId(0));
                        view.members = vec![Member { id: MemberId(0), record: *record }];
                    }
                    CoordinatorRequest::WriteGroup { version, record } => {
                        if version == view.version {
                            view.version += 1;
                            view.group = Some((*record, view.version));
                        }
                        view.answered += 1;
                    }
                    CoordinatorRequest::Leave => {
                        let _ = events.send(CoordinatorEvent::Left);
                        return;
                    }
                }
                if events.send(CoordinatorEvent::View(Box::new(view.clone()))).is_err() {
                    return;
                }
            }
        });
        Coordinator { requests }
    }
}
