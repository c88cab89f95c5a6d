//! What is said about a word of the command line that does not do what it says.

use alloc::string::String;
use core::fmt;

/// A complaint about one word, for the boot console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// No option has this name.
    Unknown {
        /// The name as it was written.
        name: String,
    },
    /// The option exists and its value cannot be used; the option keeps what it had, except that
    /// the good items of a list count.
    Invalid {
        /// The name as it was written.
        name: String,
        /// The value as it was written.
        value: String,
        /// What is expected, or what is wrong.
        why: &'static str,
    },
    /// The option is one of Xen's, and has no effect here.
    Ignored {
        /// The name as it was written.
        name: String,
        /// Why it has no effect.
        why: &'static str,
    },
}

/// The same with the words of the line itself, for whoever cannot allocate.
#[derive(Clone, Copy, Debug)]
pub(super) enum Complaint<'a> {
    /// [`Warning::Unknown`].
    Unknown { name: &'a str },
    /// [`Warning::Invalid`].
    Invalid {
        name: &'a str,
        value: &'a str,
        why: &'static str,
    },
    /// [`Warning::Ignored`].
    Ignored { name: &'a str, why: &'static str },
}

impl From<Complaint<'_>> for Warning {
    fn from(complaint: Complaint<'_>) -> Self {
        match complaint {
            Complaint::Unknown { name } => Warning::Unknown { name: name.into() },
            Complaint::Invalid { name, value, why } => Warning::Invalid {
                name: name.into(),
                value: value.into(),
                why,
            },
            Complaint::Ignored { name, why } => Warning::Ignored {
                name: name.into(),
                why,
            },
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name } => write!(f, "parameter \"{name}\" unknown!"),
            Self::Invalid { name, value, why } => {
                write!(
                    f,
                    "parameter \"{name}\" has invalid value \"{value}\": {why}"
                )
            }
            Self::Ignored { name, why } => write!(f, "parameter \"{name}\" has no effect: {why}"),
        }
    }
}
