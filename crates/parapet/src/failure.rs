//! Why a command did not do what it was asked, in words for the person at the terminal.

use model::view::Refusal;
use store::StoreError;

/// A command's failure with its exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What happened and what to do, one or two sentences.
    pub(crate) message: String,
    /// Exit code: 2 usage or configuration, 3 the vendor could not be scanned.
    pub(crate) code: u8,
}

impl Failure {
    /// The command, its input or its configuration cannot be used.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 2 }
    }

    /// The scan failed.
    pub(crate) fn scan(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 3 }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let message = if refusal.remedy.is_empty() {
            refusal.message
        } else {
            format!("{} {}", refusal.message, refusal.remedy)
        };
        let vendor = refusal.kind == model::view::RefusalKind::Vendor;
        if vendor { Self::scan(message) } else { Self::usage(message) }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let text = error.to_string();
        let mut chars = text.chars();
        let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
        Self::usage(format!("{first}{}.", chars.as_str().trim_end_matches('.')))
    }
}
