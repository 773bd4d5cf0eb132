//! The group: who is in it, who is caught up, and why nothing is elected.

use askama::Template;
use axum::response::Response;

use super::caller::Caller;
use super::frame::{Frame, show};
use super::shown::{number, time};
use crate::node::{GroupStatus, MemberStatus, Role};

#[derive(Template)]
#[template(path = "group.html", config = "src/admin/console/askama.toml")]
struct Group {
    frame: Frame,
}

impl Group {
    fn group(&self) -> Option<&GroupStatus> {
        self.frame.snapshot.group.as_ref()
    }

    /// How far a member has the log.
    fn standing(&self, member: &MemberStatus) -> String {
        match (member.role, member.lag_bytes) {
            (Role::Master, _) => "leads".to_owned(),
            (_, Some(0)) => "caught up".to_owned(),
            (_, Some(lag)) => format!("{} bytes behind", number(lag)),
            (_, None) => "known to the master".to_owned(),
        }
    }

    /// Voters that are not in sight.
    fn missing(&self, group: &GroupStatus) -> Vec<String> {
        let gone = group.voters.iter().filter(|voter| group.members.iter().all(|it| it.store != voter.store));
        gone.map(|voter| voter.node.clone()).collect()
    }
}

pub(super) async fn page(caller: Caller) -> Response {
    show(&Group { frame: Frame::of(&caller, "/admin/group", "Group").await })
}
