//! The forms of values: booleans, numbers, sizes, lists.

/// What an option's parser says about a value that it cannot use.
pub(super) type Parsed<T = ()> = Result<T, &'static str>;

/// What stands after an option's name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value<'a> {
    /// The text after `=`.
    pub text: Option<&'a str>,
    /// The name had `no-` in front.
    pub negated: bool,
}

impl<'a> Value<'a> {
    /// The text, for options that need one and cannot be negated.
    pub(super) fn required(self) -> Parsed<&'a str> {
        match self {
            Self { negated: true, .. } => Err("this is not an on/off option"),
            Self {
                text: None | Some(""),
                ..
            } => Err("a value is needed"),
            Self {
                text: Some(text), ..
            } => Ok(text),
        }
    }

    /// A boolean: alone it is true, and `no-` turns it round.
    pub(super) fn boolean(self) -> Parsed<bool> {
        let plain = match self.text {
            None => true,
            Some(text) => {
                boolean(text).ok_or("yes, no, on, off, true, false, 1 or 0 is expected")?
            }
        };
        Ok(plain != self.negated)
    }

    /// A boolean if it looks like one, or else the text.
    pub(super) fn boolean_or_text(self) -> Parsed<Result<bool, &'a str>> {
        match (self.text, self.negated) {
            (Some(text), false) if boolean(text).is_none() => Ok(Err(text)),
            _ => self.boolean().map(Ok),
        }
    }
}

/// The words for yes and no.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "yes" | "on" | "true" | "enable" | "1" => Some(true),
        "no" | "off" | "false" | "disable" | "0" => Some(false),
        _ => None,
    }
}

/// An item of a list: `name`, `no-name` or `name=bool`.
pub(super) fn item(text: &str) -> (&str, Value<'_>) {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    match name.strip_prefix("no-") {
        Some(name) => (
            name,
            Value {
                text: value,
                negated: true,
            },
        ),
        None => (
            name,
            Value {
                text: value,
                negated: false,
            },
        ),
    }
}

/// Applies `each` to the items of a comma-separated list; all are tried, and the first complaint
/// is returned.
pub(super) fn list<'a>(text: &'a str, mut each: impl FnMut(&'a str) -> Parsed) -> Parsed {
    let mut verdict = Ok(());
    for item in text.split(',') {
        verdict = verdict.and(each(item));
    }
    verdict
}

/// Splits a number off the front: decimal, `0x` hexadecimal, or octal with a leading zero.
pub(super) fn leading_number(text: &str) -> Option<(u64, &str)> {
    let (radix, digits) = match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        Some(digits) => (16, digits),
        None if text.starts_with('0') => (8, text),
        None => (10, text),
    };
    let end = digits
        .find(|c: char| !c.is_digit(radix))
        .unwrap_or(digits.len());
    let (digits, rest) = digits.split_at_checked(end)?;
    Some((u64::from_str_radix(digits, radix).ok()?, rest))
}

/// A whole number and nothing after it.
pub(super) fn number<T: TryFrom<u64>>(text: &str) -> Parsed<T> {
    match leading_number(text) {
        Some((number, "")) => T::try_from(number).map_err(|_| "the number is too large"),
        _ => Err("a number is expected"),
    }
}

/// Splits a size off the front: a number and one of `b k m g t`; KiB without one. In bytes.
pub(super) fn leading_size(text: &str) -> Parsed<(u64, &str)> {
    let (number, rest) = leading_number(text).ok_or("a size such as 512M is expected")?;
    let (shift, unit) = match rest.bytes().next().map(|byte| byte.to_ascii_lowercase()) {
        Some(b'b') => (0, 1),
        Some(b'k') => (10, 1),
        Some(b'm') => (20, 1),
        Some(b'g') => (30, 1),
        Some(b't') => (40, 1),
        _ => (10, 0),
    };
    let bytes = number
        .checked_mul(1 << shift)
        .ok_or("the size is too large")?;
    Ok((bytes, rest.get(unit..).unwrap_or("")))
}

/// A size and nothing after it, in bytes.
pub(super) fn size(text: &str) -> Parsed<u64> {
    match leading_size(text)? {
        (bytes, "") => Ok(bytes),
        _ => Err("a size such as 512M is expected"),
    }
}
