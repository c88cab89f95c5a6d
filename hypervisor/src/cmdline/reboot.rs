//! `reboot`: how the machine is reset, and whether it is after a crash.

use super::Options;
use super::value::{Parsed, Value, list};
use machine::settings::ResetMethod;

pub(super) fn reboot(options: &mut Options, value: Value<'_>) -> Parsed {
    list(value.required()?, |item| {
        let method = match item.as_bytes().first() {
            Some(b'n') => {
                options.noreboot = true;
                return Ok(());
            }
            Some(b'w') => {
                options.reset.warm = true;
                return Ok(());
            }
            Some(b'c') => {
                options.reset.warm = false;
                return Ok(());
            }
            Some(b'a') => ResetMethod::Acpi,
            Some(b'k') => ResetMethod::Keyboard,
            Some(b'p') => ResetMethod::Pci,
            Some(b'P') => ResetMethod::Power,
            Some(b't') => ResetMethod::Triple,
            Some(b'e') => return Err("EFI's run-time services are not used yet"),
            Some(b'x') => return Err("a hypervisor below this one is not asked"),
            _ => return Err("no, acpi, kbd, pci, Power, triple, warm or cold is expected"),
        };
        options.reset.first = Some(method);
        Ok(())
    })
}
