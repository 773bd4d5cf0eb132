//! Who leads: the coordinator port, its implementations, and the pure rules of election.
//!
//! A coordinator keeps this node's member in the group's tree and shows the tree. Nothing rests on the outcome of a
//! write until it has been read back: every answer is a new [`View`].

mod claimant;
mod election;
mod ensemble;
mod fixed;
mod process;
mod tree;
mod znodes;
mod zookeeper;

use tokio::sync::mpsc;

use crate::model::StoreId;

pub use election::{Due, suspicion};
pub use fixed::FixedCoordinator;
pub use process::Process;
pub use znodes::{GroupRecord, GroupState, Master, MemberId, MemberRecord};
pub use zookeeper::{ZooKeeperCoordinator, ZooKeeperOptions};

/// A member as it stands in the tree.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    /// Its number.
    pub id: MemberId,
    /// Its record.
    pub record: MemberRecord,
}

/// The tree as it was read in one go after its last change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct View {
    /// The group record and its znode's version.
    pub group: Option<(GroupRecord, i32)>,
    /// All members, lowest number first.
    pub members: Vec<Member>,
    /// Version of the group's znode, whether or not it holds a record.
    pub version: i32,
    /// This node's own member.
    pub mine: Option<MemberId>,
    /// How many group writes of this node had been answered, one way or the other, when this was read.
    pub answered: u64,
}

/// What a node asks of its coordinator.
#[derive(Clone, Debug)]
pub enum CoordinatorRequest {
    /// Makes this the node's member record; the coordinator fills in `guid` and repeats it in each new session.
    SetMember(Box<MemberRecord>),
    /// Compare-and-set of the group record at this version of its znode. Carried out at most once.
    WriteGroup {
        /// The znode's version that the record was derived from.
        version: i32,
        /// The new record.
        record: Box<GroupRecord>,
    },
    /// Ends the session, which removes the member at once.
    Leave,
}

/// What a coordinator tells its node.
#[derive(Clone, Debug)]
pub enum CoordinatorEvent {
    /// The tree changed, or a write was answered.
    View(Box<View>),
    /// The coordinator cannot be reached; nothing is known to have changed.
    Unreachable(String),
    /// Another process says that it is this node, or has its store; names both. `None` when it is gone.
    Twin(Option<String>),
    /// The other process was there first, and stays: this one cannot be a member. Names both.
    Refused(String),
    /// The member is gone for good; sent once after [`CoordinatorRequest::Leave`].
    Left,
}

/// A running coordinator: requests go in, events come out through the callback it was started with.
#[derive(Clone, Debug)]
pub struct Coordinator {
    requests: mpsc::UnboundedSender<CoordinatorRequest>,
}

impl Coordinator {
    /// One whose requests are answered by the test.
    #[cfg(test)]
    pub(crate) fn by_hand() -> (Coordinator, mpsc::UnboundedReceiver<CoordinatorRequest>) {
        let (requests, inbox) = mpsc::unbounded_channel();
        (Coordinator { requests }, inbox)
    }

    /// Passes a request on. Never blocks: the node has at most one group write and one member record under way.
    pub fn request(&self, request: CoordinatorRequest) {
        // A coordinator that has ended tells so by its last event.
        let _ = self.requests.send(request);
    }
}

/// Where a coordinator's events go.
pub type CoordinatorEvents = mpsc::UnboundedSender<CoordinatorEvent>;

/// Draws the random word of a member.
fn new_guid() -> StoreId {
    StoreId(crate::env::random_u128())
}
