//! Forms that were sent: fields in order, and the token that proves whose form it was.

mod upload;

pub(crate) use upload::SignedUpload;

use axum::extract::{Form, FromRequest, FromRequestParts, Request};
use axum::response::IntoResponse as _;
use secrecy::SecretString;

use crate::Web;
use crate::error::Failure;
use crate::session::Signed;

/// The fields of a form, in order; a name may come more than once.
#[derive(Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// A field's value without blanks around it; empty when it was not sent.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.trim())
    }

    /// All values of a field.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// Takes a secret out as it was typed.
    pub(crate) fn secret(&mut self, name: &str) -> SecretString {
        let found = self.0.iter_mut().find(|(n, _)| n == name);
        SecretString::from(found.map(|(_, v)| std::mem::take(v)).unwrap_or_default())
    }

    /// Takes all fields out whose name begins with `prefix`, the prefix removed.
    pub(crate) fn take_prefixed(&mut self, prefix: &str) -> Vec<(String, String)> {
        self.0
            .iter_mut()
            .filter_map(|(n, v)| n.strip_prefix(prefix).map(|rest| (rest.to_owned(), std::mem::take(v))))
            .collect()
    }
}

/// A form of somebody who is not signed in yet. Guarded by the same-origin check alone.
pub(crate) struct OpenForm(pub(crate) Fields);

impl FromRequest<Web> for OpenForm {
    type Rejection = Failure;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Failure> {
        match Form::<Vec<(String, String)>>::from_request(request, web).await {
            Ok(Form(fields)) => Ok(Self(Fields(fields))),
            Err(rejection) => Err(Failure::Status(rejection.into_response().status())),
        }
    }
}

/// A form of somebody who is signed in, with the token of their session.
pub(crate) struct SignedForm {
    pub(crate) signed: Signed,
    pub(crate) fields: Fields,
}

impl FromRequest<Web> for SignedForm {
    type Rejection = Failure;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        let signed = Signed::from_request_parts(&mut parts, web).await?;
        let OpenForm(fields) = OpenForm::from_request(Request::from_parts(parts, body), web).await?;
        if !same(fields.get("csrf"), &signed.session.csrf) {
            return Err(Failure::ForeignForm);
        }
        Ok(Self { signed, fields })
    }
}

/// Compares without telling by its duration where the difference is. An empty token fits nothing.
fn same(given: &str, wanted: &str) -> bool {
    !wanted.is_empty()
        && given.len() == wanted.len()
        && given.bytes().zip(wanted.bytes()).fold(0u8, |difference, (a, b)| difference | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_fits() {
        assert!(same("abc", "abc"));
        assert!(!same("abd", "abc"));
        assert!(!same("ab", "abc"));
        assert!(!same("", ""));
    }

    #[test]
    fn secrets_leave_the_form_when_taken() {
        let mut fields = Fields(vec![
            ("set.organization".to_owned(), "acme".to_owned()),
            ("secret.token".to_owned(), " tok ".to_owned()),
        ]);
        assert_eq!(fields.take_prefixed("secret."), [("token".to_owned(), " tok ".to_owned())]);
        assert_eq!(fields.get("secret.token"), "");
        assert_eq!(fields.get("set.organization"), "acme");
    }
}
