//! Ends of the machine: each is a panic with [`PowerEvent`] as its payload, for the test to
//! catch (see [`PowerEvent::of`]).

use super::std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use crate::platform::Platform;

/// How the machine ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerEvent {
    /// ACPI sleep with these types.
    Sleep(u8, u8),
    /// Reset.
    Reboot,
    /// The CPU stopped.
    Halt,
}

impl PowerEvent {
    /// Runs `f`; how it ended the machine, or `None` when it returned.
    pub fn of(f: impl FnOnce()) -> Option<PowerEvent> {
        let cause = catch_unwind(AssertUnwindSafe(f)).err()?;
        match cause.downcast::<PowerEvent>() {
            Ok(event) => Some(*event),
            Err(other) => resume_unwind(other),
        }
    }
}

/// Ends the machine. On metal it returns if the machine did not sleep.
pub fn acpi_sleep(_platform: &Platform, type_a: u8, type_b: u8) {
    panic_any(PowerEvent::Sleep(type_a, type_b));
}

/// Turns the machine off if the firmware's S5 values are known.
pub fn power_off(platform: &Platform) {
    if let Some((a, b)) = platform.power.s5 {
        acpi_sleep(platform, a, b);
    }
}

/// Resets the machine.
pub fn reboot() -> ! {
    panic_any(PowerEvent::Reboot)
}

/// Stops this CPU for good.
pub fn halt() -> ! {
    panic_any(PowerEvent::Halt)
}
