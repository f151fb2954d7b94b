//! Why a command did not do what it was asked, in words for the person at the terminal.

use model::diagnosis::Fault;
use model::view::Refusal;
use store::StoreError;

/// A command's failure with its exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What happened and what to do, one or two sentences.
    pub(crate) message: String,
    /// Exit code: 2 usage or configuration, 3 the vendor could not be scanned.
    pub(crate) code: u8,
    /// What the vendor answered, where it is the vendor who could not be asked.
    pub(crate) fault: Option<Box<Fault>>,
}

impl Failure {
    /// The command, its input or its configuration cannot be used.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 2, fault: None }
    }

    /// The scan failed.
    pub(crate) fn scan(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 3, fault: None }
    }

    /// Nothing was scanned, because of this.
    pub(crate) fn refused(message: impl Into<String>, fault: Fault) -> Self {
        Self { fault: Some(Box::new(fault)), ..Self::scan(message) }
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
        let text = text.trim_end_matches('.');
        // A word becomes a sentence's beginning; a path stays what it is.
        let word = text.split(' ').next().is_some_and(|w| w.chars().all(char::is_alphabetic));
        let mut chars = text.chars();
        match chars.next() {
            Some(first) if word => Self::usage(format!("{}{}.", first.to_uppercase(), chars.as_str())),
            _ => Self::usage(format!("{text}.")),
        }
    }
}
