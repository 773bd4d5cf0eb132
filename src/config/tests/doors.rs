//! What a configuration must say about who comes in: users, rights, certificates, and connectors that others reach.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rcgen::{CertificateParams, KeyPair};

use super::parse;
use crate::security::{Hash, Password, Permission, Ruling};

const USER: &str = "[[users]]\nname = \"a\"\ncertificate = \"CN=a\"\ngroups = [\"staff\"]\n";
const RIGHT: &str = "[[rights]]\nqueue = \">\"\nread = [\"staff\"]\n";

fn connector(uri: &str, allowed: &str) -> String {
    format!("[[transport_connector]]\nname = \"c\"\nuri = \"{uri}\"\n{allowed}\n")
}

fn faults(file: &str) -> Vec<String> {
    let faults = parse(file).err().map(|error| error.faults).unwrap_or_default();
    faults.into_iter().map(|fault| format!("{}: {}", fault.key, fault.message)).collect()
}

/// A file with this text that the owner alone may read.
fn secret(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    path.display().to_string()
}

#[test]
fn a_connector_that_other_machines_reach_is_told_which_lines_it_lacks() {
    let (anonymous, plain) = ("allow_anonymous = true", "allow_plaintext = true");
    for (uri, allowed, users, lacks) in [
        ("stomp://0.0.0.0:1", "", "", &[anonymous, plain][..]),
        ("stomp://broker.example:1?maximumConnections=5", plain, "", &[anonymous]),
        ("stomp://[::]:1", anonymous, "", &[plain]),
        ("stomp://192.0.2.1:1", "", USER, &[plain]),
        ("stomp://192.0.2.1:1", plain, USER, &[]),
        ("stomp://192.0.2.1:1", "allow_anonymous = true\nallow_plaintext = true", "", &[]),
        ("stomp://localhost:1", "", "", &[]),
        ("stomp://127.0.0.2:1", "", "", &[]),
        ("stomp://[::1]:1", "", USER, &[]),
    ] {
        let told = faults(&(connector(uri, allowed) + users));
        assert_eq!(told.len(), lacks.len(), "{uri} {allowed}: {told:?}");
        assert!(told.iter().zip(lacks).all(|(told, lack)| told.contains(lack)), "{told:?}");
    }
}

#[test]
fn what_is_allowed_on_purpose_is_warned_about() {
    let both = "allow_anonymous = true\nallow_plaintext = true";
    for (file, risks) in [
        (connector("stomp://0.0.0.0:1", both), &["asks for no login"][..]),
        (connector("stomp://0.0.0.0:1", "allow_plaintext = true") + USER + RIGHT, &["can be overheard"]),
        (connector("stomp://0.0.0.0:1", both) + USER + RIGHT, &["can be overheard"]),
        (connector("stomp://127.0.0.1:1", both) + USER, &["users without [[rights]]"]),
        ("[console]\nbind = \"192.0.2.1:8161\"".to_owned(), &["console.bind: 192.0.2.1:8161 is reached"]),
        (connector("stomp://127.0.0.1:1", ""), &[]),
    ] {
        let warnings = parse(&file).unwrap().warnings;
        assert_eq!(warnings.len(), risks.len(), "{file}{warnings:?}");
        assert!(warnings.iter().zip(risks).all(|(warning, risk)| warning.contains(risk)), "{warnings:?}");
    }
}

#[test]
fn users_and_groups_come_from_activemqs_files_and_from_the_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let hash = Hash::make(&Password::new("secret".to_owned())).unwrap();
    let users =
        secret(directory.path(), "users.properties", &format!("# known\nsystem={hash}\nuser={hash}\n"));
    let groups = secret(directory.path(), "groups.properties", "admins=system\nstaff=system, user\n");
    let file = format!("[security]\nusers = \"{users}\"\ngroups = \"{groups}\"\n{USER}{RIGHT}");
    let loaded = parse(&file).unwrap();
    let security = loaded.config.security.clone();
    let found: Vec<_> = security.users.iter().map(|it| (it.name.as_str(), it.groups.join(" "))).collect();
    let expected = [("system", "admins staff"), ("user", "staff"), ("a", "staff")];
    assert_eq!(found, expected.map(|(name, groups)| (name, groups.to_owned())));
    let ruling = security.rights.explain(&security.users[1].groups, Permission::Read, true, "Q");
    let Ruling::Allowed { place, .. } = ruling else { panic!("{ruling:?}") };
    assert_eq!(place, "node.toml:8");
    assert_eq!(loaded.warnings, [""; 0]);
    let inline = parse(&format!("[[users]]\nname = \"b\"\npassword = \"{hash}\"")).unwrap();
    let shown = format!("{loaded:?}{inline:?}");
    assert!(!shown.contains("$argon2id$"), "{shown}");
    std::fs::set_permissions(&users, Permissions::from_mode(0o644)).unwrap();
    let warnings = parse(&file).unwrap().warnings;
    assert_eq!(warnings, [format!("{users} may be read by everybody on this machine: chmod o-r {users}")]);
}

#[test]
fn a_mistake_in_activemqs_files_is_told_with_its_line_and_without_the_password() {
    let directory = tempfile::tempdir().unwrap();
    let users = secret(directory.path(), "users.properties", "system=manager\n");
    let groups = secret(directory.path(), "groups.properties", "admins=system\n\nadmins=sytem\n");
    let told = faults(&format!("[security]\nusers = \"{users}\""));
    assert!(told[0].contains(&format!("{users}:1: user \"system\": a password in plain text")), "{told:?}");
    assert!(!told[0].contains("manager"));
    let told = faults(&format!(
        "[security]\nallow_plain_passwords = true\nusers = \"{users}\"\ngroups = \"{groups}\""
    ));
    assert!(
        told[0].contains(&format!("{groups}:3: group \"admins\" names the unknown user \"sytem\"")),
        "{told:?}"
    );
}

#[test]
fn keys_and_certificates_that_do_not_fit_are_told_by_file() {
    let directory = tempfile::tempdir().unwrap();
    let pair = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
        let certificate = secret(directory.path(), &format!("{name}.pem"), &certificate.pem());
        (certificate, secret(directory.path(), &format!("{name}.key"), &key.serialize_pem()))
    };
    let ((one, one_key), (_, other_key)) = (pair("one"), pair("other"));
    let file = |certificate: &str, key: &str, uri: &str| {
        let tls = format!("[security.tls]\ncertificate = \"{certificate}\"\nkey = \"{key}\"\n");
        tls + &connector(uri, "") + USER + RIGHT
    };
    let right = parse(&file(&one, &one_key, "stomp+ssl://0.0.0.0:1")).unwrap();
    assert_eq!(right.warnings, [""; 0]);
    assert!(right.config.transport_connectors[0].server_tls.is_some());
    for (certificate, key, uri, told) in [
        (&one, &other_key, "stomp+ssl://0.0.0.0:1", "it is not the key to"),
        (&one_key, &one_key, "stomp+ssl://0.0.0.0:1", "no certificate in"),
        (&one, &one, "stomp+ssl://0.0.0.0:1", "no private key in"),
        (&one, &"no/such".to_owned(), "stomp+ssl://0.0.0.0:1", "cannot be read"),
        (&one, &one_key, "stomp+ssl://0.0.0.0:1?needClientAuth=true", "need their authority's"),
        (&one, &one_key, "stomp://127.0.0.1:1?wantClientAuth=true", "speaks no TLS"),
    ] {
        let faults = faults(&file(certificate, key, uri));
        assert!(faults.len() == 1 && faults[0].contains(told), "{told}: {faults:?}");
    }
    assert!(faults(&connector("stomp+ssl://127.0.0.1:1", ""))[0].contains("[security.tls]"));
}
