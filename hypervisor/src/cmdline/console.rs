//! Options about consoles: which, how the serial lines are set, what is logged.

use super::Options;
use super::value::{Parsed, Value, list, number};

/// `console`: where messages go and input comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consoles {
    /// The first serial port.
    pub com1: bool,
    /// The second serial port.
    pub com2: bool,
    /// The text screen.
    pub vga: bool,
}

impl Default for Consoles {
    fn default() -> Self {
        Self {
            com1: true,
            com2: false,
            vga: true,
        }
    }
}

/// A serial line's parity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Parity {
    /// No parity bit.
    #[default]
    None,
    /// An odd number of ones.
    Odd,
    /// An even number of ones.
    Even,
    /// The bit is always one.
    Mark,
    /// The bit is always zero.
    Space,
}

/// `com1`, `com2`: how a serial port is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serial {
    /// Bits per second; `None` keeps what the firmware set.
    pub baud: Option<u32>,
    /// The port's clock divided by 16, in hertz; `None` for the usual 115,200.
    pub clock: Option<u32>,
    /// Data bits, 5 to 8.
    pub data_bits: u8,
    /// Parity.
    pub parity: Parity,
    /// Stop bits, 1 or 2.
    pub stop_bits: u8,
    /// I/O port, or physical address from 0x10000 up; `None` for the port's usual one.
    pub io_base: Option<u64>,
    /// Interrupt; `None` for the usual one, 0 to poll.
    pub irq: Option<u32>,
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
    let mut consoles = Consoles {
        com1: false,
        com2: false,
        vga: false,
    };
    let verdict = list(value.required()?, |item| {
        match item {
            "com1" | "com1H" | "com1L" => consoles.com1 = true,
            "com2" | "com2H" | "com2L" => consoles.com2 = true,
            "vga" => consoles.vga = true,
            "none" => {}
            "pv" | "dbgp" | "ehci" | "xhci" => return Err("only com1, com2, vga and none work"),
            _ => return Err("com1, com2, vga or none is expected"),
        }
        Ok(())
    });
    // A wrong word must not take away the only console that could say so.
    if verdict.is_ok() || consoles.com1 || consoles.com2 || consoles.vga {
        options.console = consoles;
    }
    verdict
}

pub(super) fn com1(options: &mut Options, value: Value<'_>) -> Parsed {
    options.com1 = Some(serial(value.required()?)?);
    Ok(())
}

pub(super) fn com2(options: &mut Options, value: Value<'_>) -> Parsed {
    options.com2 = Some(serial(value.required()?)?);
    Ok(())
}

/// `BAUD[/CLOCK][,DPS[,IO-BASE[,IRQ]]]`; each part may be empty.
fn serial(text: &str) -> Parsed<Serial> {
    let mut serial = Serial {
        baud: None,
        clock: None,
        data_bits: 8,
        parity: Parity::None,
        stop_bits: 1,
        io_base: None,
        irq: None,
    };
    let mut parts = text.split(',');
    let rates = parts.next().unwrap_or("");
    let (baud, clock) = match rates.split_once('/') {
        Some((baud, clock)) => (baud, Some(clock)),
        None => (rates, None),
    };
    if !matches!(baud, "" | "auto") {
        let rate = number(baud)?;
        if !(1..=4_000_000).contains(&rate) {
            return Err("the rate is from 1 to 4000000 baud");
        }
        serial.baud = Some(rate);
    }
    if let Some(clock) = clock {
        // The clock is given in hertz, sixteen times the highest rate.
        serial.clock = Some(number::<u32>(clock)? / 16).filter(|&clock| clock != 0);
    }
    if let Some(format) = parts.next().filter(|part| !part.is_empty()) {
        (serial.data_bits, serial.parity, serial.stop_bits) =
            framing(format).ok_or("a framing such as 8n1 is expected")?;
    }
    match parts.next() {
        None | Some("") => {}
        Some("pci" | "amt") => return Err("PCI serial ports are not supported yet"),
        Some(base) => serial.io_base = Some(number(base)?),
    }
    match parts.next() {
        None | Some("") => {}
        Some("msi") => return Err("a serial port's MSI is not supported yet"),
        Some(irq) => serial.irq = Some(number(irq)?),
    }
    match parts.next() {
        None => Ok(serial),
        Some(_) => Err("BAUD,FRAMING,IO-BASE,IRQ is expected and no more"),
    }
}

fn framing(text: &str) -> Option<(u8, Parity, u8)> {
    let &[data @ b'5'..=b'8', parity, stop @ b'1'..=b'2'] = text.as_bytes() else {
        return None;
    };
    let parity = match parity {
        b'n' => Parity::None,
        b'o' => Parity::Odd,
        b'e' => Parity::Even,
        b'm' => Parity::Mark,
        b's' => Parity::Space,
        _ => return None,
    };
    Some((data.checked_sub(b'0')?, parity, stop.checked_sub(b'0')?))
}

pub(super) fn loglvl(options: &mut Options, value: Value<'_>) -> Parsed {
    options.loglvl = limits(value.required()?)?;
    Ok(())
}

pub(super) fn guest_loglvl(options: &mut Options, value: Value<'_>) -> Parsed {
    options.guest_loglvl = limits(value.required()?)?;
    Ok(())
}

/// `LEVEL` or `LEVEL/RATE-LIMITED-LEVEL`.
fn limits(text: &str) -> Parsed<LogLimits> {
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
