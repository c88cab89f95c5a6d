//! Calls by which a PV guest says how it wants to be entered.
#![allow(non_upper_case_globals, reason = "calls are named as in Xen's headers")]

use super::bounce::VECTOR_NMI;
use super::canonical;
use crate::cx::Cx;
use crate::domain::Callback;
use crate::fail::HyperResult;
use crate::guest::GuestPtr;
use core::sync::atomic::Ordering;
use machine::CpuApi;
use machine::cpu::SegBase;
use xen_abi::Errno;
use xen_abi::arch_x86::{TI_IF, TrapInfo};
use xen_abi::callback::*;
use xen_abi::xen::*;

/// `set_trap_table`: entries up to one with address zero; a null pointer clears the table.
/// Errors: `EFAULT`,
/// `EINVAL` for an address that is not canonical.
pub fn set_trap_table(cx: &mut Cx, [list]: [u64; 1]) -> HyperResult {
    let list = GuestPtr::<TrapInfo>::new(list);
    if list.is_null() {
        cx.st.traps.table.fill(TrapInfo::default());
        return Ok(0);
    }
    for i in 0..u64::MAX {
        if i > 0 && cx.cpu.work_pending() {
            cx.set_args([list.add(i).addr()]);
            return Err(crate::fail::Fail::Restart);
        }
        let mut entry: TrapInfo = cx.copy_in(list.add(i))?;
        if entry.address == 0 {
            break;
        }
        if !canonical(entry.address) {
            return Err(Errno::EINVAL.into());
        }
        entry.cs |= 3;
        if let Some(slot) = cx.st.traps.table.get_mut(entry.vector as usize) {
            *slot = entry;
        }
    }
    Ok(0)
}

/// `stack_switch`: the kernel's stack, for entries from its users.
pub fn stack_switch(cx: &mut Cx, [ss, sp]: [u64; 2]) -> HyperResult {
    cx.st.kernel_ss = ss as u16 | 3;
    cx.st.kernel_sp = sp;
    super::shortcut::renew(cx);
    Ok(0)
}

/// `fpu_taskswitch`: whether the next FPU instruction traps.
pub fn fpu_taskswitch(cx: &mut Cx, [set]: [u64; 1]) -> HyperResult {
    let set = set as u32 != 0;
    cx.st.pv.task_switched = set;
    cx.cpu.set_task_switched(set);
    Ok(0)
}

/// The assists that a hardware-virtualised guest has.
const HVM_ASSISTS: u64 = 1 << VMASST_TYPE_runstate_update_flag;
/// The assists that PV guests have.
pub const ASSISTS: u64 = 1 << VMASST_TYPE_4gb_segments
    | 1 << VMASST_TYPE_4gb_segments_notify
    | 1 << VMASST_TYPE_writable_pagetables
    | 1 << VMASST_TYPE_pae_extended_cr3
    | 1 << VMASST_TYPE_architectural_iopl
    | 1 << VMASST_TYPE_runstate_update_flag
    | 1 << VMASST_TYPE_m2p_strict;

/// `vm_assist`. Errors: `EINVAL` for one that this kind of guest does not have.
pub fn vm_assist(cx: &mut Cx, [cmd, kind]: [u64; 2]) -> HyperResult {
    let kind = kind as u32;
    let known = match cx.dom.hvm.get() {
        Some(_) => HVM_ASSISTS,
        None => ASSISTS,
    };
    if kind >= 64 || known >> kind & 1 == 0 {
        return Err(Errno::EINVAL.into());
    }
    match cmd as u32 {
        VMASST_CMD_enable => cx.dom.assists.fetch_or(1 << kind, Ordering::Relaxed),
        VMASST_CMD_disable => cx.dom.assists.fetch_and(!(1 << kind), Ordering::Relaxed),
        _ => return Err(Errno::ENOSYS.into()),
    };
    super::shortcut::drop(cx);
    Ok(0)
}

/// `set_segment_base`. Errors: `EINVAL` for an address that is not canonical or another base.
pub fn set_segment_base(cx: &mut Cx, [which, base]: [u64; 2]) -> HyperResult {
    let which = match which as u32 {
        xen_abi::arch_x86::SEGBASE_FS => SegBase::Fs,
        xen_abi::arch_x86::SEGBASE_GS_KERNEL => SegBase::Gs,
        xen_abi::arch_x86::SEGBASE_GS_USER => SegBase::OtherGs,
        xen_abi::arch_x86::SEGBASE_GS_USER_SEL => {
            cx.cpu.set_user_gs_selector(base as u16);
            return Ok(0);
        }
        _ => return Err(Errno::EINVAL.into()),
    };
    if cx.cpu.set_seg_base(which, base) {
        Ok(0)
    } else {
        Err(Errno::EINVAL.into())
    }
}

/// Makes `address` the handler of NMIs: an entry of the trap table like the others, zero for
/// none.
fn set_nmi(cx: &mut Cx, address: u64) {
    let mut entry = TrapInfo::default();
    if address != 0 {
        entry = TrapInfo {
            vector: VECTOR_NMI,
            flags: TI_IF,
            cs: super::GUEST_CS64,
            address,
            ..entry
        };
    }
    if let Some(slot) = cx.st.traps.table.get_mut(usize::from(VECTOR_NMI)) {
        *slot = entry;
    }
}

/// `nmi_op`. Errors: `EINVAL` on a vCPU other than the first, `ENOSYS`.
pub fn nmi_op(cx: &mut Cx, [cmd, arg]: [u64; 2]) -> HyperResult {
    match cmd as u32 {
        XENNMI_register_callback => {
            let callback: XennmiCallback = cx.copy_in(GuestPtr::new(arg))?;
            if cx.vcpu.id != 0 || !canonical(callback.handler_address) {
                return Err(Errno::EINVAL.into());
            }
            set_nmi(cx, callback.handler_address);
            Ok(0)
        }
        XENNMI_unregister_callback => {
            set_nmi(cx, 0);
            Ok(0)
        }
        _ => Err(Errno::ENOSYS.into()),
    }
}

/// `callback_op`. Errors: `EINVAL` for an address that is not canonical or an unknown kind,
/// `ENOSYS` for an unknown command or a kind that 64-bit guests do not have.
pub fn callback_op(cx: &mut Cx, [cmd, arg]: [u64; 2]) -> HyperResult {
    match cmd as u32 {
        CALLBACKOP_register => {
            let reg: CallbackRegister = cx.copy_in(GuestPtr::new(arg))?;
            register(cx, &reg)
        }
        CALLBACKOP_unregister => {
            let reg: CallbackUnregister = cx.copy_in(GuestPtr::new(arg))?;
            unregister(cx, reg.r#type as u32)
        }
        _ => Err(Errno::ENOSYS.into()),
    }
}

fn register(cx: &mut Cx, reg: &CallbackRegister) -> HyperResult {
    let address = reg.address;
    if !canonical(address) {
        return Err(Errno::EINVAL.into());
    }
    let callback = Callback {
        cs: super::GUEST_CS64,
        address,
        mask_events: reg.flags & CALLBACKF_mask_events != 0,
    };
    match reg.r#type as u32 {
        t if t == CALLBACKTYPE_event as u32 => cx.st.traps.event = callback,
        t if t == CALLBACKTYPE_failsafe as u32 => cx.st.traps.failsafe = callback,
        t if t == CALLBACKTYPE_syscall as u32 => cx.st.traps.syscall = callback,
        t if t == CALLBACKTYPE_syscall32 as u32 => cx.st.traps.syscall32 = callback,
        t if t == CALLBACKTYPE_sysenter as u32 => cx.st.traps.sysenter = callback,
        t if t == CALLBACKTYPE_nmi as u32 => {
            if cx.vcpu.id != 0 {
                return Err(Errno::EINVAL.into());
            }
            set_nmi(cx, address);
        }
        _ => return Err(Errno::ENOSYS.into()),
    }
    super::shortcut::drop(cx);
    Ok(0)
}

fn unregister(cx: &mut Cx, kind: u32) -> HyperResult {
    super::shortcut::drop(cx);
    match kind {
        t if t == CALLBACKTYPE_event as u32
            || t == CALLBACKTYPE_failsafe as u32
            || t == CALLBACKTYPE_syscall as u32
            || t == CALLBACKTYPE_syscall32 as u32
            || t == CALLBACKTYPE_sysenter as u32 =>
        {
            Err(Errno::EINVAL.into())
        }
        t if t == CALLBACKTYPE_nmi as u32 => {
            set_nmi(cx, 0);
            Ok(0)
        }
        _ => Err(Errno::ENOSYS.into()),
    }
}
