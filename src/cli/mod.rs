//! The command line: one file per command.

mod access;
mod address;
mod client;
mod completions;
mod config;
mod console;
mod exit;
mod log;
mod man;
mod run;
mod runtime;
mod store;
mod table;
mod user;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

pub use exit::Exit;

use console::{ConsoleArgs, PurgeArgs};
use exit::Failure;

/// The version, and the commit that it was built from if that is known.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), env!("QUORATE_COMMIT"));

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "quorate", version = VERSION, about, max_term_width = 110, after_help = exit_codes())]
struct Cli {
    /// Answer in JSON; messages one in each line
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node until SIGTERM or SIGINT
    Run(run::RunArgs),
    /// Look at a configuration
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Look at users
    #[command(subcommand)]
    User(user::UserCommand),
    /// Look at rights
    #[command(subcommand)]
    Access(access::AccessCommand),
    /// What a node does
    Status(ConsoleArgs),
    /// The queues of a node
    Queues(ConsoleArgs),
    /// The topics of a node
    Topics(ConsoleArgs),
    /// The durable subscriptions of a node
    Subscriptions(ConsoleArgs),
    /// End a durable subscription that nobody consumes from; what it kept is gone
    Unsubscribe(console::UnsubscribeArgs),
    /// Take everything out of a queue that waits in it; what consumers hold stays
    Purge(PurgeArgs),
    /// Move what waits in a queue to another, in order; what consumers hold stays
    Move(console::SendOverArgs),
    /// Copy what waits in a queue to another
    Copy(console::SendOverArgs),
    /// Send dead letters back to where they came from
    Retry(console::RetryArgs),
    /// End the dispatch of a queue; it goes on to take messages
    Pause(console::PauseArgs),
    /// Begin the dispatch of a queue again
    Resume(console::PauseArgs),
    /// Delete a queue that nobody consumes from
    Delete(console::DeleteArgs),
    /// The client connections of a node
    Connections(ConsoleArgs),
    /// The bridges of a node to other brokers
    Network(ConsoleArgs),
    /// The group that a node is in
    #[command(subcommand)]
    Group(console::GroupCommand),
    /// Send messages, and wait until they are stored
    Produce(client::ProduceArgs),
    /// Take messages, and print one in each line
    Consume(client::ConsumeArgs),
    /// Look at the messages of a queue without taking them
    Browse(client::BrowseArgs),
    /// Measure a broker: producers and consumers at full speed for a while
    Bench(client::BenchArgs),
    /// Look at a store on disk, or repair it
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Print the completions for a shell
    Completions(completions::CompletionsArgs),
    /// Write the man pages
    Man(man::ManArgs),
}

fn exit_codes() -> String {
    let mut text = "Exit codes:\n".to_owned();
    for (exit, meaning) in Exit::ALL {
        text.push_str(&format!("  {}  {meaning}\n", exit as u8));
    }
    text
}

/// Carries out the command line of this process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misunderstood(&error),
    };
    let json = cli.json;
    let serves = matches!(cli.command, Command::Run(_));
    match dispatch(cli) {
        Ok(()) => Exit::Ok.into(),
        Err(failure) => {
            let text = table::complaint(json, &failure);
            if serves {
                log::last_words(&text)
            } else {
                table::complain(&text)
            }
            ExitCode::from(failure.exit)
        }
    }
}

/// Prints what was asked for instead of a command (help, version), or what is wrong with the command line.
fn misunderstood(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        return if error.print().is_ok() { Exit::Ok.into() } else { Exit::Failed.into() };
    }
    // Nothing was parsed, but whether a program asks is plain.
    let json = std::env::args_os().take_while(|it| it != "--").any(|it| it == "--json");
    if json {
        let told = error.render().to_string();
        let told = told.split("\n\nUsage:").next().unwrap_or_default().trim();
        let told = table::fault(told.strip_prefix("error: ").unwrap_or(told), Exit::Usage as u8);
        // Nobody is left to tell if this fails, nor below.
        let _ = std::io::Write::write_all(&mut std::io::stderr(), told.as_bytes());
    } else {
        let _ = error.print();
    }
    Exit::Usage.into()
}

fn dispatch(cli: Cli) -> Result<(), Failure> {
    let json = cli.json;
    match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Config(command) => config::run(&command, json),
        Command::User(command) => user::run(&command, json),
        Command::Access(command) => access::run(&command, json),
        Command::Status(console) => console::status(&console, json),
        Command::Queues(console) => console::destinations(&console, "/api/v1/queues", json),
        Command::Purge(args) => console::purge(&args, json),
        Command::Move(args) => console::send_over(&args, ("move", "moved"), json),
        Command::Copy(args) => console::send_over(&args, ("copy", "copied"), json),
        Command::Retry(args) => console::retry(&args, json),
        Command::Pause(args) => console::pause(&args, true, json),
        Command::Resume(args) => console::pause(&args, false, json),
        Command::Delete(args) => console::delete(&args, json),
        Command::Topics(console) => console::destinations(&console, "/api/v1/topics", json),
        Command::Subscriptions(console) => console::subscriptions(&console, json),
        Command::Unsubscribe(args) => console::unsubscribe(&args, json),
        Command::Connections(console) => console::connections(&console, json),
        Command::Network(console) => console::network(&console, json),
        Command::Group(command) => console::group(&command, json),
        Command::Produce(args) => client::produce(&args, json),
        Command::Consume(args) => client::consume(&args, json),
        Command::Browse(args) => client::browse(&args, json),
        Command::Bench(args) => client::bench(&args, json),
        Command::Store(command) => store::run(&command, json),
        Command::Completions(args) => completions::run(&args, Cli::command()),
        Command::Man(args) => man::run(&args, Cli::command()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_exit_code_is_in_the_help_and_in_the_readme() {
        let readme = include_str!("../../README.md");
        for (index, (exit, meaning)) in Exit::ALL.into_iter().enumerate() {
            assert_eq!(exit as usize, index);
            assert!(readme.contains(&format!("| {index} | {meaning} |")), "{index} {meaning}");
        }
    }
}
