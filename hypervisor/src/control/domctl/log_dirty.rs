//! `shadow_op`: which of a domain's pages were written to, for whoever copies it while it runs.
//!
//! A PV guest writes through page tables of its own, which show it each change of theirs, and
//! what others write through grants shows in none. So nothing is logged: while it is on, every
//! page counts as written to each time that it is asked. That is true to the interface, which
//! may name more pages than were written but never fewer: a guest that moves while it runs is
//! moved whole, and each round of copying costs as much as the first.
//!
//! Lock: a domain lock around the state, not held while the tools' memory is written.

use super::Call;
use crate::cx::Cx;
use crate::domain::Domain;
use crate::fail::{Fail, HyperResult};
use crate::guest::GuestPtr;
use machine::CpuApi;
use xen_abi::Errno;
use xen_abi::domctl::*;
use xen_abi::forms::Payload;

/// Whether a domain's writes are asked for, and how far an answer has come.
#[derive(Default)]
pub struct LogDirty {
    on: bool,
    /// Bytes of the answer that were written before it was interrupted.
    done: u64,
    /// Whose call that was: the vCPU, the bitmap, its size. Another call begins anew, and so
    /// does the first one then: tools that ask at once delay each other.
    asker: (u16, u32, u64, u64),
}

/// Bytes of the answer that are written at once, for 2 GiB of memory in 16 goes.
const CHUNK: [u8; 4096] = [0xff; 4096];

/// Pages of the largest domain: 16 TiB.
const MOST_PAGES: u64 = 1 << 32;

/// `XEN_DOMCTL_shadow_op`. Errors: `EINVAL` for oneself, for a domain without vCPUs, for what is
/// on or off already and for unknown operations; `EOPNOTSUPP` for shadow page tables, which
/// there are not; `EFAULT`.
pub fn shadow_op(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let dom = call.other_target(cx)?;
    let mut arg: DomctlShadowOp = call.op.arm();
    if dom.vcpu(0).is_none() {
        return Err(Errno::EINVAL.into());
    }
    match arg.op {
        XEN_DOMCTL_SHADOW_OP_OFF => *dom.log_dirty.lock() = LogDirty::default(),
        XEN_DOMCTL_SHADOW_OP_ENABLE if arg.mode != XEN_DOMCTL_SHADOW_ENABLE_LOG_DIRTY => {
            return Err(Errno::EOPNOTSUPP.into());
        }
        XEN_DOMCTL_SHADOW_OP_ENABLE | XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY => {
            let mut state = dom.log_dirty.lock();
            if state.on {
                return Err(Errno::EINVAL.into());
            }
            *state = LogDirty {
                on: true,
                ..Default::default()
            };
        }
        XEN_DOMCTL_SHADOW_OP_CLEAN | XEN_DOMCTL_SHADOW_OP_PEEK => {
            if arg.mode & !XEN_DOMCTL_SHADOW_LOGDIRTY_FINAL != 0 || !dom.log_dirty.lock().on {
                return Err(Errno::EINVAL.into());
            }
            arg.pages = arg.pages.min(MOST_PAGES);
            all_dirty(cx, &dom, &arg)?;
            arg.stats = DomctlShadowOpStats {
                fault_count: 0,
                dirty_count: u32::try_from(dom.pages.total()).unwrap_or(u32::MAX),
            };
            call.op.set_arm(&arg);
            call.changed = true;
        }
        XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION
        | XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION
        | XEN_DOMCTL_SHADOW_OP_ENABLE_TEST => return Err(Errno::EOPNOTSUPP.into()),
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(0)
}

/// Writes ones for all pages to the asker's bitmap, if there is one. Errors: `EFAULT`;
/// `Restart`.
fn all_dirty(cx: &mut Cx, dom: &Domain, arg: &DomctlShadowOp) -> HyperResult {
    let bitmap = GuestPtr::<u8>::new(arg.dirty_bitmap);
    if bitmap.is_null() {
        return Ok(0);
    }
    let asker = (cx.dom.id, cx.vcpu.id, arg.dirty_bitmap, arg.pages);
    let bytes = arg.pages.div_ceil(8);
    let mut done = {
        let mut state = dom.log_dirty.lock();
        if state.asker != asker {
            (state.asker, state.done) = (asker, 0);
        }
        core::mem::take(&mut state.done).min(bytes)
    };
    while done < bytes {
        let len = (bytes - done).min(CHUNK.len() as u64);
        let ones = CHUNK.get(..len as usize).unwrap_or(&CHUNK);
        cx.copy_out_bytes(bitmap.add(done), ones)?;
        done += len;
        if done < bytes && cx.cpu.work_pending() {
            let mut state = dom.log_dirty.lock();
            if state.asker == asker {
                state.done = done;
            }
            return Err(Fail::Restart);
        }
    }
    if !arg.pages.is_multiple_of(8) {
        let last = (1u8 << (arg.pages % 8)) - 1;
        cx.copy_out_bytes(bitmap.add(bytes - 1), &[last])?;
    }
    Ok(0)
}
