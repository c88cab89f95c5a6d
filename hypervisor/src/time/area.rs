//! Places in a guest's memory that it asks to have written: `vcpu_info`, clock and run-state
//! records, by frame or by virtual address.
//!
//! A frame in use so is held as writable memory, so that it cannot become a page table.

use super::{clock, runstate};
use crate::cx::Cx;
use crate::domain::{GuestArea, Vcpu};
use crate::fail::HyperResult;
use crate::guest::GuestPtr;
use alloc::sync::Arc;
use core::sync::atomic::{Ordering, fence};
use machine::{CpuApi, Gfn, PAGE_SHIFT, PAGE_SIZE, PageType, TypeGet};
use xen_abi::Errno;
use xen_abi::compat::{Layout, Ulong};
use xen_abi::shared_info::{VCPU_INFO_SIZE, VCPU_INFO_TIME, VCPU_INFO_UPCALL_MASK, VcpuTimeInfo};
use xen_abi::vcpu::*;
use xen_abi::xen::VMASST_TYPE_runstate_update_flag as UPDATE_FLAG;

/// Holds `size` bytes at guest-physical address `gaddr` of the calling domain. Errors: `ENXIO`
/// unless they are aligned as its kernel aligns an `unsigned long` and lie in one frame, `EINVAL`
/// without such a frame of its own, `EACCES` when it is not writable memory.
fn hold(cx: &mut Cx, gaddr: u64, size: usize) -> Result<GuestArea, Errno> {
    let offset = gaddr as usize % PAGE_SIZE;
    let aligned = offset.is_multiple_of(Ulong::size(cx.dom.width()));
    if !aligned || offset + size > PAGE_SIZE {
        return Err(Errno::ENXIO);
    }
    let gfn = Gfn(gaddr >> PAGE_SHIFT);
    let page = cx.dom.page(cx.hv.mem, gfn).ok_or(Errno::EINVAL)?;
    match page.get_type(PageType::Writable) {
        TypeGet::Ready => {}
        TypeGet::ReadyFlush => {
            cx.cpu
                .flush_since(&cx.dom.dirty_cpus.load(), page.info().stamp());
            page.type_validated();
        }
        _ => return Err(Errno::EACCES),
    }
    GuestArea::new(page, offset, size).ok_or(Errno::ENXIO)
}

/// Calls `each` with the frames that are written for a vCPU, except its `vcpu_info`.
pub fn each_frame(vcpu: &Vcpu, mut each: impl FnMut(&machine::Page)) {
    let areas = vcpu.time.areas.lock();
    for area in areas.time.iter().chain(&areas.runstate) {
        each(area.page());
    }
}

/// Gives up all frames that are written for a vCPU, except its `vcpu_info`.
pub fn release(vcpu: &Vcpu) {
    let mut areas = vcpu.time.areas.lock();
    vcpu.time.runstate_framed.store(false, Ordering::Relaxed);
    let (time, runstate) = (areas.time.take(), areas.runstate.take());
    drop(areas);
    drop(time);
    drop(runstate);
}

/// `VCPUOP_register_vcpu_info`. Errors: `EINVAL`, `EBUSY` the second time, and those of [`hold`].
pub fn register_vcpu_info(cx: &mut Cx, vcpu: &Arc<Vcpu>, arg: u64) -> HyperResult {
    let arg: VcpuRegisterVcpuInfo = cx.copy_in(GuestPtr::new(arg))?;
    if arg.offset as usize >= PAGE_SIZE || arg.mfn >= u64::MAX >> PAGE_SHIFT {
        return Err(Errno::EINVAL.into());
    }
    if vcpu.info_area.get().is_some() {
        return Err(Errno::EBUSY.into());
    }
    // A vCPU that is up does this for itself: elsewhere it may be running on the old place.
    if vcpu.id != cx.vcpu.id && vcpu.sched.online() {
        return Err(Errno::EINVAL.into());
    }
    let area = hold(
        cx,
        arg.mfn << PAGE_SHIFT | u64::from(arg.offset),
        VCPU_INFO_SIZE,
    )?;
    let mut old = [0u8; VCPU_INFO_SIZE];
    match vcpu.info() {
        Some(info) => {
            info.read(0, &mut old);
        }
        None => {
            if let Some(mask) = old.get_mut(VCPU_INFO_UPCALL_MASK) {
                *mask = 1;
            }
        }
    }
    area.write(0, &old);
    clock::show_at(cx, vcpu, &area, VCPU_INFO_TIME);
    let mut area = Some(area);
    vcpu.info_area.call_once(|| {
        // Runs at most once, so the area is there.
        area.take().unwrap_or_else(|| unreachable!())
    });
    if area.is_some() {
        // Another vCPU was faster.
        drop(area);
        return Err(Errno::EBUSY.into());
    }
    crate::pv::shortcut::drop(cx);
    fence(Ordering::SeqCst);
    vcpu.time.shown.store(true, Ordering::Relaxed);
    crate::event::vcpu_info_moved(cx.hv, cx.cpu, cx.dom, vcpu);
    Ok(0)
}

/// The pointer that an area is registered by; 32-bit code has it in half of the field, and the
/// rest is not looked at. Errors: `EFAULT`, also for one that no guest can have.
fn pointer(cx: &mut Cx, arg: u64) -> Result<u64, Errno> {
    let Ulong(addr) = cx.copy_in(GuestPtr::new(arg))?;
    GuestPtr::<u8>::new(addr).check()?;
    Ok(addr)
}

/// `VCPUOP_register_runstate_memory_area`. Errors: `EFAULT`.
pub fn register_runstate(cx: &mut Cx, vcpu: &Arc<Vcpu>, arg: u64) -> HyperResult {
    let addr = pointer(cx, arg)?;
    runstate::register(cx, vcpu, addr);
    Ok(0)
}

/// `VCPUOP_register_vcpu_time_memory_area`. Errors: `EFAULT`.
pub fn register_time(cx: &mut Cx, vcpu: &Arc<Vcpu>, arg: u64) -> HyperResult {
    let addr = pointer(cx, arg)?;
    vcpu.time.time_va.store(addr, Ordering::Relaxed);
    let some = addr != 0;
    vcpu.time.time_va_due.store(some, Ordering::Relaxed);
    if Arc::ptr_eq(vcpu, cx.vcpu) {
        show_time_copy(cx);
    }
    Ok(0)
}

/// Writes the clock's record to where the loaded vCPU asked for a copy. The record does not change
/// unless the guest sets its counter, so once is enough; until it could be written it is tried at
/// each entry.
pub fn show_time_copy(cx: &mut Cx) {
    let va = cx.vcpu.time.time_va.load(Ordering::Relaxed);
    if va != 0 && clock::show_at_va(cx, va) {
        cx.vcpu.time.time_va_due.store(false, Ordering::Relaxed);
    }
}

/// Writes the clock's record to the frame that the loaded vCPU registered for it.
pub fn show_time_frame(cx: &Cx) {
    let areas = cx.vcpu.time.areas.lock();
    if let Some(area) = &areas.time {
        clock::show_at(cx, cx.vcpu, area, 0);
    }
}

/// `VCPUOP_register_runstate_phys_area`: an address of all ones takes it back.
pub fn register_runstate_frame(cx: &mut Cx, vcpu: &Arc<Vcpu>, arg: u64) -> HyperResult {
    let arg: VcpuRegisterRunstateMemoryArea = cx.copy_in(GuestPtr::new(arg))?;
    let width = cx.dom.width();
    let area = match arg.addr {
        u64::MAX => None,
        addr => Some(hold(cx, addr, VcpuRunstateInfo::size(width))?),
    };
    let some = area.is_some();
    let old = core::mem::replace(&mut vcpu.time.areas.lock().runstate, area);
    drop(old);
    vcpu.time.runstate_framed.store(some, Ordering::Relaxed);
    let info = cx.hv.sched.account(cx.cpu, vcpu);
    runstate::show_in_frame(width, &vcpu.time, info, cx.dom.assist(UPDATE_FLAG));
    Ok(0)
}

/// `VCPUOP_register_vcpu_time_phys_area`: an address of all ones takes it back.
pub fn register_time_frame(cx: &mut Cx, vcpu: &Arc<Vcpu>, arg: u64) -> HyperResult {
    let arg: VcpuRegisterTimeMemoryArea = cx.copy_in(GuestPtr::new(arg))?;
    let area = match arg.addr {
        u64::MAX => None,
        addr => Some(hold(cx, addr, size_of::<VcpuTimeInfo>())?),
    };
    if let Some(area) = &area {
        clock::show_at(cx, vcpu, area, 0);
    }
    let old = core::mem::replace(&mut vcpu.time.areas.lock().time, area);
    drop(old);
    Ok(0)
}
