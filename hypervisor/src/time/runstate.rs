//! The run-state record that a guest reads: where its vCPU's time went.
//!
//! The account itself is the scheduler's. It is written to the guest's memory when the vCPU
//! comes and when it goes, by the CPU that does it.

use super::VcpuTime;
use crate::cx::Cx;
use crate::guest::GuestPtr;
use core::sync::atomic::{Ordering, fence};
use xen_abi::compat::{Layout, Width};
use xen_abi::field_offset;
use xen_abi::vcpu::{VcpuRunstateInfo, XEN_RUNSTATE_UPDATE};
use xen_abi::xen::VMASST_TYPE_runstate_update_flag as UPDATE_FLAG;
use zerocopy::IntoBytes;

/// Where in the record of a width the time is that says whether it is being written.
fn entry_time(width: Width) -> usize {
    field_offset!(width, VcpuRunstateInfo, state_entry_time)
}

/// Writes the record of the vCPU that is loaded to wherever it wants it.
#[inline]
pub fn show(cx: &mut Cx) {
    let time = &cx.vcpu.time;
    let va = time.runstate_va.load(Ordering::Relaxed);
    if va != 0 {
        show_at_va(cx, va);
    }
    if time.runstate_framed.load(Ordering::Relaxed) {
        show_in_frame(
            cx.dom.width(),
            time,
            cx.vcpu.sched.account.info(),
            cx.dom.assist(UPDATE_FLAG),
        );
    }
}

/// Writes to the guest's virtual memory; what cannot be written is left.
fn show_at_va(cx: &mut Cx, va: u64) -> Option<()> {
    let mut info = cx.vcpu.sched.account.info();
    let width = cx.dom.width();
    if !cx.dom.assist(UPDATE_FLAG) {
        return cx.copy_out_as(width, GuestPtr::new(va), &info).ok();
    }
    let entry_va = va.wrapping_add(entry_time(width) as u64);
    let entered = info.state_entry_time;
    info.state_entry_time |= XEN_RUNSTATE_UPDATE;
    cx.copy_out(GuestPtr::new(entry_va), &info.state_entry_time)
        .ok()?;
    fence(Ordering::Release);
    cx.copy_out_as(width, GuestPtr::new(va), &info).ok()?;
    fence(Ordering::Release);
    cx.copy_out(GuestPtr::new(entry_va), &entered).ok()
}

/// Writes to the frame that the guest registered.
pub fn show_in_frame(
    width: Width,
    time: &VcpuTime,
    mut info: VcpuRunstateInfo,
    flagged: bool,
) -> Option<()> {
    let areas = time.areas.lock();
    let area = areas.runstate.as_ref()?;
    let entered = info.state_entry_time;
    if flagged {
        info.state_entry_time |= XEN_RUNSTATE_UPDATE;
        area.write(entry_time(width), &info.state_entry_time.to_le_bytes());
        fence(Ordering::Release);
    }
    match width {
        Width::W32 => area.write(0, info.narrow().as_bytes()),
        Width::W64 => area.write(0, info.as_bytes()),
    };
    fence(Ordering::Release);
    area.write(entry_time(width), &entered.to_le_bytes());
    Some(())
}

/// Sets the virtual address of the record of `vcpu` (zero for none) and writes it there now,
/// through the caller's address space; failing in that is the guest's affair.
pub fn register(cx: &mut Cx, vcpu: &crate::domain::Vcpu, va: u64) {
    vcpu.time.runstate_va.store(va, Ordering::Relaxed);
    if va != 0 {
        let info = cx.hv.sched.account(cx.cpu, vcpu);
        let _ = cx.copy_out_as(cx.dom.width(), GuestPtr::new(va), &info);
    }
}
