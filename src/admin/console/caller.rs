//! What a page knows of who asks for it.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use form_urlencoded::parse;

use crate::admin::door::{Ends, Visitor};
use crate::admin::shared::Shared;

/// See the module.
pub(super) struct Caller {
    pub(super) shared: Shared,
    pub(super) visitor: Visitor,
    pub(super) ends: Ends,
    /// What stands behind the path.
    pub(super) query: String,
    /// Path and query.
    pub(super) target: String,
}

impl Caller {
    /// What the query says of that; empty if it says nothing.
    pub(super) fn asked(&self, name: &str) -> String {
        let found = parse(self.query.as_bytes()).find(|(it, _)| it == name);
        found.map(|(_, value)| value.into_owned()).unwrap_or_default()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller
where
    Shared: FromRef<S>,
{
    type Rejection = StatusCode;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Caller, StatusCode> {
        let (visitor, ends) = (head.extensions.get::<Visitor>().cloned(), head.extensions.get().copied());
        let (Some(visitor), Some(ends)) = (visitor, ends) else {
            return Err(StatusCode::INTERNAL_SERVER_ERROR);
        };
        let query = head.uri.query().unwrap_or_default().to_owned();
        let target = local(&head.uri).to_owned();
        Ok(Caller { shared: Shared::from_ref(state), visitor, ends, query, target })
    }
}

/// Path and query of a page here.
pub(super) fn local(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/admin/", |it| it.as_str())
}
