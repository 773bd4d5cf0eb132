//! Users as a configuration names them.

use std::collections::HashMap;
use std::sync::Arc;

use super::account::{ANONYMOUS, Account};
use super::hash::Hash;
use super::rights::Rights;

/// One user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Unique name.
    pub name: String,
    /// What its password is checked against; without one it comes in by certificate only.
    pub hash: Option<Hash>,
    /// Subject of its certificate, as [`super::subject`] writes it.
    pub certificate: Option<String>,
    /// The groups that it is in.
    pub groups: Vec<String>,
}

/// All users, ready to be asked for.
#[derive(Debug, Default)]
pub struct Users {
    by_name: HashMap<String, (Option<Hash>, Arc<Account>)>,
    by_certificate: HashMap<String, Arc<Account>>,
    anonymous: Arc<Account>,
}

impl Users {
    /// These users under these rights.
    pub fn new(users: &[User], rights: &Rights) -> Users {
        let anonymous = Arc::new(Account::new(ANONYMOUS, &[ANONYMOUS.to_owned()], rights));
        let mut all = Users { anonymous, ..Users::default() };
        for user in users {
            let identity = Arc::new(Account::new(&user.name, &user.groups, rights));
            all.by_name.insert(user.name.clone(), (user.hash.clone(), Arc::clone(&identity)));
            if let Some(subject) = &user.certificate {
                all.by_certificate.insert(subject.clone(), identity);
            }
        }
        all
    }

    pub(super) fn named(&self, name: &str) -> Option<(Option<Hash>, Arc<Account>)> {
        self.by_name.get(name).cloned()
    }

    pub(super) fn certified(&self, subject: &str) -> Option<Arc<Account>> {
        self.by_certificate.get(subject).cloned()
    }

    pub(super) fn anonymous(&self) -> Arc<Account> {
        Arc::clone(&self.anonymous)
    }
}
