//! Who may use which interrupts, ports and memory of devices. A caller gives and takes only
//! what he has himself.

use super::Call;
use crate::cx::Cx;
use crate::fail::HyperResult;
use crate::irq::Number;
use xen_abi::Errno;
use xen_abi::domctl::*;
use xen_abi::forms::Payload;

/// `XEN_DOMCTL_irq_permission`, by the caller's own number for the interrupt. Errors: `EINVAL`,
/// `EPERM`, `ENOMEM`.
pub fn irq(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let arg: DomctlIrqPermission = call.op.arm();
    let dom = call.target(cx)?;
    if arg.pirq >= cx.hv.irqs.count() {
        return Err(Errno::EINVAL.into());
    }
    let line = match cx.dom.irqs.number(arg.pirq) {
        Number::Line(line) => line,
        // The control domain's numbers for pins are the pins', mapped or not.
        _ if arg.pirq < cx.hv.irqs.gsi_end() => arg.pirq,
        _ => return Err(Errno::EPERM.into()),
    };
    // Line 0 is the timer's.
    if line == 0 || !cx.dom.irqs.line_allowed(line) {
        return Err(Errno::EPERM.into());
    }
    dom.irqs.permit_line(line, arg.allow_access != 0)?;
    Ok(0)
}

/// `XEN_DOMCTL_gsi_permission`. Errors: `EINVAL` for a pin that there is not or other flags;
/// `EPERM`, `ENOMEM`.
pub fn gsi(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let arg: DomctlGsiPermission = call.op.arm();
    let dom = call.target(cx)?;
    if arg.flags & !XEN_DOMCTL_GSI_ACTION_MASK != 0 || arg.gsi >= cx.hv.irqs.gsi_end() {
        return Err(Errno::EINVAL.into());
    }
    if arg.gsi == 0 || !cx.dom.irqs.line_allowed(arg.gsi) {
        return Err(Errno::EPERM.into());
    }
    dom.irqs
        .permit_line(arg.gsi, arg.flags == XEN_DOMCTL_GSI_GRANT)?;
    Ok(0)
}

/// The last of `count` frames from `first` on. Errors: `EINVAL` when there is none.
fn last_frame(first: u64, count: u64) -> Result<u64, Errno> {
    let more = count.checked_sub(1).ok_or(Errno::EINVAL)?;
    first.checked_add(more).ok_or(Errno::EINVAL)
}

/// `XEN_DOMCTL_iomem_permission`. Errors: `EINVAL`, `EPERM`, `ENOMEM`, `ENOSPC`.
pub fn iomem(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let arg: DomctlIomemPermission = call.op.arm();
    let dom = call.target(cx)?;
    let last = last_frame(arg.first_mfn, arg.nr_mfns)?;
    if !cx.dom.irqs.iomem_range_allowed(arg.first_mfn, last) {
        return Err(Errno::EPERM.into());
    }
    dom.irqs
        .permit_iomem(arg.first_mfn, last, arg.allow_access != 0)?;
    Ok(0)
}

/// `XEN_DOMCTL_ioport_permission`. Errors: `EINVAL`, `EPERM`, `ENOMEM`, `ENOSPC`.
pub fn ioport(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let arg: DomctlIoportPermission = call.op.arm();
    let dom = call.target(cx)?;
    let last = last_frame(arg.first_port.into(), arg.nr_ports.into())?;
    let first = u16::try_from(arg.first_port).map_err(|_| Errno::EINVAL)?;
    let last = u16::try_from(last).map_err(|_| Errno::EINVAL)?;
    if !cx.dom.irqs.ports_allowed(first, last) {
        return Err(Errno::EPERM.into());
    }
    dom.irqs.permit_ports(first, last, arg.allow_access != 0)?;
    Ok(0)
}

/// `XEN_DOMCTL_memory_mapping`: a PV guest maps its frames itself, so there is nothing to do
/// but to look whether it may. Errors: `EINVAL`, `EPERM`.
pub fn memory_mapping(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let arg: DomctlMemoryMapping = call.op.arm();
    let dom = call.target(cx)?;
    let last = last_frame(arg.first_mfn, arg.nr_mfns)?;
    last_frame(arg.first_gfn, arg.nr_mfns)?;
    if last >> 40 != 0 {
        return Err(Errno::EINVAL.into());
    }
    let both = [&cx.dom.irqs, &dom.irqs];
    if both
        .iter()
        .all(|irqs| irqs.iomem_range_allowed(arg.first_mfn, last))
    {
        Ok(0)
    } else {
        Err(Errno::EPERM.into())
    }
}
