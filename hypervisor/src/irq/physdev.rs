//! The `physdev_op` hypercall.

use super::deliver;
use super::devices;
use super::line::Source;
use super::map;
use super::table;
use crate::cx::Cx;
use crate::event::WritablePage;
use crate::fail::{Fail, HyperResult};
use crate::guest::GuestPtr;
use machine::ioapic;
use xen_abi::Errno;
use xen_abi::compat::Layout;
use xen_abi::physdev::*;

/// The `physdev_op` hypercall.
pub fn physdev_op(cx: &mut Cx, [cmd, arg]: [u64; 2]) -> HyperResult {
    if cx.dom.hvm.get().is_some() && !for_hvm(cx, cmd as u32) {
        return Err(Errno::ENOSYS.into());
    }
    match cmd as u32 {
        PHYSDEVOP_eoi => eoi(cx, arg),
        PHYSDEVOP_irq_status_query => status(cx, arg),
        PHYSDEVOP_pirq_eoi_gmfn_v1 => eoi_map(cx, arg, true),
        PHYSDEVOP_pirq_eoi_gmfn_v2 => eoi_map(cx, arg, false),
        PHYSDEVOP_set_iopl => set_iopl(cx, arg),
        PHYSDEVOP_set_iobitmap => set_iobitmap(cx, arg),
        PHYSDEVOP_map_pirq => map::map_pirq(cx, arg),
        PHYSDEVOP_unmap_pirq => map::unmap_pirq(cx, arg),
        PHYSDEVOP_get_free_pirq => map::get_free_pirq(cx, arg),
        PHYSDEVOP_IRQ_UNMASK_NOTIFY => Ok(0),
        other => control(cx, other, arg),
    }
}

/// Whether a hardware-virtualised guest may make the call. Physical interrupts as event channels
/// are for who asks for them at its creation, which cannot be done here; what remains is the
/// control domain's, about devices and about others' interrupts.
fn for_hvm(cx: &Cx, cmd: u32) -> bool {
    match cmd {
        PHYSDEVOP_map_pirq | PHYSDEVOP_unmap_pirq => true,
        PHYSDEVOP_setup_gsi
        | PHYSDEVOP_pci_mmcfg_reserved
        | PHYSDEVOP_pci_device_add
        | PHYSDEVOP_pci_device_remove
        | PHYSDEVOP_pci_device_reset
        | PHYSDEVOP_dbgp_op => cx.dom.privileged,
        _ => false,
    }
}

/// The operations of the control domain alone.
fn control(cx: &mut Cx, cmd: u32, arg: u64) -> HyperResult {
    match cmd {
        PHYSDEVOP_setup_gsi => setup_gsi(cx, arg),
        PHYSDEVOP_apic_read => apic_read(cx, arg),
        PHYSDEVOP_apic_write => apic_write(cx, arg),
        PHYSDEVOP_alloc_irq_vector => alloc_irq_vector(cx, arg),
        PHYSDEVOP_manage_pci_add
        | PHYSDEVOP_manage_pci_add_ext
        | PHYSDEVOP_pci_device_add
        | PHYSDEVOP_manage_pci_remove
        | PHYSDEVOP_pci_device_remove
        | PHYSDEVOP_restore_msi
        | PHYSDEVOP_restore_msi_ext
        | PHYSDEVOP_prepare_msix
        | PHYSDEVOP_release_msix
        | PHYSDEVOP_pci_device_reset => devices::call(cx, cmd, arg),
        PHYSDEVOP_pci_mmcfg_reserved => mmcfg_reserved(cx, arg),
        PHYSDEVOP_dbgp_op => {
            // No debug port is in use here, so there is nothing to save from its reset.
            let _: PhysdevDbgpOp = asked(cx, arg)?;
            Ok(0)
        }
        _ => Err(Errno::ENOSYS.into()),
    }
}

/// The argument of an operation of the control domain. Errors: `EFAULT`, `EPERM`.
pub(super) fn asked<T: Layout>(cx: &mut Cx, arg: u64) -> Result<T, Fail> {
    let value = cx.copy_in(GuestPtr::new(arg))?;
    cx.dom.require_privilege()?;
    Ok(value)
}

fn eoi(cx: &mut Cx, arg: u64) -> HyperResult {
    let arg: PhysdevEoi = cx.copy_in(GuestPtr::new(arg))?;
    deliver::eoi(cx.hv, cx.cpu, cx.dom, arg.irq)?;
    Ok(0)
}

fn status(cx: &mut Cx, arg: u64) -> HyperResult {
    let ptr = GuestPtr::<PhysdevIrqStatusQuery>::new(arg);
    let mut arg = cx.copy_in(ptr)?;
    if arg.irq >= cx.hv.irqs.count() {
        return Err(Errno::EINVAL.into());
    }
    arg.flags = 0;
    let line = cx
        .dom
        .irqs
        .line_of(arg.irq)
        .and_then(|number| cx.hv.irqs.line(number));
    let asks_each_time = !cx.dom.irqs.has_eoi_map();
    if let Some(line) = line {
        let line = line.lock();
        if line.level && asks_each_time {
            arg.flags |= XENIRQSTAT_needs_eoi;
        }
        if line.is_shared() {
            arg.flags |= XENIRQSTAT_shared;
        }
    }
    cx.copy_out(ptr, &arg)?;
    Ok(0)
}

fn eoi_map(cx: &mut Cx, arg: u64, unmask: bool) -> HyperResult {
    let arg: PhysdevPirqEoiGmfn = cx.copy_in(GuestPtr::new(arg))?;
    if cx.dom.irqs.has_eoi_map() {
        return Err(Errno::EBUSY.into());
    }
    let page = WritablePage::get(cx.hv, cx.cpu, cx.dom, arg.gmfn)?;
    page.clear();
    cx.dom.irqs.set_eoi_map(page, unmask)?;
    // What is bound already; the rest is noted as it is bound.
    for pirq in 0..cx.hv.irqs.count() {
        let line = cx.dom.irqs.line_of(pirq);
        if let Some(line) = line.and_then(|number| cx.hv.irqs.line(number)) {
            let needs = {
                let line = line.lock();
                line.level && line.is_bound()
            };
            cx.dom.irqs.set_needs_eoi(pirq, needs);
        }
    }
    Ok(0)
}

fn set_iopl(cx: &mut Cx, arg: u64) -> HyperResult {
    let arg: PhysdevSetIopl = cx.copy_in(GuestPtr::new(arg))?;
    if arg.iopl > 3 {
        return Err(Errno::EINVAL.into());
    }
    cx.st.iopl = arg.iopl as u8;
    crate::pv::shortcut::drop(cx);
    Ok(0)
}

fn set_iobitmap(cx: &mut Cx, arg: u64) -> HyperResult {
    let arg: PhysdevSetIobitmap = cx.copy_in(GuestPtr::new(arg))?;
    let usable = GuestPtr::<u8>::new(arg.bitmap).check().is_ok();
    if arg.nr_ports > 65536 || !usable {
        return Err(Errno::EINVAL.into());
    }
    cx.st.io_bitmap = arg.bitmap;
    cx.st.io_bitmap_ports = arg.nr_ports;
    Ok(0)
}

/// Sets a pin's trigger and polarity. Errors: `EINVAL` for a pin that there is not; `EEXIST`
/// when it is in use. The power-event interrupt stays as the firmware's tables have it.
fn setup_gsi(cx: &mut Cx, arg: u64) -> HyperResult {
    let arg: PhysdevSetupGsi = asked(cx, arg)?;
    let gsi = u32::try_from(arg.gsi).map_err(|_| Errno::EINVAL)?;
    if gsi == u32::from(cx.hv.platform.power.sci) {
        return Ok(0);
    }
    let line = cx.hv.irqs.line(gsi).ok_or(Errno::EINVAL)?;
    let own = cx.dom.irqs.line_allowed(gsi);
    let mut line = line.lock();
    if !matches!(line.source, Source::Gsi(_)) || ioapic::read_entry(gsi).is_none() {
        return Err(Errno::EINVAL.into());
    }
    if line.is_bound() || table::is_hosts(gsi) || !own {
        return Err(Errno::EEXIST.into());
    }
    line.level = arg.triggering != 0;
    line.active_low = arg.polarity != 0;
    Ok(0)
}

/// The I/O APIC whose registers are at machine address `at`. Errors: `EINVAL`.
fn io_apic(cx: &Cx, at: u64) -> Result<usize, Errno> {
    let entry = cx.hv.platform.io_apics.iter().find(|e| e.addr == at);
    let base = entry.ok_or(Errno::EINVAL)?.gsi_base;
    (0..ioapic::count())
        .find(|&index| ioapic::info(index).is_some_and(|(_, first, _)| first == base))
        .ok_or(Errno::EINVAL)
}

fn apic_read(cx: &mut Cx, arg: u64) -> HyperResult {
    let ptr = GuestPtr::<PhysdevApic>::new(arg);
    let mut arg: PhysdevApic = asked(cx, arg)?;
    let index = io_apic(cx, arg.apic_physbase)?;
    let reg = u8::try_from(arg.reg).map_err(|_| Errno::EINVAL)?;
    arg.value = ioapic::read(index, reg).ok_or(Errno::EINVAL)?;
    cx.copy_out(ptr, &arg)?;
    Ok(0)
}

/// The pins are the hypervisor's: what a domain writes to them is taken and has no effect.
fn apic_write(cx: &mut Cx, arg: u64) -> HyperResult {
    let arg: PhysdevApic = asked(cx, arg)?;
    io_apic(cx, arg.apic_physbase)?;
    Ok(0)
}

/// A formality since long: the vector is chosen when the interrupt is bound.
fn alloc_irq_vector(cx: &mut Cx, arg: u64) -> HyperResult {
    let ptr = GuestPtr::<PhysdevIrq>::new(arg);
    let mut arg: PhysdevIrq = asked(cx, arg)?;
    arg.vector = arg.irq;
    cx.copy_out(ptr, &arg)?;
    Ok(0)
}

/// Errors: `EINVAL` for flags that there are not; `ENODEV` for an area that MCFG does not list.
fn mmcfg_reserved(cx: &mut Cx, arg: u64) -> HyperResult {
    let arg: PhysdevPciMmcfgReserved = asked(cx, arg)?;
    if arg.flags & !XEN_PCI_MMCFG_RESERVED != 0 {
        return Err(Errno::EINVAL.into());
    }
    let found = cx.hv.platform.config_spaces.iter().any(|space| {
        space.addr == arg.address
            && space.segment == arg.segment
            && space.first_bus == arg.start_bus
            && space.last_bus == arg.end_bus
    });
    if found {
        Ok(0)
    } else {
        Err(Errno::ENODEV.into())
    }
}
