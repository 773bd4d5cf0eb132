//! A form that was filled in at one of our pages. One that does not show what that page had in it is another's.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use form_urlencoded::parse;

use super::caller::Caller;
use super::frame::refusal;
use crate::admin::shared::Shared;

/// The fields of a form, from somebody who may fill it in as far as forms go; what he may do is to be looked at.
pub(super) struct Filled {
    pub(super) caller: Caller,
    fields: Vec<(String, String)>,
}

/// What the page of the form knows, and nobody else.
const TOKEN_FIELD: &str = "form";

impl Filled {
    /// What was filled in there; empty if nothing was.
    pub(super) fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(it, _)| it == name).map_or("", |(_, value)| value)
    }
}

impl FromRequest<Shared> for Filled {
    type Rejection = Response;

    async fn from_request(request: Request, shared: &Shared) -> Result<Filled, Response> {
        let (mut head, body) = request.into_parts();
        let caller =
            Caller::from_request_parts(&mut head, shared).await.map_err(IntoResponse::into_response)?;
        let body = Bytes::from_request(Request::from_parts(head, body), shared).await;
        let body = match body {
            Ok(body) => body,
            Err(error) => return Err(refusal(&caller, (error.status(), error.body_text())).await),
        };
        let filled = Filled { fields: parse(&body).into_owned().collect(), caller };
        let shown = filled.field(TOKEN_FIELD).as_bytes();
        let wanted = filled.caller.visitor.form.as_deref().unwrap_or_default();
        if wanted.is_empty() || verify_slices_are_equal(wanted.as_bytes(), shown).is_err() {
            let error = "this form is not from a page of your session: load the page again, or log in";
            return Err(refusal(&filled.caller, (StatusCode::FORBIDDEN, error.to_owned())).await);
        }
        Ok(filled)
    }
}
