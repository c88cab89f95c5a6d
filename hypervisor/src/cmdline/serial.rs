//! `com1`, `com2`: how a serial port is set.

use super::Options;
use super::value::{Parsed, Value, number};
use machine::settings::SerialConfig;

/// Rates above this one are mistakes.
const MAX_RATE: u32 = 4_000_000;
/// Line control: data bits above five, two stop bits, and the parity's three bits.
const STOP_2: u8 = 1 << 2;
const PARITY_SHIFT: u8 = 3;

pub(super) fn com1(options: &mut Options, value: Value<'_>) -> Parsed {
    options.com1 = parse(value.required()?, SerialConfig::COM1)?;
    Ok(())
}

pub(super) fn com2(options: &mut Options, value: Value<'_>) -> Parsed {
    options.com2 = parse(value.required()?, SerialConfig::COM2)?;
    Ok(())
}

/// `BAUD[/BASE-BAUD][,DPS[,IO-BASE[,IRQ]]]`, each of which may be empty, and `NAME=VALUE`
/// anywhere among them. `usual` is what holds without them.
fn parse(text: &str, usual: SerialConfig) -> Parsed<SerialConfig> {
    let mut port = usual;
    let mut place = 0;
    for part in text.split(',') {
        if let Some((name, value)) = part.split_once('=') {
            named(&mut port, name, value)?;
            continue;
        }
        place += 1;
        if part.is_empty() {
            continue;
        }
        match place {
            1 => rates(&mut port, part)?,
            2 => port.line = framing(part).ok_or("a framing such as 8n1 is expected")?,
            3 => port.port = io_base(part)?,
            4 => port.irq = irq(part)?,
            _ => return Err("BAUD,FRAMING,IO-BASE,IRQ is expected and no more"),
        }
    }
    Ok(port)
}

fn named(port: &mut SerialConfig, name: &str, value: &str) -> Parsed {
    match name {
        "baud" => port.baud = baud(value)?,
        "clock-hz" => port.base_baud = rate(value)?,
        "data-bits" => {
            let bits = match value.as_bytes() {
                [bits] => data_bits(*bits),
                _ => None,
            };
            port.line = port.line & !3 | bits.ok_or("data-bits is 5 to 8")?;
        }
        "stop-bits" => {
            port.line = port.line & !STOP_2
                | match value {
                    "1" => 0,
                    "2" => STOP_2,
                    _ => return Err("stop-bits is 1 or 2"),
                };
        }
        "parity" => {
            let bits = match value.as_bytes() {
                [first, ..] => parity(*first),
                _ => None,
            };
            port.line = port.line & 7 | bits.ok_or("parity is n, o, e, m or s")?;
        }
        "io-base" => port.port = io_base(value)?,
        "irq" => port.irq = irq(value)?,
        "reg-shift" if value == "0" => {}
        "reg-width" if value == "1" => {}
        "reg-shift" | "reg-width" => return Err("only ports with registers of a byte each work"),
        "dev" | "port" | "bridge" => return Err("PCI serial ports are not supported yet"),
        _ => {
            return Err("baud, clock-hz, data-bits, parity, stop-bits, io-base or irq is expected");
        }
    }
    Ok(())
}

fn rates(port: &mut SerialConfig, text: &str) -> Parsed {
    let (rate_text, base) = match text.split_once('/') {
        Some((rate, base)) => (rate, Some(base)),
        None => (text, None),
    };
    port.baud = baud(rate_text)?;
    if let Some(base) = base {
        port.base_baud = rate(base)?;
    }
    Ok(())
}

/// A rate; 0 for `auto`, which keeps what the firmware set.
fn baud(text: &str) -> Parsed<u32> {
    if matches!(text, "" | "auto") {
        return Ok(0);
    }
    rate(text)
}

fn rate(text: &str) -> Parsed<u32> {
    let rate = number(text)?;
    if (1..=MAX_RATE).contains(&rate) {
        Ok(rate)
    } else {
        Err("a rate is from 1 to 4000000 baud")
    }
}

fn io_base(text: &str) -> Parsed<u16> {
    if matches!(text, "pci" | "amt") {
        return Err("PCI serial ports are not supported yet");
    }
    match number::<u64>(text)? {
        // All eight registers are ports.
        base @ 1..=0xfff8 => u16::try_from(base).map_err(|_| "an I/O port is expected"),
        0x1_0000.. => Err("memory-mapped serial ports are not supported yet"),
        _ => Err("an I/O port is expected"),
    }
}

fn irq(text: &str) -> Parsed<u8> {
    if text == "msi" {
        return Err("a serial port's MSI is not supported yet");
    }
    match number(text)? {
        irq @ 0..=15 => Ok(irq),
        _ => Err("an interrupt from 1 to 15, or 0 to poll, is expected"),
    }
}

fn framing(text: &str) -> Option<u8> {
    let &[data, with, stop @ b'1'..=b'2'] = text.as_bytes() else {
        return None;
    };
    let stop = if stop == b'2' { STOP_2 } else { 0 };
    Some(data_bits(data)? | stop | parity(with)?)
}

fn data_bits(digit: u8) -> Option<u8> {
    matches!(digit, b'5'..=b'8').then(|| digit - b'5')
}

fn parity(letter: u8) -> Option<u8> {
    Some(match letter {
        b'n' => 0,
        b'o' => 1 << PARITY_SHIFT,
        b'e' => 3 << PARITY_SHIFT,
        b'm' => 5 << PARITY_SHIFT,
        b's' => 7 << PARITY_SHIFT,
        _ => return None,
    })
}
