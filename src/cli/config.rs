//! `quorate config`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::exit::{Exit, Failure};
use super::table;
use crate::config::{Config, LoadedConfig, Origin};

/// Where the configuration comes from.
#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    /// The configuration; without it a lone broker runs on loopback
    #[arg(short, long, value_name = "FILE", env = "QUORATE_CONFIG")]
    config: Option<PathBuf>,
    /// Override a key, as in --set store.kind=memory; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl ConfigArgs {
    /// Reads it all.
    pub(super) fn load(&self) -> Result<LoadedConfig, Failure> {
        Config::load(self.config.as_deref(), &self.set)
            .map_err(|error| Failure::new(Exit::Configuration, error))
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Say what is wrong with a configuration, without starting
    Check {
        /// The file
        file: Option<PathBuf>,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Show every key with the value that counts, and where it comes from
    Show {
        /// The file
        file: Option<PathBuf>,
        #[command(flatten)]
        config: ConfigArgs,
    },
}

pub(super) fn run(command: &ConfigCommand, json: bool) -> Result<(), Failure> {
    let (ConfigCommand::Check { file, config } | ConfigCommand::Show { file, config }) = command;
    let file = file.clone().or_else(|| config.config.clone());
    let loaded = ConfigArgs { config: file.clone(), set: config.set.clone() }.load()?;
    match command {
        ConfigCommand::Check { .. } if json => {
            table::json(&serde_json::json!({ "ok": true, "warnings": loaded.warnings }))
        }
        ConfigCommand::Check { .. } => {
            let warnings: String =
                loaded.warnings.iter().map(|warning| format!("warning: {warning}\n")).collect();
            table::print(&format!("{warnings}the configuration is right\n"))
        }
        ConfigCommand::Show { .. } if json => {
            let settings: Vec<_> = loaded
                .settings
                .iter()
                .map(|s| {
                    serde_json::json!({
                        "section": s.section,
                        "element": s.element,
                        "key": s.key,
                        "value": s.value.as_deref().map(document),
                        "from": origin(&s.place),
                    })
                })
                .collect();
            table::json(&settings)
        }
        ConfigCommand::Show { .. } => table::print(&show(&loaded)),
    }
}

/// The configuration as a file that has every key.
fn show(loaded: &LoadedConfig) -> String {
    let mut text = String::new();
    let mut section = None;
    for setting in &loaded.settings {
        let here = (setting.section.as_str(), setting.element.as_str());
        if section != Some(here) {
            if section.is_some() {
                text.push('\n');
            }
            let header =
                if setting.element.is_empty() { format!("[{}]", here.0) } else { format!("[[{}]]", here.0) };
            text.push_str(&header);
            text.push('\n');
            section = Some(here);
        }
        let line = match &setting.value {
            Some(value) => format!("{} = {value}", setting.key),
            None => format!("# {}", setting.key),
        };
        match &setting.place {
            Origin::Default => text.push_str(&format!("{line}\n")),
            place => text.push_str(&format!("{line:60}  # {}\n", origin(place))),
        }
    }
    text
}

/// A value in TOML as one in JSON.
fn document(value: &str) -> serde_json::Value {
    let parsed = value.parse::<toml::Value>().ok().and_then(|value| serde_json::to_value(value).ok());
    parsed.unwrap_or_else(|| value.into())
}

fn origin(place: &Origin) -> String {
    match place {
        Origin::File { line, .. } => format!("line {line}"),
        Origin::Environment(name) => name.clone(),
        Origin::Argument(path) => format!("--set {path}"),
        Origin::Default => "default".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_json() {
        for (toml, json) in [
            ("\"10s\"", serde_json::json!("10s")),
            ("3", serde_json::json!(3)),
            ("true", serde_json::json!(true)),
            ("[\"a\", \"b\"]", serde_json::json!(["a", "b"])),
            ("'C:\\dir'", serde_json::json!("C:\\dir")),
        ] {
            assert_eq!(document(toml), json, "{toml}");
        }
    }
}
