//! Accesses to memory of devices that is not mapped.

use super::{carry_out, config, msix, of};
use crate::cx::Cx;
use crate::domain::Domain;
use crate::hv::Hypervisor;
use crate::irq::Function;
use machine::Gfn;

/// What an address that is not mapped belongs to.
enum Place {
    /// The I/O APIC of this index.
    IoApic(usize),
    /// Configuration space: a function's register.
    Config(Function, u16),
    /// A page with an MSI-X table.
    Table,
}

fn place(hv: &Hypervisor, dom: &Domain, gpa: u64) -> Option<Place> {
    if let Some((function, register)) = config_space(hv, gpa) {
        of(dom)?;
        return Some(Place::Config(function, register));
    }
    let state = of(dom)?.state.lock();
    if let Some(index) = state.io_apics.iter().position(|one| one.is_at(gpa)) {
        return Some(Place::IoApic(index));
    }
    let mut functions = state.functions.iter();
    functions
        .any(|one| one.traps(gpa >> 12))
        .then_some(Place::Table)
}

/// The function and register of segment 0 at an address in memory-mapped configuration space.
fn config_space(hv: &Hypervisor, gpa: u64) -> Option<(Function, u16)> {
    let mut spaces = hv.platform.config_spaces.iter();
    spaces.find_map(|space| {
        let offset = gpa.checked_sub(space.addr)?;
        let bus = u8::try_from(offset >> 20).ok()?;
        let known = space.segment == 0 && (space.first_bus..=space.last_bus).contains(&bus);
        let devfn = (offset >> 12) as u8;
        known.then_some((Function { bus, devfn }, offset as u16 & 0xfff))
    })
}

/// Where `function`'s registers are in memory.
pub(super) fn config_page(hv: &Hypervisor, function: Function) -> Option<u64> {
    let mut spaces = hv.platform.config_spaces.iter();
    let space = spaces.find(|space| {
        space.segment == 0 && (space.first_bus..=space.last_bus).contains(&function.bus)
    })?;
    let offset = u64::from(function.bus) << 20 | u64::from(function.devfn) << 12;
    space.addr.checked_add(offset)
}

/// Whether `gfn` is not to be mapped for the domain, since accesses to it come here.
pub fn traps(hv: &Hypervisor, dom: &Domain, gfn: Gfn) -> bool {
    place(hv, dom, gfn.0 << 12).is_some()
}

/// Reads 1, 2, 4 or 8 bytes at `gpa`. `None` for what is not here.
pub fn read(cx: &mut Cx, gpa: u64, bytes: u64) -> Option<u64> {
    let place = place(cx.hv, cx.dom, gpa)?;
    if bytes == 8 {
        let low = one_read(cx, &place, gpa, 4);
        let high = one_read(cx, &step(place), gpa.wrapping_add(4), 4);
        return Some(u64::from(low) | u64::from(high) << 32);
    }
    Some(one_read(cx, &place, gpa, bytes as u8).into())
}

/// Writes 1, 2, 4 or 8 bytes at `gpa`. `false` for what is not here.
pub fn write(cx: &mut Cx, gpa: u64, bytes: u64, value: u64) -> bool {
    let Some(place) = place(cx.hv, cx.dom, gpa) else {
        return false;
    };
    if bytes == 8 {
        one_write(cx, &place, gpa, 4, value as u32);
        one_write(
            cx,
            &step(place),
            gpa.wrapping_add(4),
            4,
            (value >> 32) as u32,
        );
    } else {
        one_write(cx, &place, gpa, bytes as u8, value as u32);
    }
    true
}

/// The place four bytes on, in the same page: accesses that cross a page are not made here.
fn step(place: Place) -> Place {
    match place {
        Place::Config(function, register) => Place::Config(function, register.wrapping_add(4)),
        same => same,
    }
}

fn one_read(cx: &mut Cx, place: &Place, gpa: u64, bytes: u8) -> u32 {
    match *place {
        Place::Config(function, register) => {
            config::read(cx.hv, cx.cpu, cx.dom, function, register, bytes)
        }
        Place::IoApic(index) => {
            let Some(devices) = of(cx.dom) else {
                return u32::MAX;
            };
            let state = devices.state.lock();
            let value = state.io_apics.get(index).map(|one| one.read(gpa & !3));
            value.unwrap_or(u32::MAX) >> (8 * (gpa & 3))
        }
        Place::Table => msix::read(cx, gpa, bytes),
    }
}

fn one_write(cx: &mut Cx, place: &Place, gpa: u64, bytes: u8, value: u32) {
    match *place {
        Place::Config(function, register) => {
            config::write(cx.hv, cx.cpu, cx.dom, (function, register), bytes, value);
        }
        Place::IoApic(index) => {
            let effect = of(cx.dom).and_then(|devices| {
                let mut state = devices.state.lock();
                state.io_apics.get_mut(index)?.write(gpa, value)
            });
            if let Some(effect) = effect {
                carry_out(cx.hv, cx.cpu, cx.dom, effect);
            }
        }
        Place::Table => msix::write(cx, gpa, bytes, value),
    }
}
