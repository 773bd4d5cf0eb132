//! Somebody who asks: who that is, and what he may do.

use axum::http::StatusCode;

use super::guard::Refusal;
use super::role::ConsoleRole;
use crate::broker::Principal;

/// See the module.
#[derive(Clone, Debug)]
pub(in crate::admin) struct Visitor {
    /// Whose rights on destinations count.
    pub(in crate::admin) principal: Principal,
    /// What he may do at the console; nothing without.
    pub(in crate::admin) role: Option<ConsoleRole>,
    /// What his forms have to show, which no page of another knows; `None` for who has not logged in, and for programs.
    pub(in crate::admin) form: Option<String>,
    /// Why he is not more than a stranger.
    stranger: Option<&'static str>,
}

impl Visitor {
    /// Whoever was not asked who he is.
    pub(in crate::admin) fn nobody() -> Visitor {
        Visitor::stranger(None, "nobody was asked for a login")
    }

    /// Whoever has not said who he is, for that reason.
    pub(super) fn stranger(role: Option<ConsoleRole>, reason: &'static str) -> Visitor {
        Visitor { principal: Principal::default(), role, form: None, stranger: Some(reason) }
    }

    /// Whoever has been recognised.
    pub(super) fn known(principal: Principal, role: Option<ConsoleRole>) -> Visitor {
        Visitor { principal, role, form: None, stranger: None }
    }

    /// The same, who fills in forms that show this.
    pub(super) fn with_form(self, form: String) -> Visitor {
        Visitor { form: Some(form), ..self }
    }

    /// His name, if he has logged in.
    pub(in crate::admin) fn name(&self) -> Option<&str> {
        self.stranger.is_none().then(|| self.principal.user())
    }

    /// Whether he has that role.
    pub(in crate::admin) fn has(&self, role: ConsoleRole) -> bool {
        self.role >= Some(role)
    }

    /// Refuses what needs a role that he has not.
    ///
    /// # Errors
    /// 401 to who has not logged in, 403 to who has.
    pub(in crate::admin) fn check(&self, role: ConsoleRole) -> Result<(), Refusal> {
        match self.stranger {
            _ if self.has(role) => Ok(()),
            Some(reason) => Err((StatusCode::UNAUTHORIZED, reason.to_owned())),
            None => {
                let (user, role) = (self.principal.user(), role.name());
                let error = format!("no group of {user:?} is one of console.{role}");
                Err((StatusCode::FORBIDDEN, error))
            }
        }
    }
}
