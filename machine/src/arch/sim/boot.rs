//! What boot code does on metal: modules' contents, and letting the other CPUs go.

use super::mem::current;

/// A module's bytes; empty when the current machine has no module there.
pub fn boot_bytes(addr: u64, len: u64) -> &'static [u8] {
    let Some(machine) = current() else { return &[] };
    let modules = super::mem::lock(&machine.modules);
    let found = modules
        .iter()
        .find(|(at, bytes)| *at == addr && bytes.len() as u64 == len);
    found.map_or(&[], |(_, bytes)| *bytes)
}

/// Keeps `f` for the test to run: see [`super::SimMachine::released`].
pub fn release_aps(f: &'static (dyn Fn(super::Cpu) + Sync)) {
    if let Some(machine) = current() {
        *super::mem::lock(&machine.released) = Some(f);
    }
}
