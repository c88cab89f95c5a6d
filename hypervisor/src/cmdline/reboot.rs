//! `reboot`: how the machine is reset.

use super::Options;
use super::value::{Parsed, Value, list};

/// A way to reset the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Not at all: stop.
    None,
    /// The ACPI reset register.
    Acpi,
    /// The keyboard controller.
    Keyboard,
    /// Port 0xCF9.
    Pci,
    /// Port 0xCF9 with a power cycle.
    Power,
    /// A triple fault.
    Triple,
    /// The firmware's runtime service.
    Efi,
}

/// `reboot`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reboot {
    /// What to try first; absent: what the machine says of itself.
    pub method: Option<Method>,
    /// Tell the firmware to leave out its memory test.
    pub warm: bool,
}

pub(super) fn reboot(options: &mut Options, value: Value<'_>) -> Parsed {
    list(value.required()?, |item| {
        let method = match item.as_bytes().first() {
            Some(b'n') => Method::None,
            Some(b'a') => Method::Acpi,
            Some(b'k') => Method::Keyboard,
            Some(b'p') => Method::Pci,
            Some(b'P') => Method::Power,
            Some(b't') => Method::Triple,
            Some(b'e') => Method::Efi,
            Some(b'w') => {
                options.reboot.warm = true;
                return Ok(());
            }
            Some(b'c') => {
                options.reboot.warm = false;
                return Ok(());
            }
            _ => return Err("no, acpi, kbd, pci, Power, triple, efi, warm or cold is expected"),
        };
        options.reboot.method = Some(method);
        Ok(())
    })
}
