//! Who may use the group's znodes, in ZooKeeper's words.

/// Who may read and write the group's znodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZkAcl {
    /// Anyone.
    Open,
    /// Whoever presents `zk_auth`.
    Creator,
    /// As listed.
    List(Vec<ZkAclEntry>),
}

/// One entry of an ACL in ZooKeeper's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZkAclEntry {
    /// `world`, `auth`, `digest`, `ip`, `sasl` or `x509`.
    pub scheme: String,
    /// Who, in the words of the scheme.
    pub id: String,
    /// Letters of `cdrwa`.
    pub permissions: String,
}

/// `open`, `creator`, or a list.
pub(super) fn acl(text: &str) -> Result<ZkAcl, String> {
    const EXPECTED: &str = "expected \"open\", \"creator\" or a list such as \"world:anyone:r,auth::cdrwa\"";
    match text {
        "open" => return Ok(ZkAcl::Open),
        "creator" => return Ok(ZkAcl::Creator),
        _ => {}
    }
    let mut entries = Vec::new();
    for part in text.split(',').map(str::trim) {
        let Some((scheme, (id, permissions))) =
            part.split_once(':').and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once(':')?)))
        else {
            return Err(format!("{part:?} is no ACL; {EXPECTED}"));
        };
        if !["world", "auth", "digest", "ip", "sasl", "x509"].contains(&scheme) {
            return Err(format!("unknown ACL scheme {scheme:?}; {EXPECTED}"));
        }
        if permissions.is_empty() || !permissions.chars().all(|c| "cdrwa".contains(c)) {
            return Err(format!("{permissions:?} are no permissions; expected letters of cdrwa"));
        }
        let (scheme, id, permissions) = (scheme.to_owned(), id.to_owned(), permissions.to_owned());
        entries.push(ZkAclEntry { scheme, id, permissions });
    }
    Ok(ZkAcl::List(entries))
}
