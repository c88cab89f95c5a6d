//! The serial line: output is kept for the test, input is what the test typed.
//!
//! Of the thread's current machine; without one, output is dropped. The line takes all at once,
//! unless the test made it slow ([`super::SimMachine::set_console_room`]): then bytes wait in a
//! queue, and each pump lets so many go.

use super::devices::Devices;
use super::mem::{current, lock};
use crate::settings::SerialConfig;

/// Takes any setting.
pub fn init(_config: &SerialConfig) -> bool {
    true
}

/// Writes bytes, which the test gets as they are.
pub fn write(bytes: &[u8]) {
    let Some(machine) = current() else { return };
    let mut devices = lock(&machine.devices);
    for byte in bytes {
        if devices.console_queue.room() == 0
            && let Some(oldest) = devices.console_queue.pop()
        {
            devices.console_out.push(oldest);
        }
        devices.console_queue.push(*byte);
    }
    if devices.console_room.is_none() {
        drain(&mut devices);
    }
}

/// Bytes that [`write`] takes without waiting.
pub fn room() -> usize {
    let Some(machine) = current() else {
        return usize::MAX;
    };
    let devices = lock(&machine.devices);
    match devices.console_room {
        None => usize::MAX,
        Some(_) => devices.console_queue.room() / 2,
    }
}

/// Sends what the line takes at once; whether bytes still wait.
pub fn pump() -> bool {
    let Some(machine) = current() else {
        return false;
    };
    let mut devices = lock(&machine.devices);
    drain(&mut devices);
    !devices.console_queue.is_empty()
}

fn drain(devices: &mut Devices) {
    for _ in 0..devices.console_room.unwrap_or(usize::MAX) {
        let Some(byte) = devices.console_queue.pop() else {
            break;
        };
        devices.console_out.push(byte);
    }
}

/// Nothing: how fast the line is says the test.
pub fn start(_synchronous: bool) {}

/// Lets all go that waits.
pub fn flush() {
    if let Some(machine) = current() {
        let mut devices = lock(&machine.devices);
        while let Some(byte) = devices.console_queue.pop() {
            devices.console_out.push(byte);
        }
    }
}

/// A received byte, if there is one.
pub fn read() -> Option<u8> {
    lock(&current()?.devices).console_in.pop_front()
}

/// Never: an interrupt is raised by the test alone.
pub fn pending() -> bool {
    false
}

/// Nothing: [`super::SimMachine::raise`] is the interrupt.
pub fn set_interrupts(_on: bool) -> bool {
    true
}

/// Nothing: there is no boot code.
pub fn early_log(_keep: &mut dyn FnMut(&str)) {}

/// The first of the eight I/O ports in use: COM1's.
pub fn port() -> Option<u16> {
    Some(0x3f8)
}
