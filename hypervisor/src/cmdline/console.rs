//! Options about consoles: which, and what is logged.

use super::Options;
use super::value::{Parsed, Value, list};
use core::fmt;

/// A serial port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// The first one.
    Com1,
    /// The second one.
    Com2,
}

/// A message's level; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing, as a limit.
    None,
    /// Something failed.
    Error,
    /// Something is wrong.
    Warning,
    /// Something happened.
    Info,
    /// Details.
    Debug,
}

/// `loglvl`, `guest_loglvl`: messages up to `always` are shown, those above it and up to
/// `limited` are shown at a limited rate, the others never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// Shown always.
    pub always: Level,
    /// Shown at a limited rate.
    pub limited: Level,
}

impl fmt::Display for LogLimits {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}/{}", self.always, self.limited)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Level::None => "none",
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Info => "info",
            Level::Debug => "all",
        })
    }
}

/// `conswitch`: the key that, with Ctrl and three times, takes the input to the hypervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switch {
    /// A lower-case letter; `None` when there is no such key.
    pub key: Option<u8>,
    /// The input is the hypervisor's at first.
    pub starts_here: bool,
}

impl Default for Switch {
    fn default() -> Self {
        Self {
            key: Some(b'a'),
            starts_here: false,
        }
    }
}

pub(super) fn console(options: &mut Options, value: Value<'_>) -> Parsed {
    let mut port = None;
    let mut none = false;
    let verdict = list(value.required()?, |item| {
        // As in Xen the last serial port named is the one.
        match item {
            "com1" => port = Some(Port::Com1),
            "com2" => port = Some(Port::Com2),
            "none" => none = true,
            "com1H" | "com1L" | "com2H" | "com2L" => {
                let first = item.starts_with("com1");
                port = Some(if first { Port::Com1 } else { Port::Com2 });
                return Err("a line is not shared: H and L have no effect");
            }
            "vga" => return Err("there is no output to a screen"),
            "pv" | "dbgp" | "ehci" | "xhci" => return Err("only com1, com2 and none work"),
            _ => return Err("com1, com2 or none is expected"),
        }
        Ok(())
    });
    // A wrong word must not take away the only console that could say so.
    if port.is_some() || (none && verdict.is_ok()) {
        options.console = port;
    }
    verdict
}

pub(super) fn loglvl(options: &mut Options, value: Value<'_>) -> Parsed {
    options.loglvl = log_limits(value.required()?)?;
    Ok(())
}

pub(super) fn guest_loglvl(options: &mut Options, value: Value<'_>) -> Parsed {
    options.guest_loglvl = log_limits(value.required()?)?;
    Ok(())
}

/// `LEVEL` or `LEVEL/RATE-LIMITED-LEVEL`.
pub fn log_limits(text: &str) -> Parsed<LogLimits> {
    let (always, limited) = text.split_once('/').unwrap_or((text, text));
    let (always, limited) = (level(always)?, level(limited)?);
    Ok(LogLimits {
        always,
        limited: limited.max(always),
    })
}

fn level(text: &str) -> Parsed<Level> {
    Ok(match text {
        "none" => Level::None,
        "error" => Level::Error,
        "warning" => Level::Warning,
        "info" => Level::Info,
        "debug" | "all" => Level::Debug,
        _ => return Err("none, error, warning, info, debug or all is expected"),
    })
}

/// `console_timestamps`: what stands in front of each line of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stamp {
    /// Nothing.
    #[default]
    None,
    /// Date and time, in UTC.
    Date,
    /// The same with milliseconds.
    DateMs,
    /// Seconds and microseconds since boot.
    Boot,
    /// The clock's own ticks, which are nanoseconds here.
    Raw,
}

pub(super) fn timestamps(options: &mut Options, value: Value<'_>) -> Parsed {
    options.stamp = match value.boolean_or_text()? {
        Ok(true) => Stamp::Date,
        Ok(false) => Stamp::None,
        Err(text) => stamp(text)?,
    };
    Ok(())
}

/// The form that a word names.
pub fn stamp(text: &str) -> Parsed<Stamp> {
    Ok(match text {
        "none" => Stamp::None,
        "date" => Stamp::Date,
        "datems" => Stamp::DateMs,
        "boot" => Stamp::Boot,
        "raw" => Stamp::Raw,
        _ => return Err("none, date, datems, boot or raw is expected"),
    })
}

pub(super) fn conswitch(options: &mut Options, value: Value<'_>) -> Parsed {
    let (key, starts_here) = match value.required()?.as_bytes() {
        [key] => (key, false),
        [key, b'x'] => (key, true),
        _ => return Err("a letter, and x after it to begin in the hypervisor, is expected"),
    };
    let key = key.to_ascii_lowercase();
    // Anything but a letter means that no key switches.
    options.conswitch = Switch {
        key: Some(key).filter(u8::is_ascii_lowercase),
        starts_here,
    };
    Ok(())
}
