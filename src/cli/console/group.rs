//! `quorate group`.

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};

use super::ConsoleArgs;
use crate::cli::exit::Failure;
use crate::cli::runtime::block_on;
use crate::cli::table;
use crate::node::{GroupStatus, RecoveryPlan};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum GroupCommand {
    /// Members, voters and who leads, as the node sees it
    Status(ConsoleArgs),
    /// Make the master hand over to a slave that has everything
    StepDown(ConsoleArgs),
    /// Go on with the voters that are left when a quorum of them is lost for good
    Recover(RecoverArgs),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RecoverArgs {
    #[command(flatten)]
    node: ConsoleArgs,
    /// Do it; without, only what it would do is printed
    #[arg(long)]
    force: bool,
    /// Do not ask
    #[arg(long, requires = "force")]
    yes: bool,
}

pub(in crate::cli) fn run(command: &GroupCommand, json: bool) -> Result<(), Failure> {
    match command {
        GroupCommand::Status(console) => {
            let group: Option<GroupStatus> = block_on(console.get("/api/v1/group"))?;
            let group = group.ok_or_else(|| anyhow!("this broker is in no group"))?;
            if json { table::json(&group) } else { table::print(&text(&group)) }
        }
        GroupCommand::StepDown(node) => {
            block_on(node.post("/api/v1/group/step-down", &serde_json::json!({})))?;
            if json {
                table::json(&serde_json::json!({ "accepted": true }))
            } else {
                table::print("accepted\n")
            }
        }
        GroupCommand::Recover(args) => recover(args, json),
    }
}

fn recover(args: &RecoverArgs, json: bool) -> Result<(), Failure> {
    const PATH: &str = "/api/v1/group/recover";
    let plan: Option<RecoveryPlan> = block_on(args.node.get(PATH))?;
    let plan = plan.ok_or_else(|| anyhow!("this broker is in no group"))?;
    if json {
        table::json(&plan)?
    } else {
        table::print(&risk(&plan))?
    }
    if !args.force {
        return if json { Ok(()) } else { table::print("nothing was done; --force does it\n") };
    }
    if !args.yes && !confirmed()? {
        return Err(anyhow!("nothing was done").into());
    }
    // What was shown is what is agreed to: the node refuses it if it would do something else by now.
    if let Err(failure) = block_on(args.node.post(PATH, &plan)) {
        if let Ok(Some(now)) = block_on(args.node.get::<RecoveryPlan>(PATH))
            && !now.does_the_same(&plan)
        {
            if json { table::json(&now)? } else { table::print(&format!("\n{}", risk(&now)))? }
        }
        return Err(failure);
    }
    if json { Ok(()) } else { table::print("accepted; `quorate group status` shows what comes of it\n") }
}

fn confirmed() -> Result<bool, Failure> {
    table::print("Type `recover` to go on: ")?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).context("standard input cannot be read")?;
    Ok(line.trim() == "recover")
}

/// What is kept and what may be lost.
fn risk(plan: &RecoveryPlan) -> String {
    let mut text = format!(
        "Of the voters of epoch {} fewer than a quorum of {} are in sight.\n\nkept\n",
        plan.epoch, plan.quorum
    );
    for member in &plan.kept {
        text.push_str(&format!("  {} (store {}), at {}\n", member.node, member.store, member.position));
    }
    text.push_str("given up\n");
    for voter in &plan.lost {
        text.push_str(&format!("  {} (store {})\n", voter.node, voter.store));
    }
    text.push_str(
        "\nThe group goes on in a new epoch with the highest log among those kept.\n\
         RISK: what was acknowledged and is only on the stores given up is LOST, and nobody can say how much that is:\n\
         messages may be missing, and messages that were consumed may be delivered again. A store given up that turns\n\
         up later is cut to the new log. Start every node whose disk still exists first, and ask again.\n",
    );
    text
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
    let mut lines = vec![
        ("zookeeper", format!("{} ({session})", group.zk_path)),
        ("group", group.group_id.map_or_else(|| "not founded yet".to_owned(), |id| id.to_string())),
        ("state", format!("{}, epoch {}, master {master}", group.state, group.epoch)),
        ("size", size),
    ];
    if let Some(election) = &group.election {
        lines.push(("election", super::status::election(election)));
    }
    let mut text = table::pairs(&lines);
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
    for alarm in &group.alarms {
        text.push_str(&format!("ALARM {}: {}\n", alarm.name, alarm.message));
    }
    text
}
