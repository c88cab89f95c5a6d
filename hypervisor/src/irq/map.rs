//! A domain's numbers for lines: `PHYSDEVOP_map_pirq` and its kin.

use super::domain::Number;
use super::line::Source;
use super::msi::Message;
use super::pci::Function;
use crate::cx::Cx;
use crate::domain::Domain;
use crate::fail::HyperResult;
use crate::guest::GuestPtr;
use crate::hv::Hypervisor;
use alloc::sync::Arc;
use machine::Cpu;
use xen_abi::Errno;
use xen_abi::physdev::*;

/// Numbers below this one are the ISA bus's and given out by name only.
const FIRST_FREE: u32 = 16;

/// `PHYSDEVOP_map_pirq`.
pub fn map_pirq(cx: &mut Cx, arg: u64) -> HyperResult {
    let ptr = GuestPtr::<PhysdevMapPirq>::new(arg);
    let mut arg = cx.copy_in(ptr)?;
    let dom = cx.resolve(arg.domid)?;
    if !cx.dom.privileged {
        return Err(Errno::EPERM.into());
    }
    if dom.hvm.get().is_some() {
        return Err(Errno::EOPNOTSUPP.into());
    }
    let pirq = match arg.r#type {
        MAP_PIRQ_TYPE_GSI => map_gsi(cx, &dom, arg.index, arg.pirq)?,
        MAP_PIRQ_TYPE_MSI | MAP_PIRQ_TYPE_MSI_SEG => map_msi(cx, &dom, &arg)?,
        MAP_PIRQ_TYPE_MULTI_MSI => {
            one_message(&arg)?;
            map_msi(cx, &dom, &arg)?
        }
        _ => return Err(Errno::EINVAL.into()),
    };
    arg.pirq = i32::try_from(pirq).map_err(|_| Errno::EINVAL)?;
    cx.copy_out(ptr, &arg)?;
    Ok(0)
}

/// The number that the domain wants: `None` leaves the choice. Errors: `EINVAL`.
fn wanted(hv: &Hypervisor, pirq: i32) -> Result<Option<u32>, Errno> {
    match u32::try_from(pirq) {
        Err(_) => Ok(None),
        Ok(pirq) if pirq < hv.irqs.count() => Ok(Some(pirq)),
        Ok(_) => Err(Errno::EINVAL),
    }
}

fn map_gsi(cx: &Cx, dom: &Domain, index: i32, pirq: i32) -> Result<u32, Errno> {
    let number = u32::try_from(index).map_err(|_| Errno::EINVAL)?;
    let line = cx.hv.irqs.line(number).ok_or(Errno::EINVAL)?;
    if number >= cx.hv.irqs.gsi_end() {
        return Err(Errno::EINVAL);
    }
    // Who has a line may give it to others, who then may use it.
    if !cx.dom.irqs.line_allowed(number) {
        return Err(Errno::EPERM);
    }
    let want = wanted(cx.hv, pirq)?;
    if let Some(old) = dom.irqs.number_of(number) {
        // Mapped already: the same number again is no error, another one is.
        return match want {
            Some(want) if want != old => Err(Errno::EEXIST),
            _ => Ok(old),
        };
    }
    let pirq = match want {
        Some(pirq) => pirq,
        None => free_number(cx.hv, dom, MAP_PIRQ_TYPE_GSI)?,
    };
    if let Number::Line(_) = dom.irqs.number(pirq) {
        return Err(Errno::EEXIST);
    }
    dom.irqs.set_number(pirq, Number::Line(number))?;
    if let Err(errno) = dom.irqs.permit_line(number, true) {
        dom.irqs.set_number(pirq, Number::Free)?;
        return Err(errno);
    }
    let mut line = line.lock();
    line.users = line.users.saturating_add(1);
    Ok(pirq)
}

/// What may be asked of a request for several messages of one function. As in Xen, more than one
/// needs interrupt remapping: without it several vectors in a row cannot be moved at once.
/// Errors: `EINVAL` with a table; `EDOM` for a number that no function has; `EOPNOTSUPP`.
fn one_message(arg: &PhysdevMapPirq) -> Result<(), Errno> {
    match arg.entry_nr {
        _ if arg.table_base != 0 => Err(Errno::EINVAL),
        1 => Ok(()),
        2..=32 => Err(Errno::EOPNOTSUPP),
        _ => Err(Errno::EDOM),
    }
}

fn map_msi(cx: &mut Cx, dom: &Domain, arg: &PhysdevMapPirq) -> Result<u32, Errno> {
    // The high half is the segment, where the type says that there is one.
    if arg.r#type != MAP_PIRQ_TYPE_MSI && arg.bus >> 16 != 0 {
        return Err(Errno::ENODEV);
    }
    let function = Function {
        bus: arg.bus as u8,
        devfn: u8::try_from(arg.devfn).map_err(|_| Errno::EINVAL)?,
    };
    // A line of its own choice, or none: a message has none before it is mapped.
    if arg.index != -1 {
        return Err(Errno::EINVAL);
    }
    let want = wanted(cx.hv, arg.pirq)?;
    let message = if arg.table_base == 0 {
        Message::msi(cx.hv, cx.cpu, function)?
    } else {
        let entry = u16::try_from(arg.entry_nr).map_err(|_| Errno::EINVAL)?;
        Message::msix(cx.hv, cx.cpu, function, entry)?
    };
    if is_taken(cx.hv, &message) {
        return Err(Errno::EEXIST);
    }
    let pirq = match want {
        Some(pirq) => pirq,
        None => free_number(cx.hv, dom, MAP_PIRQ_TYPE_MSI)?,
    };
    if let Number::Line(_) = dom.irqs.number(pirq) {
        return Err(Errno::EEXIST);
    }
    let number = message_line(cx.hv, cx.cpu, message, super::bind::cpu_of(dom, 0))?;
    if let Err(errno) = dom.irqs.set_number(pirq, Number::Line(number)) {
        let line = cx.hv.irqs.line(number).ok_or(Errno::ENOSPC)?;
        line.lock().release(&cx.hv.irqs.vectors);
        return Err(errno);
    }
    dom.irqs.permit_line(number, true)?;
    Ok(pirq)
}

fn is_taken(hv: &Hypervisor, message: &Message) -> bool {
    let same = |source: &Source| matches!(source, Source::Msi(other) if other.is(message));
    let mut lines = hv.irqs.messages();
    lines.any(|(_, line)| same(&line.lock().source))
}

/// Gives a message a line, on `target` if that CPU has a vector left. It is masked, since nobody
/// is bound yet. Errors: `EEXIST` when it has one; `ENOSPC`.
pub(super) fn message_line(
    hv: &Hypervisor,
    cpu: &mut Cpu,
    message: Message,
    target: u32,
) -> Result<u32, Errno> {
    if is_taken(hv, &message) {
        return Err(Errno::EEXIST);
    }
    let number = hv.irqs.take_message_line()?;
    let mut line = hv.irqs.line(number).ok_or(Errno::ENOSPC)?.lock();
    if let Err(errno) = line.place(&hv.irqs.vectors, number, target) {
        line.release(&hv.irqs.vectors);
        return Err(errno);
    }
    line.source = Source::Msi(message);
    line.users = 1;
    line.program(hv, cpu);
    Ok(number)
}

/// A number that the domain does not use: from below for pins, from above for messages.
/// Errors: `ENOSPC`.
fn free_number(hv: &Hypervisor, dom: &Domain, kind: i32) -> Result<u32, Errno> {
    let count = hv.irqs.count();
    let found = if kind == MAP_PIRQ_TYPE_GSI {
        dom.irqs.free_number(FIRST_FREE..hv.irqs.gsi_end())
    } else {
        dom.irqs.free_number((FIRST_FREE..count).rev())
    };
    found.ok_or(Errno::ENOSPC)
}

/// `PHYSDEVOP_unmap_pirq`.
pub fn unmap_pirq(cx: &mut Cx, arg: u64) -> HyperResult {
    let arg: PhysdevUnmapPirq = cx.copy_in(GuestPtr::new(arg))?;
    let dom = cx.resolve(arg.domid)?;
    if !cx.dom.privileged {
        return Err(Errno::EPERM.into());
    }
    if dom.hvm.get().is_some() {
        return Err(Errno::EOPNOTSUPP.into());
    }
    let pirq = u32::try_from(arg.pirq).map_err(|_| Errno::EINVAL)?;
    if unmap(cx.hv, cx.cpu, &dom, pirq) {
        Ok(0)
    } else {
        Err(Errno::EINVAL.into())
    }
}

/// Takes a number from a domain; `false` when it has no such number.
pub fn unmap(hv: &Hypervisor, cpu: &mut Cpu, dom: &Arc<Domain>, pirq: u32) -> bool {
    let number = match dom.irqs.number(pirq) {
        Number::Free => return false,
        Number::Reserved => None,
        Number::Line(number) => Some(number),
    };
    // Cannot fail: the number is there.
    let _ = dom.irqs.set_number(pirq, Number::Free);
    dom.irqs.set_needs_eoi(pirq, false);
    if let Some(number) = number.filter(|_| !dom.privileged) {
        // As it came with the number, it goes with it; at worst it stays without effect.
        let _ = dom.irqs.permit_line(number, false);
    }
    if let Some(line) = number.and_then(|number| hv.irqs.line(number)) {
        let mut line = line.lock();
        line.unbind(hv, cpu, dom.id, pirq);
        line.users = line.users.saturating_sub(1);
        if line.users == 0 && matches!(line.source, Source::Msi(_)) {
            line.release(&hv.irqs.vectors);
        }
    }
    true
}

/// `PHYSDEVOP_get_free_pirq`.
pub fn get_free_pirq(cx: &mut Cx, arg: u64) -> HyperResult {
    let ptr = GuestPtr::<PhysdevGetFreePirq>::new(arg);
    let mut arg = cx.copy_in(ptr)?;
    arg.pirq = free_number(cx.hv, cx.dom, arg.r#type)?;
    cx.dom.irqs.set_number(arg.pirq, Number::Reserved)?;
    cx.copy_out(ptr, &arg)?;
    Ok(0)
}

/// Writes all messages of a function again, after it lost them in sleep or reset.
pub fn restore(hv: &Hypervisor, cpu: &mut Cpu, function: Function) {
    for (_, line) in hv.irqs.messages() {
        let line = line.lock();
        if matches!(&line.source, Source::Msi(message) if message.function() == function) {
            line.program(hv, cpu);
        }
    }
}
