//! Options of the machine itself: memory, clocks, interrupt controllers; and all of the line that
//! the boot code has to know.

use super::value::{Parsed, Value, list, number, size};
use super::{Options, Port, read};
use machine::settings::{ReferenceClock, Settings};

/// What a command line asks of the machine. Allocates nothing: the boot code asks before there is
/// a heap. Complaints are left to [`super::parse`].
#[must_use]
pub fn machine_settings(line: &str) -> Settings {
    let options = read(line, |_| {});
    Settings {
        serial: options.console.map(|port| match port {
            Port::Com1 => options.com1,
            Port::Com2 => options.com2,
        }),
        max_cpus: options.maxcpus.unwrap_or(u32::MAX),
        ram_end: options.mem.unwrap_or(u64::MAX),
        ram_bytes: options.availmem.unwrap_or(u64::MAX),
        bad_frames: options.badpage,
        smep: options.smep,
        smap: options.smap,
        x2apic: options.x2apic,
        tsc_deadline: options.tdt,
        reference: options.clocksource,
        reset: options.reset,
        reset_after_crash: !options.noreboot,
    }
}

pub(super) fn maxcpus(options: &mut Options, value: Value<'_>) -> Parsed {
    // 0 is an old way to say nosmp.
    options.maxcpus = Some(number::<u32>(value.required()?)?.max(1));
    Ok(())
}

pub(super) fn nosmp(options: &mut Options, value: Value<'_>) -> Parsed {
    if value.boolean()? {
        options.maxcpus = Some(1);
    }
    Ok(())
}

pub(super) fn mem(options: &mut Options, value: Value<'_>) -> Parsed {
    options.mem = Some(size(value.required()?)?).filter(|&bytes| bytes != 0);
    Ok(())
}

pub(super) fn availmem(options: &mut Options, value: Value<'_>) -> Parsed {
    options.availmem = Some(size(value.required()?)?).filter(|&bytes| bytes != 0);
    Ok(())
}

/// `N` or `FIRST-LAST`, frame numbers.
pub(super) fn badpage(options: &mut Options, value: Value<'_>) -> Parsed {
    list(value.required()?, |item| {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        let range = (number(first)?, number(last)?);
        if range.1 < range.0 {
            return Err("a frame number, or FIRST-LAST, is expected");
        }
        options
            .badpage
            .try_push(range)
            .map_err(|_| "no more than 16 ranges are taken")
    })
}

/// `smep`, `smap`: a boolean, or `hvm` for guests alone.
pub(super) fn prevention(value: Value<'_>) -> Parsed<bool> {
    match value.boolean_or_text()? {
        Ok(on) => Ok(on),
        Err("hvm") => Ok(false),
        Err(_) => Err("a boolean or hvm is expected"),
    }
}

pub(super) fn clocksource(options: &mut Options, value: Value<'_>) -> Parsed {
    options.clocksource = match value.required()? {
        "hpet" => Some(ReferenceClock::Hpet),
        "acpi" => Some(ReferenceClock::Acpi),
        "pit" => Some(ReferenceClock::Pit),
        // The time stamp counter is the clock anyway.
        "tsc" => None,
        _ => return Err("tsc, hpet, acpi or pit is expected"),
    };
    Ok(())
}
