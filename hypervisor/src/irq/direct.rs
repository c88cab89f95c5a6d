//! Lines that reach a hardware-virtualised control domain by its own interrupt controllers
//! instead of event channels: it calls each line by the line's own number.
//!
//! Pins are bound when the domain first opens them, and stay so; messages while the domain has
//! them switched on.

use super::bind::cpu_of;
use super::domain::Number;
use super::line::Source;
use super::map;
use super::msi::Message;
use super::table::is_hosts;
use crate::domain::Domain;
use crate::hv::Hypervisor;
use alloc::sync::Arc;
use machine::Cpu;
use xen_abi::Errno;

/// The domain opened the pin of `gsi`, and said how it is triggered; of the power-event interrupt
/// the firmware said that. Errors: `EINVAL` for a pin that there is not; `EPERM` for one that it
/// may not have; `EBUSY` for the host's own; `ENOSPC` when no vector is left; `ENOMEM`.
pub fn open_pin(
    hv: &Hypervisor,
    cpu: &mut Cpu,
    dom: &Arc<Domain>,
    gsi: u32,
    (level, active_low): (bool, bool),
) -> Result<(), Errno> {
    if gsi >= hv.irqs.gsi_end() {
        return Err(Errno::EINVAL);
    }
    if !dom.irqs.line_allowed(gsi) {
        return Err(Errno::EPERM);
    }
    dom.irqs.set_number(gsi, Number::Line(gsi))?;
    let mut line = hv.irqs.line(gsi).ok_or(Errno::EINVAL)?.lock();
    let new = !line.is_bound_to(dom.id);
    if new && is_hosts(gsi) {
        return Err(Errno::EBUSY);
    }
    let fixed = gsi == u32::from(hv.platform.power.sci);
    let same = fixed || (line.level, line.active_low) == (level, active_low);
    if !new && same {
        return Ok(());
    }
    if new {
        line.place(&hv.irqs.vectors, gsi, cpu_of(dom, 0))?;
        line.bind(dom, gsi, false)?;
        line.users = line.users.saturating_add(1);
    }
    if !same {
        (line.level, line.active_low) = (level, active_low);
    }
    line.program(hv, cpu);
    Ok(())
}

/// The domain has served a level-triggered interrupt.
pub fn end_pin(hv: &Hypervisor, cpu: &mut Cpu, dom: &Domain, gsi: u32) {
    if let Some(line) = hv.irqs.line(gsi) {
        line.lock().ended(hv, cpu, dom.id, gsi);
    }
}

/// Binds a device's message; returns its line. `quiet`: it is to be masked at first. Errors:
/// `EEXIST` for one that is in use; `ENOSPC`, `ENOMEM`.
pub fn open_message(
    hv: &Hypervisor,
    cpu: &mut Cpu,
    dom: &Arc<Domain>,
    message: Message,
    quiet: bool,
) -> Result<u32, Errno> {
    let number = map::message_line(hv, cpu, message, cpu_of(dom, 0))?;
    let bound = dom.irqs.set_number(number, Number::Line(number));
    let line = hv.irqs.line(number).ok_or(Errno::ENOSPC)?;
    let mut line = line.lock();
    let bound = bound.and_then(|()| line.bind(dom, number, false));
    if let Err(errno) = bound {
        line.release(&hv.irqs.vectors);
        drop(line);
        let _ = dom.irqs.set_number(number, Number::Free);
        return Err(errno);
    }
    line.quiet = quiet;
    line.program(hv, cpu);
    Ok(number)
}

/// Writes a message anew, masked if `quiet`: the device may have lost it in a reset.
pub fn refresh_message(hv: &Hypervisor, cpu: &mut Cpu, number: u32, quiet: bool) {
    if let Some(line) = hv.irqs.line(number) {
        let mut line = line.lock();
        if matches!(line.source, Source::Msi(_)) {
            line.quiet = quiet;
            line.program(hv, cpu);
        }
    }
}

/// The domain has no use for a message any more.
pub fn close_message(hv: &Hypervisor, cpu: &mut Cpu, dom: &Arc<Domain>, number: u32) {
    map::unmap(hv, cpu, dom, number);
}
