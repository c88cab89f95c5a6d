//! The `sched_op` hypercall.

use crate::cx::Cx;
use crate::fail::HyperResult;
use crate::guest::GuestPtr;
use crate::log;
use machine::CpuApi;
use xen_abi::Errno;
use xen_abi::sched::*;

/// The `sched_op` hypercall.
pub fn sched_op(cx: &mut Cx, [cmd, arg]: [u64; 2]) -> HyperResult {
    match cmd as u32 {
        SCHEDOP_yield => {
            cx.reschedule();
            Ok(0)
        }
        SCHEDOP_block => {
            cx.vcpu.set_upcall_mask(false);
            cx.hv.sched.block(cx.vcpu);
            if cx.vcpu.upcall_pending() {
                cx.hv.sched.unblock_self(cx.vcpu);
            } else {
                cx.reschedule();
            }
            Ok(0)
        }
        SCHEDOP_shutdown => {
            let reason: SchedShutdown = cx.copy_in(GuestPtr::new(arg))?;
            log!(cx.hv, Info, "domain {} shut down, reason {}", cx.dom.id, reason.reason);
            *cx.dom.shutdown.lock() = Some(reason.reason);
            if cx.dom.privileged {
                crate::dom0::shutdown(cx.hv, cx.cpu, reason.reason);
            }
            cx.reschedule();
            Ok(0)
        }
        _ => {
            let _ = cx.cpu.id();
            Err(Errno::ENOSYS.into())
        }
    }
}
