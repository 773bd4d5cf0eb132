//! `[security]`, `[[users]]` and `[[rights]]`: who may come in, and what each may do.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::security::{
    ANONYMOUS, ClientCertificate, EVERYBODY, Hash, Permission, PropertyLine, Rights, Rule, ServerTls,
    ServerTlsError, Target, User, parse_properties,
};

use super::connector::{TransportConnector, non_empty};
use super::fault::{Origin, nearest};
use super::section::Section;
use super::store;

/// Users, rights and the certificate that connectors with TLS show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Security {
    /// Everybody who may log in; without any, nobody has to.
    pub users: Vec<User>,
    /// Who may do what; without any rule, who is let in may do everything.
    pub rights: Rights,
    /// What connectors with TLS show.
    pub tls: Option<ServerTls>,
}

/// Reads all three.
pub(super) fn read(root: &Section<'_>, file: Option<&str>, warnings: &mut Vec<String>) -> Security {
    let section = root.section("security");
    let plain = section.boolean("allow_plain_passwords", false);
    let mut users = read_files(&section, plain, warnings);
    for element in root.sections("users") {
        if let Some(user) = read_user(&element, plain) {
            if users.iter().any(|it| it.name == user.name) {
                element.fault("name", format!("two users are called {:?}", user.name));
            }
            users.push(user);
        }
    }
    let tls = read_tls(&section.section("tls"), warnings);
    let elements = root.sections("rights");
    let groups: BTreeSet<&str> = users.iter().flat_map(|it| &it.groups).map(String::as_str).collect();
    let rules = elements.iter().filter_map(|it| read_rule(it, &groups, file)).collect();
    if let Some(first) = elements.first().filter(|_| users.is_empty()) {
        first.fault(
            "",
            "there are no users whom rights could be given: write [[users]], or users in [security]",
        );
    }
    if !users.is_empty() && elements.is_empty() {
        warnings.push(
            "users without [[rights]]: whoever logs in may read, write and make every destination".to_owned(),
        );
    }
    Security { users, rights: Rights::new(rules), tls }
}

/// Users of `users.properties` in their groups of `groups.properties`.
fn read_files(section: &Section<'_>, plain: bool, warnings: &mut Vec<String>) -> Vec<User> {
    let [users_file, groups_file] = ["users", "groups"].map(|key| section.optional(key, store::directory));
    if groups_file.is_some() && users_file.is_none() {
        section.fault("groups", "groups without users: write users = \"users.properties\" too");
    }
    let mut users: Vec<User> = Vec::new();
    for line in users_file.iter().flat_map(|path| lines(section, "users", path, warnings)) {
        let path = users_file.as_deref().unwrap_or(Path::new("")).display();
        let at = format!("{path}:{}: user {:?}", line.line, line.key);
        if users.iter().any(|it| it.name == line.key) {
            section.fault("users", format!("{at} stands twice; keep one of them"));
        }
        match Hash::parse(&line.value, plain) {
            Ok(hash) => {
                users.push(User { name: line.key, hash: Some(hash), certificate: None, groups: Vec::new() });
            }
            Err(error) => section.fault("users", format!("{at}: {error}")),
        }
    }
    for line in groups_file.iter().flat_map(|path| lines(section, "groups", path, warnings)) {
        let path = groups_file.as_deref().unwrap_or(Path::new("")).display();
        for name in line.value.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match users.iter_mut().find(|it| it.name == name) {
                Some(user) => user.groups.push(line.key.clone()),
                None => {
                    let message =
                        format!("{path}:{}: group {:?} names the unknown user {name:?}", line.line, line.key);
                    section.fault("groups", message);
                }
            }
        }
    }
    users
}

fn lines(
    section: &Section<'_>,
    key: &'static str,
    path: &Path,
    warnings: &mut Vec<String>,
) -> Vec<PropertyLine> {
    warn_if_open(path, warnings);
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            section.fault(key, format!("cannot read {path:?}: {error}"));
            return Vec::new();
        }
    };
    parse_properties(&text).unwrap_or_else(|(line, message)| {
        section.fault(key, format!("{}:{line}: {message}", path.display()));
        Vec::new()
    })
}

/// Warns about a file with secrets that every user of the machine may read.
fn warn_if_open(path: &Path, warnings: &mut Vec<String>) {
    let mode = std::fs::metadata(path).map_or(0, |file| file.permissions().mode());
    if mode & 0o004 != 0 {
        let path = path.display();
        warnings.push(format!("{path} may be read by everybody on this machine: chmod o-r {path}"));
    }
}

fn read_user(section: &Section<'_>, plain: bool) -> Option<User> {
    let name = section.optional("name", non_empty);
    let secret = section.secret("password", "password_file");
    let certificate = section.optional("certificate", non_empty);
    let groups = section.texts("groups");
    if name.is_none() && !section.is_written("name") {
        section.fault("name", "missing; a user needs a name");
    }
    if secret.is_none() && certificate.is_none() {
        let message =
            "missing; write the line that `quorate user hash` prints, or the subject of a certificate";
        section.fault("password", message);
    }
    let hash = match secret.map(|secret| Hash::parse(secret.expose(), plain)).transpose() {
        Ok(hash) => hash,
        Err(error) => {
            section.fault("password", error.to_string());
            return None;
        }
    };
    Some(User { name: name?, hash, certificate, groups })
}

fn read_rule(section: &Section<'_>, groups: &BTreeSet<&str>, file: Option<&str>) -> Option<Rule> {
    let [queue, topic] = ["queue", "topic"].map(|key| section.optional(key, non_empty));
    let allowed = Permission::ALL.map(|it| (it.name(), section.texts(it.name())));
    for (key, names) in &allowed {
        check_groups(section, key, names, groups, &[EVERYBODY, ANONYMOUS]);
    }
    let (key, target) = match (queue, topic) {
        (Some(name), None) => ("queue", Target::Queue(name)),
        (None, Some(name)) => ("topic", Target::Topic(name)),
        (queue, _) => {
            let what = if queue.is_some() {
                "topic stands beside queue; write one entry for each"
            } else {
                "missing; expected queue = \"ORDERS.>\" or topic"
            };
            section.fault("queue", what);
            return None;
        }
    };
    let file = file.unwrap_or("the configuration");
    let place = match section.place() {
        Origin::File { line, .. } => format!("{file}:{line}"),
        _ => file.to_owned(),
    };
    Rule::new(&target, allowed.map(|(_, names)| names), place)
        .map_err(|error| section.fault(key, error.to_string()))
        .ok()
}

/// A list of groups of the users that there are.
pub(super) fn read_groups(section: &Section<'_>, key: &'static str, security: &Security) -> Vec<String> {
    let names = section.texts(key);
    let groups = security.users.iter().flat_map(|it| &it.groups).map(String::as_str).collect();
    check_groups(section, key, &names, &groups, &[EVERYBODY]);
    names
}

/// Finds names of groups in which nobody is.
fn check_groups(
    section: &Section<'_>,
    key: &str,
    names: &[String],
    groups: &BTreeSet<&str>,
    others: &[&str],
) {
    let known = |name: &String| groups.contains(name.as_str()) || others.contains(&name.as_str());
    for name in names.iter().filter(|name| !known(name)) {
        let message = match nearest(name, groups.iter().copied()) {
            Some(meant) => format!("no user is in the group {name:?}; did you mean {meant:?}?"),
            None => format!("no user is in the group {name:?}"),
        };
        section.fault(key, message);
    }
}

fn read_tls(section: &Section<'_>, warnings: &mut Vec<String>) -> Option<ServerTls> {
    let [certificate, key, ca] =
        ["certificate", "key", "ca"].map(|key| section.optional(key, store::directory));
    if certificate.is_none() && key.is_none() && ca.is_none() {
        return None;
    }
    for (name, path) in [("certificate", &certificate), ("key", &key)] {
        if path.is_none() && !section.is_written(name) {
            section.fault(name, "missing; TLS needs certificate and key");
        }
    }
    let tls = ServerTls { certificate: certificate?, key: key?, ca };
    warn_if_open(&tls.key, warnings);
    let clients = if tls.ca.is_some() { ClientCertificate::Wanted } else { ClientCertificate::Unasked };
    if let Err(error) = tls.load(clients) {
        let key = match &error {
            ServerTlsError::Certificate { .. } => "certificate",
            ServerTlsError::Key { .. } => "key",
            ServerTlsError::Authority { .. } => "ca",
        };
        section.fault(key, error.to_string());
    }
    Some(tls)
}

/// Whether each connector that other machines reach says who may come in, and that those who do may be overheard.
pub(super) fn check_doors(
    sections: &[Section<'_>],
    connectors: &mut [TransportConnector],
    security: &Security,
) {
    for connector in connectors.iter_mut().filter(|it| it.is_served()) {
        let path = format!("transport_connector.{}.uri", connector.name);
        let Some(section) = sections.iter().find(|it| it.path_of("uri") == path) else { continue };
        if connector.tls {
            connector.server_tls.clone_from(&security.tls);
            let asks = connector.connection.client_certificate != ClientCertificate::Unasked;
            match &security.tls {
                None => section.fault("uri", "TLS needs certificate and key in [security.tls]"),
                Some(tls) if asks && tls.ca.is_none() => {
                    section
                        .fault("uri", "certificates of clients need their authority's: ca in [security.tls]");
                }
                Some(_) => {}
            }
        }
        if connector.is_local() {
            continue;
        }
        let address = connector.address();
        if security.users.is_empty() && !connector.connection.allow_anonymous {
            section.fault(
                "allow_anonymous",
                format!(
                    "other machines reach {address}, and there are no users: write [[users]], or allow_anonymous = \
                     true here if everybody who reaches the port may read and write everything"
                ),
            );
        }
        if !connector.tls && !connector.allow_plaintext {
            section.fault(
                "allow_plaintext",
                format!(
                    "other machines reach {address} without TLS: write its scheme with +ssl, or allow_plaintext = true \
                     here if passwords and messages may be overheard, or a proxy in front of it speaks TLS"
                ),
            );
        }
    }
}

impl Security {
    /// Whether anybody has to say who he is.
    pub fn asks(&self) -> bool {
        !self.users.is_empty()
    }
}
