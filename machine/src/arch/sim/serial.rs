//! The serial line: output is kept for the test, input is what the test typed.
//!
//! Of the thread's current machine; without one, output is dropped.

use super::mem::{current, lock};

/// How a serial port is set up, as `com1=` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SerialConfig {
    /// First I/O port.
    pub port: u16,
    /// Bits a second; 0 keeps what the firmware set.
    pub baud: u32,
    /// Line control register: word length, parity, stop bits.
    pub line: u8,
    /// ISA interrupt; 0 for polling.
    pub irq: u8,
}

/// COM1 at 115200 8n1.
pub const COM1: SerialConfig = SerialConfig {
    port: 0x3f8,
    baud: 115_200,
    line: 3,
    irq: 4,
};

/// Takes any setting.
pub fn init(_config: &SerialConfig) -> bool {
    true
}

/// Writes one byte.
pub fn write_byte(byte: u8) {
    write(&[byte]);
}

/// Writes bytes, which the test gets as they are.
pub fn write(bytes: &[u8]) {
    if let Some(machine) = current() {
        lock(&machine.devices).console_out.extend_from_slice(bytes);
    }
}

/// Writes formatted text.
pub fn write_fmt(args: core::fmt::Arguments<'_>) {
    let _ = core::fmt::Write::write_fmt(&mut Serial, args);
}

/// A received byte, if there is one.
pub fn read() -> Option<u8> {
    lock(&current()?.devices).console_in.pop_front()
}

/// Nothing: [`super::SimMachine::raise`] is the interrupt.
pub fn set_receive_interrupt(_on: bool) -> bool {
    true
}

/// Nothing: there is no boot code.
pub fn early_log(_keep: &mut dyn FnMut(&str)) {}

/// The port as a text sink.
pub struct Serial;

impl core::fmt::Write for Serial {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        write(text.as_bytes());
        Ok(())
    }
}

/// The first of the eight I/O ports in use: COM1's.
pub fn port() -> Option<u16> {
    Some(0x3f8)
}
