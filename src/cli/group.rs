//! `quorate group`.

use anyhow::anyhow;
use clap::Subcommand;

use super::console::ConsoleArgs;
use super::exit::Failure;
use super::{block_on, table};
use crate::node::GroupStatus;

#[derive(Debug, Subcommand)]
pub(super) enum GroupCommand {
    /// Members, voters and who leads, as the node sees it
    Status(ConsoleArgs),
    /// Make the master hand over to a slave that has everything
    StepDown(ConsoleArgs),
}

pub(super) fn run(command: &GroupCommand, json: bool) -> Result<(), Failure> {
    match command {
        GroupCommand::Status(console) => {
            let group: Option<GroupStatus> = block_on(console.get("/api/group"))?;
            let group = group.ok_or_else(|| anyhow!("this broker is in no group"))?;
            if json { table::json(&group) } else { table::print(&text(&group)) }
        }
        GroupCommand::StepDown(console) => {
            block_on(console.post("/api/group/step-down"))?;
            if json {
                table::json(&serde_json::json!({ "accepted": true }))
            } else {
                table::print("accepted\n")
            }
        }
    }
}

fn text(group: &GroupStatus) -> String {
    let session = if group.zk_connected { "connected" } else { "NOT CONNECTED" };
    let master = group.master.clone().unwrap_or_else(|| "-".to_owned());
    let size = format!(
        "{} replicas, {} make a quorum, {} present",
        group.replicas,
        group.quorum,
        group.members.len()
    );
    let mut text = table::pairs(&[
        ("zookeeper", format!("{} ({session})", group.zk_path)),
        ("group", group.group_id.map_or_else(|| "not founded yet".to_owned(), |id| id.to_string())),
        ("state", format!("{}, epoch {}, master {master}", group.state, group.epoch)),
        ("size", size),
    ]);
    text.push('\n');
    let rows: Vec<Vec<String>> = group
        .members
        .iter()
        .map(|member| {
            let lag = member.lag_bytes.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string());
            let word = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
            vec![
                member.id.clone(),
                member.node.clone(),
                member.role.name().to_owned(),
                word(member.voter),
                word(member.attached),
                member.position.to_string(),
                lag,
                member.reason.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let header = ["member", "node", "role", "voter", "attached", "position", "lag", "reason"];
    text.push_str(&table::columns(&header, &rows));
    for voter in &group.voters {
        if !group.members.iter().any(|member| member.store == voter.store) {
            text.push_str(&format!("voter {} is missing (store {})\n", voter.node, voter.store));
        }
    }
    text
}
