//! `quorate completions`.

use clap::Args;
use clap_complete::Shell;

use super::exit::Failure;
use super::table;

/// Print the completions for a shell
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// For which shell; bash: quorate completions bash > /usr/share/bash-completion/completions/quorate
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs, mut commands: clap::Command) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut commands, "quorate", &mut text);
    table::print(&String::from_utf8_lossy(&text))
}
