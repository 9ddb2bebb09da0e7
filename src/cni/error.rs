//! Errors as the specification has them: a code for the runtime, words for people.

use serde::Serialize;

use super::NEWEST;

/// What an error means to the runtime (CNI 1.1, section 5; from 100 on: our own).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The version of the configuration is not spoken.
    Version = 1,
    /// A variable of the environment is missing or is none.
    Environment = 4,
    /// The input could not be read.
    Io = 5,
    /// The input is no JSON, or not of the right types.
    Decode = 6,
    /// The configuration does not make sense.
    Config = 7,
    /// The agent does not answer: it will.
    Again = 11,
    /// No pod can be plugged now.
    Unavailable = 50,
    /// The agent says no.
    Refused = 100,
    /// What was made is no longer so.
    Changed = 101,
}

/// An error of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What it means.
    pub code: Code,
    /// What is wrong, a sentence.
    pub message: String,
    /// What to do; may be empty.
    pub details: String,
}

/// The form of an error on standard output.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Form<'a> {
    cni_version: &'a str,
    code: u32,
    msg: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    details: &'a str,
}

impl Error {
    /// An error without details.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: String::new() }
    }

    /// The same with what to do.
    #[must_use]
    pub fn with(mut self, details: impl Into<String>) -> Self {
        self.details = details.into();
        self
    }

    /// As JSON, in the form of a version; one that is not spoken is answered in the newest.
    #[must_use]
    pub fn json(&self, version: Option<&str>) -> String {
        let form = Form {
            cni_version: version.unwrap_or(NEWEST),
            code: self.code as u32,
            msg: &self.message,
            details: &self.details,
        };
        serde_json::to_string(&form).unwrap_or_default()
    }
}
